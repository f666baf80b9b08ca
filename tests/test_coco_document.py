import json
import math
import re

import pytest
from coco_documents import annotation, dataset, image, write

from compactmask import _optional
from compactmask.errors import FormatError
from compactmask.formats.coco import document


@pytest.fixture(params=["orjson", "json"])
def parser(request, monkeypatch):
    if request.param == "orjson":
        pytest.importorskip("orjson")
    else:
        monkeypatch.setattr(_optional, "find", lambda name: None)


BAD_FILES = {
    "empty": (b"", "the file is empty, expected COCO JSON"),
    "blank": (b" \n\t", "the file is empty, expected COCO JSON"),
    "cut": (
        b'{"images": [{"id": 1',
        "not JSON: Expecting ',' delimiter at line 1, column 21 (character 20)",
    ),
    "two": (b"[] []", "not JSON: Extra data at line 1, column 4 (character 3)"),
    "latin": (b'{"images": ["\xe9"]}', "not UTF-8: byte 0xe9 at 13"),
    "deep": (b"[" * 200_000, "JSON nested too deeply to be a COCO document"),
    "number": (
        b"7",
        "found a JSON number, expected a COCO dataset (an object with 'images') or a list of "
        "results",
    ),
    "null": (b"null", "found a JSON null, expected a COCO dataset"),
    "other": (b'{"a": 1, "b": 2}', "a COCO dataset has 'images', found 'a', 'b'"),
    "nothing": (b"{}", "a COCO dataset has 'images', found no key at all"),
    "images": (b'{"images": {}}', "'images' is object, expected a list"),
    "image": (b'{"images": [null]}', "images[0] is null, expected an object"),
    "annotations": (b'{"images": [], "annotations": "x"}', "'annotations' is string, expected a"),
    "digits": (
        b'{"images": [], "info": %s}' % (b"1" * 5000),
        "not JSON that can be read: Exceeds the limit (4300",
    ),
    "half": (b'{"images": [], "info": "\\ud800"}', "'info' is not valid JSON: 'utf-8' codec can't"),
    "categories": (b'{"images": [], "categories": [true]}', "categories[0] is boolean, expected"),
}


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_coco_document_is_refused_by_name(tmp_path, name):
    data, message = BAD_FILES[name]
    path = tmp_path / "bad.json"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=re.escape(f"{path}: {message}")):
        document.read(str(path))


@pytest.mark.usefixtures("parser")
def test_a_byte_order_mark_and_infinite_numbers_are_read(tmp_path):
    path = tmp_path / "bom.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(dataset(annotation(area=float("inf")))).encode())
    assert document.read(str(path)).annotations[0]["area"] == float("inf")


@pytest.mark.usefixtures("parser")
def test_metadata_may_hold_nan_and_infinity(tmp_path):
    path = write(tmp_path, {"images": [], "info": {"x": [math.nan, math.inf]}})
    x, y = document.read(str(path)).metadata["info"]["x"]
    assert math.isnan(x)
    assert y == math.inf


@pytest.mark.usefixtures("parser")
def test_a_dataset_may_have_images_only(tmp_path):
    found = document.read(str(write(tmp_path, {"images": [image()]})))
    assert found.images == [image()]
    assert (found.annotations, found.categories) == ([], [])


@pytest.mark.usefixtures("parser")
def test_metadata_is_what_a_dataset_has_beside_images_and_annotations(tmp_path):
    path = write(tmp_path, dataset(info={"year": 2014}))
    assert document.read(str(path)).metadata == {
        "categories": [{"id": 3, "name": "cat"}],
        "info": {"year": 2014},
    }


@pytest.mark.usefixtures("parser")
def test_a_list_is_results_without_images(tmp_path):
    found = document.read(str(write(tmp_path, [1, None])))
    assert found == document.Document(None, [1, None], [], {})
