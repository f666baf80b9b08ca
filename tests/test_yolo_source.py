"""Folders of YOLO segmentation, as they are read."""

import re
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import supervision as sv
from folder_samples import make_yolo
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from compactmask.errors import CorruptFileError, FormatError, InvalidMaskError
from compactmask.formats import yolo
from compactmask.formats.yolo import lines

TRIANGLE = "0 .1 .2 .6 .2 .6 .6"


def names(ds):
    return ds.images["file_name"].tolist()


coordinates = st.floats(-0.2, 1.2) | st.sampled_from([0.0, 1.0, 0.5, 0.125])
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9)


@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    texts=st.lists(st.tuples(st.integers(0, 2), polygons), min_size=1, max_size=4),
)
def test_masks_and_boxes_are_those_of_supervision(tmp_path_factory, width, height, texts):
    text = "\n".join(
        f"{class_id} {' '.join(f'{x:.7g} {y:.7g}' for x, y in points)}"
        for class_id, points in texts
    )
    folder = make_yolo(
        tmp_path_factory.mktemp("yolo"), {"a": text}, (width, height), ["x", "y", "z"]
    )
    expected = sv.DetectionDataset.from_yolo(
        str(folder / "images"), str(folder / "labels"), str(folder / "data.yaml"), force_masks=True
    )
    (theirs,) = expected.annotations.values()
    with yolo.open(folder) as ds:
        assert ds.classes == expected.classes
        assert np.array_equal(ds[0].mask.to_dense(), theirs.mask)
        assert ds[0].class_id.tolist() == theirs.class_id.tolist()
        assert np.allclose(ds[0].xyxy, theirs.xyxy, rtol=1e-5, atol=1e-4)
        for k in range(len(texts)):
            x, y = ds.instance(k).offset
            crop = ds.crop(k)
            assert np.array_equal(
                crop, theirs.mask[k, y : y + crop.shape[0], x : x + crop.shape[1]]
            )
            assert ds.detections["area"][k] == theirs.mask[k].sum() == crop.sum()


def test_boxes_confidences_and_empty_lines_are_read(tmp_path):
    make_yolo(
        tmp_path,
        {
            "a": f"{TRIANGLE}\r\n\n2 .5 .5 .2 .4\n{TRIANGLE} .25\n1.0 .5 .5 .2 .4 1\n",
            "b": "1 .5 .5 .2 .4",
            "c": "",
            "d": None,
        },
    )
    with yolo.open(tmp_path) as ds:
        assert names(ds) == ["a.png", "b.png", "c.png", "d.png"]
        assert ds.classes == ["0", "1", "2"]
        assert ds.metadata == {}
        assert ds[0].class_id.tolist() == [0, 2, 0, 1]
        assert ds[0].data["has_mask"].tolist() == [True, False, True, False]
        assert np.array_equal(ds[0].confidence, [np.nan, np.nan, 0.25, 1], equal_nan=True)
        assert ds[0].mask.area.tolist() == [33, 0, 33, 0]
        assert ds[0].xyxy.tolist() == [[2, 2, 12, 6], [8, 3, 12, 7]] * 2
        assert ds[1].mask is None
        with pytest.raises(InvalidMaskError, match="image 1 has no masks"):
            ds.crop(4)
        assert [len(ds[i]) for i in (2, 3)] == [0, 0]
        assert ds[3].mask.shape == (0, 10, 20)
        columns = dict(ds.detections)
        assert columns["area"].tolist() == [33, 0, 33, 0, 0]
        assert columns["has_mask"].tolist() == [True, False, True, False, False]
        assert columns["crop_shapes"].tolist() == [[5, 11], [1, 1], [5, 11], [1, 1], [0, 0]]


def test_columns_that_no_line_has_are_left_out(tmp_path):
    make_yolo(tmp_path, {"a": TRIANGLE, "b": "0 .5 .5 .2 .4"})
    with yolo.open(tmp_path) as ds:
        assert sorted(ds.detections) == ["area", "class_id", "crop_shapes", "offsets", "xyxy"]
        assert ds[0].confidence is None
        assert ds[0].data == {}


