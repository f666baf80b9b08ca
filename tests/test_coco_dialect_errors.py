"""An error says which annotation of which file it is, and at which byte that begins."""

import json
import re

import pytest
from coco_documents import DOT, annotation, dataset, image, result, without
from dialect_checks import read_all

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError

BAD = {
    "RLE of another size": annotation(12, segmentation=DOT | {"size": [5, 4]}),
    "RLE of too few pixels": annotation(12, segmentation=DOT | {"counts": [5, 1, 13]}),
    "RLE of broken text": annotation(12, segmentation=DOT | {"counts": "0"}),
    "RLE without counts": annotation(12, segmentation={"size": [4, 5]}),
    "a polygon of 2 points": annotation(12, segmentation=[[1, 1, 2, 2]]),
    "a polygon of half a point": annotation(12, segmentation=[[1, 1, 2, 2, 3, 3, 4]]),
    "a polygon of text": annotation(12, segmentation=[["1", 1, 2, 2, 3, 3]]),
    "a segmentation of text": annotation(12, segmentation="1 1 2 2"),
    "an unknown image": annotation(12, image_id=8),
    "an unknown category": annotation(12, category_id=4),
    "no category": without(annotation(12), "category_id"),
    "no image": without(annotation(12), "image_id"),
    "neither box nor segmentation": without(annotation(12), "bbox", "segmentation"),
    "a box of 3 numbers": annotation(12, bbox=[1, 2, 3]),
    "a box of text": annotation(12, bbox="1 2 3 4"),
    "an area of text": annotation(12, area="7"),
    "a crowd of text": annotation(12, iscrowd="no"),
}
FORMS = {
    "as it is": lambda text: text,
    "behind a mark": lambda text: b"\xef\xbb\xbf" + text,
    "behind blanks": lambda text: b" \n\t" + text,
    "behind wide letters": lambda text: text.replace(b"7.jpg", "日本é\U0001f600.jpg".encode()),
}


def written(tmp_path, document, form=FORMS["as it is"]):
    path = tmp_path / "coco.json"
    path.write_bytes(form(json.dumps(document, ensure_ascii=False).encode()))
    return path


def place(path, item):
    """Give the offset in a file of the bracket that opens an object."""
    return path.read_bytes().index(json.dumps(item).encode())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", BAD)
def test_an_error_names_the_annotation_and_its_byte(tmp_path, what, form):
    bad = BAD[what]
    path = written(tmp_path, dataset(annotation(11), bad, annotation(13)), FORMS[form])
    name = re.escape(f"{path}: annotation 12 (byte {place(path, bad)})")
    with pytest.raises(CompactMaskError, match=name):
        read_all(path)


@pytest.mark.parametrize("what", BAD)
def test_an_error_that_is_collected_says_the_same(tmp_path, what):
    bad = BAD[what]
    path = written(tmp_path, dataset(annotation(11), bad, annotation(13)))
    report = cm.convert(path, tmp_path / "out.h5", on_error="collect")
    (error,) = report.errors
    assert str(error).startswith(f"{path}: annotation 12 (byte {place(path, bad)})")
    assert (report.skipped, report.instances) == (1, 2)


def test_each_of_several_errors_names_its_own_byte(tmp_path):
    bad = [annotation(k, image_id=k) for k in (20, 21, 22)]
    path = written(tmp_path, dataset(annotation(11), *bad))
    report = cm.convert(path, tmp_path / "out.h5", on_error="collect")
    assert [
        re.findall(r"annotation (\d+) \(byte (\d+)\)", str(error)) for error in report.errors
    ] == [[(str(item["id"]), str(place(path, item)))] for item in bad]


def test_annotations_before_the_images_have_their_bytes_too(tmp_path):
    bad = BAD["an unknown image"]
    path = written(tmp_path, dict(reversed(dataset(annotation(11), bad).items())))
    name = re.escape(f"annotation 12 (byte {place(path, bad)})")
    with pytest.raises(FormatError, match=name):
        read_all(path)


def test_a_result_without_an_id_is_named_by_its_byte(tmp_path):
    bad = result(8, segmentation=[[1, 1, 2, 2]])
    path = written(tmp_path, [result(), bad])
    with pytest.raises(CompactMaskError, match=rf"byte {place(path, bad)}\b"):
        read_all(path)


SYNTAX = {
    "cut in a list": b'{"images": [{"id": 1',
    "cut in a text": b'{"images": [{"file_name": "a.j',
    "cut in a number": b'{"images": [], "annotations": [{"id": -',
    "cut in a word": b'{"images": [], "info": tru',
    "no comma": b'{"images": [1 2]}',
    "two commas": b'{"images": [], , "annotations": []}',
    "a comma too much": b'{"images": [],}',
    "a comma too much in a list": b'[{"image_id": 7, "category_id": 1, "bbox": [1, 1, 1, 1]},]',
    "no colon": b'{"images" []}',
    "no key": b'{"images": [], 7: 8}',
    "single quotes": b"{'images': []}",
    "two values": b"[] []",
    "something behind it": b'{"images": []} x',
    "a comment": b'{"images": [] /* none */}',
    "another word": b'{"images": [], "info": nil}',
    "a number of two points": b'{"images": [], "info": 1.2.3}',
    "a number that begins with 0": b'{"images": [], "info": 012}',
    "a control character": b'{"images": [], "info": "a\x01b"}',
    "an unknown escape": b'{"images": [], "info": "\\q"}',
    "a half escape": b'{"images": [], "info": "\\u12"}',
    "the wrong bracket": b'{"images": [}',
}


@pytest.mark.parametrize("what", SYNTAX)
def test_a_syntax_error_says_that_it_is_not_json_and_the_byte(tmp_path, what):
    path = tmp_path / "bad.json"
    path.write_bytes(SYNTAX[what])
    with pytest.raises(
        FormatError, match=rf"{re.escape(str(path))}.*not JSON.*byte [\d,]+"
    ) as caught:
        read_all(path)
    byte = int(re.search(r"byte ([\d,]+)", str(caught.value))[1].replace(",", ""))
    assert 0 <= byte <= len(SYNTAX[what])


@pytest.mark.parametrize("n", [0, 1, 1000])
def test_a_syntax_error_far_behind_has_its_byte(tmp_path, n):
    text = json.dumps(dataset(*map(annotation, range(n)))).encode()
    path = tmp_path / "bad.json"
    path.write_bytes(text[:-1] + b' "more" 7}')
    with pytest.raises(FormatError, match="not JSON") as caught:
        read_all(path)
    byte = int(re.search(r"byte ([\d,]+)", str(caught.value))[1].replace(",", ""))
    assert len(text) - 2 <= byte <= len(text) + 9


def test_a_byte_that_is_not_utf_8_is_named(tmp_path):
    text = json.dumps(dataset(images=[image(file_name="X.jpg")])).encode()
    path = tmp_path / "latin.json"
    path.write_bytes(text.replace(b"X.jpg", b"\xe9.jpg"))
    with pytest.raises(
        FormatError, match=rf"{re.escape(str(path))}: .*UTF-8.*{text.index(b'X.jpg')}"
    ):
        read_all(path)
