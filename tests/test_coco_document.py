import json
import math
import re

import pytest
from coco_documents import annotation, dataset, image, result, write

import compactmask as cm
from compactmask.errors import FormatError
from compactmask.formats.coco import document, parse


@pytest.fixture(params=["orjson", "json"])
def parser(request, monkeypatch):
    if request.param == "orjson":
        pytest.importorskip("orjson")
    else:
        monkeypatch.setattr(parse, "orjson", None)


def read(path):
    return document.read(str(path), None)


NO_KEY = "a COCO dataset has 'images' (a video one 'videos', SA-1B 'image', SA-V 'masklet'), found "
BAD_FILES = {
    "empty": (b"", "the file is empty, expected COCO JSON"),
    "blank": (b" \n\t", "the file is empty, expected COCO JSON"),
    "cut": (
        b'{"images": [{"id": 1',
        "not JSON: the end at byte 20, expected more of the list",
    ),
    "two": (b"[] []", "not JSON: '[' at byte 3, expected the end"),
    "latin": (b'{"images": ["\xe9"]}', "images[0]: not UTF-8: b'\\xe9' at byte 13"),
    "deep": (
        b"[" * 200_000,
        "not JSON: '[' at byte 257, expected at most 256 brackets inside each other",
    ),
    "number": (
        b"7 ",
        "found a JSON number, expected a COCO dataset (an object with 'images') or a list of "
        "results",
    ),
    "null": (b"null", "found a JSON null, expected a COCO dataset"),
    "other": (
        b'{"a": 1, "b": 2}',
        f"{NO_KEY}'a', 'b'",
    ),
    "nothing": (
        b"{}",
        f"{NO_KEY}no key at all",
    ),
    "images": (b'{"images": {}}', "'images' is object, expected a list"),
    "image": (b'{"images": [null]}', "images[0]: found None, expected an object"),
    "annotations": (b'{"images": [], "annotations": "x"}', "'annotations' is string, expected a"),
    "digits": (
        b'{"images": [], "info": %s}' % (b"1" * 5000),
        "not JSON: Exceeds the limit (4300",
    ),
    "half": (b'{"images": [], "info": "\\ud800"}', "'info' is not valid JSON: 'utf-8' codec can't"),
    "categories": (
        b'{"images": [], "categories": [true]}',
        "categories[0]: found boolean, expected",
    ),
}


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_coco_document_is_refused_by_name(tmp_path, name):
    data, message = BAD_FILES[name]
    path = tmp_path / "bad.json"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=re.escape(f"{path}: {message}")):
        read(path)


@pytest.mark.usefixtures("parser")
def test_a_byte_order_mark_and_infinite_numbers_are_read(tmp_path):
    path = tmp_path / "bom.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(dataset(annotation(area=math.inf))).encode())
    assert read(path).content.instances.values["area"].tolist() == [math.inf]


@pytest.mark.usefixtures("parser")
def test_metadata_may_hold_nan_and_infinity(tmp_path):
    path = write(tmp_path, {"images": [], "info": {"x": [math.nan, math.inf]}})
    x, y = read(path).metadata["info"]["x"]
    assert math.isnan(x)
    assert y == math.inf


@pytest.mark.usefixtures("parser")
def test_numbers_of_metadata_and_of_json_text_are_exact(tmp_path):
    big = [2**63, 2**64, -(2**63) - 1, 10**30, 0.1, 5e-324]
    found = read(write(tmp_path, dataset(annotation(big=big), info=big)))
    assert found.metadata["info"] == big
    column = found.content.instances.further_columns(slice(None))["big:json"]
    assert json.loads(column[0]) == big


@pytest.mark.usefixtures("parser")
def test_a_dataset_may_have_images_only(tmp_path):
    found = read(write(tmp_path, {"images": [image()]}))
    assert (len(found.content.images), len(found.content.instances)) == (1, 0)
    assert (found.content.classes, found.metadata) == ([], {})


@pytest.mark.usefixtures("parser")
def test_metadata_is_what_a_dataset_has_beside_images_and_annotations(tmp_path):
    path = write(tmp_path, dataset(info={"year": 2014}))
    assert read(path).metadata == {
        "categories": [{"id": 3, "name": "cat"}],
        "info": {"year": 2014},
    }


@pytest.mark.usefixtures("parser")
def test_a_list_is_results_without_metadata(tmp_path):
    found = read(write(tmp_path, [result(), result(9)]))
    assert (found.content.kind, found.metadata) == ("results", {})
    assert (len(found.content.images), len(found.content.instances)) == (2, 2)


def test_what_is_nested_255_deep_is_read_and_257_deep_is_refused(tmp_path):
    path = tmp_path / "deep.json"
    for depth, where in ((255, "info"), (255, "key"), (257, "info"), (257, "key")):
        nested = "[" * depth + "]" * depth
        text = json.dumps(dataset(annotation(key="DEEP"), info="DEEP"))
        path.write_text(text.replace('"DEEP"', nested if where == "info" else "0", 1))
        if where == "key":
            path.write_text(text.replace('"DEEP"', nested, 1))
        if depth == 255:
            with cm.open(path) as ds:
                for columns in (ds.images, ds.detections):
                    assert all(len(columns[name]) == 1 for name in columns)
        else:
            with pytest.raises(FormatError, match="expected at most 256 brackets inside each"):
                read(path)