LAYOUTS = {
    "labels and images": ("", "labels/train/a.txt", "images/train/a.jpg", "train/a.jpg"),
    "splits outside": ("", "train/labels/x/a.txt", "train/images/x/a.jpg", "train/x/a.jpg"),
    "labels": ("labels", "labels/train/a.txt", "images/train/a.jpg", "train/a.jpg"),
    "one split": ("labels/train", "labels/train/a.txt", "images/train/a.jpg", "a.jpg"),
    "side by side": ("", "a.txt", "a.jpg", "a.jpg"),
    "predictions": ("predict/labels", "predict/labels/a.txt", "predict/labels/a.jpg", "a.jpg"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_label_files_and_images_find_each_other(tmp_path, layout):
    opened, label, image, name = LAYOUTS[layout]
    for path in (label, image):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / label).write_text(TRIANGLE)
    for note in ("classes.txt", "README.dataset.txt"):
        (tmp_path / label).with_name(note).write_text("cat")
    (tmp_path / "data.yaml").write_text("names: {0: cat, '1': dog}\npath: ../x\ntrain: [a, b]\n")
    Image.new("L", (20, 10)).save(tmp_path / image)
    with yolo.open(tmp_path / opened) as ds:
        assert names(ds) == [name]
        assert ds.classes == ["cat", "dog"]
        assert ds.metadata == {"path": "../x", "train": ["a", "b"]}
        assert ds.detections["area"].tolist() == [33]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_image_when_it_is_turned(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    folder = make_yolo(tmp_path, {"a": TRIANGLE}, suffix=suffix)
    path = folder / "images" / f"a{suffix}"
    Image.new("RGB", (20, 10)).save(path, exif=exif)
    with yolo.open(folder) as ds:
        shape = ds[0].mask.shape[1:]
    if suffix != ".tif":  # which OpenCV 5.0 does not turn, but refuse
        assert shape == cv2.imread(str(path)).shape[:2]
    with Image.open(path) as image:
        assert shape == np.asarray(ImageOps.exif_transpose(image)).shape[:2]


@pytest.mark.parametrize("suffix", [".bmp", ".jpg", ".png", ".tif", ".webp"])
def test_no_pixel_is_decoded_to_know_a_size(tmp_path, suffix, monkeypatch):
    make_yolo(tmp_path, {"a": TRIANGLE}, suffix=suffix)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    with yolo.open(tmp_path) as ds:
        assert ds[0].mask.shape == (1, 10, 20)


BAD_LINES = {
    "words": ("0 a .1 .2 .3 .4 .5", "value 0 after the class is 'a', expected a finite number"),
    "nan": ("0 .1 .1 .2 .3 .4 nan", "value 5 after the class is 'nan', expected a finite number"),
    "infinite": ("0 .1 .1 .2 inf", "value 3 after the class is 'inf', expected a finite number"),
    "underscore": ("0 .1 .1 .2 1_0", "value 3 after the class is '1_0', expected a finite number"),
    "pixels": ("0 12 40 80 9 1 7", "value 0 after the class is 12, expected 0 to 1"),
    "few": ("0 .1 .2 .3", "found 3 values after the class, expected x, y of 3 points"),
    "class-only": ("0", "found 0 values after the class"),
    "odd": ("0 .1 .1 .2 .3 .4 .5 1.5", "found 7 values after the class, the last 1.5"),
    "class-word": ("cat .1 .1 .2 .3 .4 .5", "class is 'cat', expected a finite number"),
    "class-part": ("0.5 .1 .1 .2 .3 .4 .5", "class is '0.5', expected a whole number of 0 to 6553"),
    "class-negative": ("-1 .1 .1 .2 .3 .4 .5", "class is '-1', expected a whole number"),
    "class-large": ("65536 .1 .1 .2 .3 .4 .5", "class is '65536', expected a whole number"),
    "class-unknown": ("2 .1 .1 .2 .3 .4 .5", "class is 2, expected one of the 2 that data.yaml"),
    "box": ("0 .1 .1 -.2 .3", "a box of -0.2 x 0.3, expected 0 or above"),
    "return": (f"{TRIANGLE}\r{TRIANGLE}", "found a carriage return alone, expected lines that end"),
    "digits": ("0 .1 .1 .2 ٣", "value 3 after the class is '٣', expected a finite number"),
}


@pytest.mark.parametrize("defect", BAD_LINES)
def test_a_bad_line_is_refused_by_number_or_left_out(tmp_path, defect):
    text, message = BAD_LINES[defect]
    make_yolo(tmp_path, {"a": f"{TRIANGLE}\n\n{text}\n{TRIANGLE}\n"}, names=["cat", "dog"])
    label = tmp_path / "labels" / "a.txt"
    with pytest.raises(FormatError, match=re.escape(f"{label}: line 3: {message}")):
        yolo.open(tmp_path)
    faults = []
    with yolo.open(tmp_path, on_fault=faults.append) as ds:
        assert ds[0].mask.area.tolist() == [33, 33]
        assert np.array_equal(ds.crop(1), ds.crop(0))
    assert [message in str(fault) for fault in faults] == [True]


def test_values_a_little_outside_are_taken(tmp_path):
    make_yolo(tmp_path, {"a": "0 -0.01 -1 2 0 1.01 1.01"})
    with yolo.open(tmp_path) as ds:
        assert ds.detections["area"][0] > 0


def test_a_line_that_is_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", len(TRIANGLE) + 2)
    make_yolo(tmp_path, {"a": f"{TRIANGLE}\n{TRIANGLE} .1 .1\n"})
    with pytest.raises(FormatError, match=r"a\.txt: line 2: found 21 bytes or more"):
        yolo.open(tmp_path)
    with (tmp_path / "labels" / "a.txt").open("a") as file:
        file.write(f"{TRIANGLE * 9}\n{TRIANGLE}\n")
    faults = []
    with yolo.open(tmp_path, on_fault=faults.append) as ds:
        assert ds[0].mask.area.tolist() == [33, 33]
    assert [str(fault).split(": ")[1] for fault in faults] == ["line 2", "line 3"]


def test_lines_are_not_kept_while_they_are_read(tmp_path):
    n = 20_000
    make_yolo(tmp_path, {"a": f"{TRIANGLE}\n" * n, "b": TRIANGLE})
    yolo.open(tmp_path).close()
    tracemalloc.start()
    with yolo.open(tmp_path) as ds:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(ds.detections["xyxy"]) == n + 1
    assert peak < 200 * n


def test_a_polygon_that_cannot_be_drawn_is_named(tmp_path):
    rows = " ".join(["0 0 1 1"] * 20)
    make_yolo(tmp_path, {"a": f"{TRIANGLE}\n0 {rows}\n"}, size=(1, 1 << 20))
    with (
        yolo.open(tmp_path) as ds,
        pytest.raises(InvalidMaskError, match=r"a\.txt: line 2: its outlines cross 41943040 rows"),
    ):
        _ = ds[0]
    faults = []
    with yolo.open(tmp_path, on_fault=faults.append) as ds:
        assert len(ds[0]) == 1
    assert len(faults) == 1
    assert "a.txt: line 2: " in str(faults[0])


def test_a_byte_order_mark_is_passed(tmp_path):
    make_yolo(tmp_path, {"a": f"\ufeff{TRIANGLE}\n{TRIANGLE}\n", "b": "\ufeff", "c": "\ufeff\n0"})
    faults = []
    with yolo.open(tmp_path, on_fault=faults.append) as ds:
        assert ds.detections["area"].tolist() == [33, 33]
        assert ds.crop(0).sum() == 33
    assert len(faults) == 1
    assert "c.txt: line 2: found 0 values" in str(faults[0])


def test_two_label_files_of_an_image_are_refused(tmp_path):
    make_yolo(tmp_path, {"a": TRIANGLE, "b": TRIANGLE})
    (tmp_path / "labels" / "a.TXT").write_text("")
    message = f"{tmp_path}/labels/a.txt: found a.TXT beside it, expected one label file"
    with pytest.raises(FormatError, match=re.escape(message)):
        yolo.open(tmp_path)
    faults = []
    with yolo.open(tmp_path, on_fault=faults.append) as ds:
        assert names(ds) == ["a.png", "b.png"]
    assert len(faults) == 1


def test_a_label_file_without_an_image_is_refused_or_left_out(tmp_path):
    make_yolo(tmp_path, {"a": TRIANGLE, "x/b": TRIANGLE})
    (tmp_path / "images" / "x" / "b.png").unlink()
    message = f"{tmp_path}/labels/x/b.txt: found no image, expected one in {tmp_path}/images"
    with pytest.raises(FormatError, match=re.escape(message)):
        yolo.open(tmp_path)
    faults = []
    with yolo.open(tmp_path, on_fault=faults.append) as ds:
        assert names(ds) == ["a.png"]
    assert len(faults) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text", "found no image that Pillow knows"),
        (b"", "found no image that Pillow knows"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0", "its size cannot be read|found no image"),
    ],
)
def test_an_image_whose_size_cannot_be_read_is_refused_by_name(tmp_path, content, message):
    make_yolo(tmp_path, {"a": TRIANGLE, "b": TRIANGLE})
    (tmp_path / "images" / "a.png").write_bytes(content)
    with pytest.raises(FormatError, match=rf"images/a\.png: ({message})"):
        yolo.open(tmp_path)
    faults = []
    with yolo.open(tmp_path, on_fault=faults.append) as ds:
        assert names(ds) == ["b.png"]
    assert len(faults) == 1


ALIASES = "a0: &a0 [" + "a, " * 9 + "]\n"
ALIASES += "".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]\n" for i in range(1, 12))
ALIASES += "names: [*a11]"
"""9 ** 12 letters."""
BAD_DESCRIPTIONS = {
    "no-yaml": ("names: [", "no YAML: "),
    "no-text": ("\0", "no YAML: "),
    "list": ("- a", "found a list, expected names and splits"),
    "empty": ("", "found a NoneType, expected names and splits"),
    "no-names": ("nc: 3", "names is of type NoneType, expected a list of names"),
    "text": ("names: a", "names is of type str, expected a list of names"),
    "nested": ("names: [[a]]", "name 0 is ['a'], expected text or a number"),
    "null": ("names: [no, ~]", "name 1 is None, expected text or a number"),
    "null-by-number": ("names: {1: ~, 0: a}", "name 1 is None, expected text or a number"),
    "truth": ("names: {0: a, true: b}", "names has the keys [0, True], expected 0, 1, 2"),
    "fraction": ("names: {0: a, 1.0: b}", "names has the keys [0, 1.0], expected 0, 1, 2"),
    "gap": ("names: {0: a, 2: b}", "names has the keys [0, 2], expected 0, 1, 2"),
    "words": ("names: {a: b}", "names has the keys ['a'], expected 0, 1, 2"),
    "twice": ("names: {0: a, '0': b}", "names has the keys [0, '0'], expected 0, 1, 2"),
    "nested-hex": (f"names: [[0x{'f' * 4000}]]", "name 0 is a long list, expected text or"),
    "integer": (f"names: [a, 0x{'f' * 4000}]", "name 1 is a long int, expected text or a number"),
    "65-bits": (f"names: [{1 << 63}]", "name 0 is 9223372036854775808, expected text or a number"),
    "digits": (f"names: [0x{'f' * 5000}]", "no YAML: an integer of 5,002 characters, 4,300 at"),
    "base-60": (f"names: [a]\nx: {'1:' * 200_000}1", "no YAML: an integer of 400,001 characters"),
    "key": (f"names:\n  ? '{'1' * 5000}'\n  : a", "names has the keys ['11111111111111"),
    "hex-key": (f"names:\n  ? 0x{'f' * 4000}\n  : a", "names has the keys a long list, exp"),
    "timestamp": ("names: [a]\nd: !!timestamp foo", "no YAML: "),
    "bool": ("names: [a]\nd: !!bool foo", "no YAML: 'foo'"),
    "int": ("names: [a]\nd: !!int ''", "no YAML: string index out of range"),
    "float": (f"names: [a]\nd: !!float {'x' * 999_999}", "no YAML: could not convert string"),
    "aliases": (ALIASES, "name 0 is [[[...], [...], [...], [...], [...], [...], [...], [...], "),
    "pose": ("names: [a]\nkpt_shape: [17, 3]", "found kpt_shape: key points"),
}


@pytest.mark.parametrize("defect", BAD_DESCRIPTIONS)
def test_a_bad_description_is_refused_by_name(tmp_path, defect):
    text, message = BAD_DESCRIPTIONS[defect]
    make_yolo(tmp_path, {"a": TRIANGLE})
    (tmp_path / "data.yaml").write_text(text)
    pattern = re.escape(f"{tmp_path / 'data.yaml'}: {message}")
    with pytest.raises(FormatError, match=pattern) as caught:
        yolo.open(tmp_path, on_fault=lambda error: None)
    assert len(str(caught.value)) < 1000


def test_numbers_that_are_none_are_left_out_of_the_metadata(tmp_path):
    make_yolo(tmp_path, {"a": TRIANGLE})
    (tmp_path / "data.yaml").write_text(
        "names: [a]\nnc: 1\nx: .nan\ny: [1, .inf]\nz: [1, 2.5]\n"
        f"v: [{1 << 63}]\nw: 0x{'f' * 4000}\n"
    )
    with yolo.open(tmp_path) as ds:
        assert ds.metadata == {"z": [1, 2.5]}


def test_a_file_that_has_changed_is_not_read_as_what_it_was(tmp_path):
    make_yolo(tmp_path, {"a": TRIANGLE})
    with yolo.open(tmp_path) as ds:
        (tmp_path / "labels" / "a.txt").write_text(f"1 .1 .1 .2 .2\n{TRIANGLE}")
        with pytest.raises(CorruptFileError, match=r"a\.txt: it has changed since"):
            _ = ds[0]
        ds.refresh()
        assert ds.detections["area"].tolist() == [0, 33]
        Image.new("L", (40, 20)).save(Path(tmp_path) / "images" / "a.png")
        ds.refresh()
        assert ds.images["width"].tolist() == [40]
        (tmp_path / "data.yaml").write_text("names: [a, b]")
        ds.refresh()
        assert ds.classes == ["a", "b"]
