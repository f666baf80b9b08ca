"""What cannot be stored: it is refused with the name of the image, and changes nothing."""

import re

import numpy as np
import pytest
from hdf5_samples import assert_same, boxes, full
from hdf5_writing import write

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError, ShapeMismatchError
from compactmask.formats.hdf5 import schema


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


def with_data(value, count=2):
    detections = boxes(count)
    detections.data["x"] = value
    return detections


def with_metadata(value):
    detections = boxes(1)
    detections.metadata["x"] = value
    return detections


REFUSED = {
    "no detections": (lambda: [1], TypeError, "sv.Detections expected, not list"),
    "complex": (lambda: with_data(np.ones(2, complex)), TypeError, r"data\['x'\]: dtype complex"),
    "dates": (lambda: with_data(np.zeros(2, "M8[s]")), TypeError, r"data\['x'\]: dtype datetime"),
    "objects": (
        lambda: with_data(np.array(["a", None], object)),
        TypeError,
        r"data\['x'\]: holds NoneType, only str can be stored",
    ),
    "mixed list": (
        lambda: with_data([1, 2.5]),
        TypeError,
        r"data\['x'\]: a list of float, int, one of str, bool, int or float expected",
    ),
    "ragged list": (lambda: with_data([[1], [1, 2]]), TypeError, r"data\['x'\]: "),
    "huge ints": (lambda: with_data([2**70, 1]), TypeError, r"data\['x'\]: "),
    "ints of no type": (
        lambda: with_data([2**63, -1]),
        TypeError,
        r"data\['x'\]: integers from -1 to 9223372036854775808, no type of 64 bits holds both",
    ),
    "list of arrays": (
        lambda: with_data([np.ones(2, np.float32)] * 2),
        TypeError,
        r"data\['x'\]: a list of ndarray, one of str",
    ),
    "list of tuples": (
        lambda: with_data([(1, 2), (3, 4)]),
        TypeError,
        r"data\['x'\]: a list of tuple, one of",
    ),
    "masked array": (
        lambda: with_data(np.ma.masked_array([1, 2], [True, False])),
        TypeError,
        r"data\['x'\]: MaskedArray, a plain array expected",
    ),
    "range": (lambda: with_data(range(2)), TypeError, r"data\['x'\]: range, an array or a list"),
    "9 dimensions": (
        lambda: with_data(np.ones((2,) + (1,) * 8)),
        ShapeMismatchError,
        r"data\['x'\]: 9 dimensions, at most 8 expected",
    ),
    "9 dimensions without rows": (
        lambda: with_data(np.ones((0,) + (1,) * 8), 0),
        ShapeMismatchError,
        r"data\['x'\]: 9 dimensions, at most 8 expected",
    ),
    "lists 9 deep": (
        lambda: with_data([[[[[[[[[1]]]]]]]]] * 2),
        ShapeMismatchError,
        r"data\['x'\]: 9 dimensions, at most 8 expected",
    ),
    "text table": (
        lambda: with_data(np.array([["a", "b"]] * 2)),
        ShapeMismatchError,
        r"data\['x'\]: text of shape \(2, 2\), one dimension expected",
    ),
    "wide text": (
        lambda: with_data(np.array(["a" * 65_536, ""])),
        TypeError,
        r"data\['x'\]: text of 65536 characters, at most 65535 expected",
    ),
    "surrogates": (
        lambda: with_data(["a", "\ud800"]),
        TypeError,
        r"data\['x'\]: text: '\\ud800' is not valid Unicode",
    ),
    "rows of nothing": (
        lambda: with_data(np.ones((2, 0))),
        ShapeMismatchError,
        r"data\['x'\]: rows of shape \(0,\), 0 bytes each; 1 to 16777216 expected",
    ),
    "rows too wide": (
        lambda: with_data(np.empty((1, 1 << 24), "f2"), 1),
        ShapeMismatchError,
        r"data\['x'\]: rows of shape \(16777216,\), 33554432 bytes each",
    ),
    "metadata objects": (
        lambda: with_metadata(object()),
        TypeError,
        "metadata: cannot be stored as JSON: Object of type object",
    ),
    "metadata NaN": (
        lambda: with_metadata(float("nan")),
        TypeError,
        "metadata: cannot be stored as",
    ),
    "metadata tuple": (
        lambda: with_metadata((1,)),
        TypeError,
        "metadata: does not come back equal",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_format_does_not_hold_is_refused(path, case):
    make, error, message = REFUSED[case]
    with cm.create(path) as out:
        out.append(full(2))
        with pytest.raises(error, match=re.escape(f"{path}: image 1 ('a.jpg'): ") + message):
            out.append(make(), file_name="a.jpg")
        out.append(full(1), file_name="a.jpg")
    assert_same(cm.open(path)[1], full(1))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": 1}, r"columns\['id'\]: the dataset has a column of that name"),
        ({"": 1}, "columns: a name that is not empty expected, not ''"),
        ({"x": [1]}, r"columns\['x'\]: one number, bool or str expected, not shape \(1,\)"),
        ({"x": None}, r"columns\['x'\]: dtype object"),
        ({"x": "\ud800"}, "is not valid Unicode"),
    ],
)
def test_image_columns_that_the_format_does_not_hold_are_refused(path, columns, message):
    with cm.create(path) as out, pytest.raises(TypeError, match=message):
        out.append(boxes(1), columns=columns)


def test_image_shape_and_mask_must_agree(path):
    with cm.create(path) as out:
        with pytest.raises(ShapeMismatchError, match=r"\(6, 8\), its masks have \(60, 80\)"):
            out.append(full(1), image_shape=(6, 8))
        with pytest.raises(
            ShapeMismatchError, match=r"image_shape \(0, 8\), sides of 1 to 1048576"
        ):
            out.append(boxes(1), image_shape=(0, 8))


def test_fields_changed_after_construction_are_checked(path):
    wrong = full(2)
    wrong.confidence = np.ones(3, np.float32)
    fewer = full(2)
    fewer.mask = fewer.mask[:1]
    with cm.create(path) as out:
        with pytest.raises(ShapeMismatchError, match=r"confidence: shape \(3,\), expected \(2,\)"):
            out.append(wrong)
        with pytest.raises(ShapeMismatchError, match="1 masks for 2 boxes"):
            out.append(fewer)


INEXACT = {
    "less precise": (np.float32([0.5]), np.float64([0.1]), "0.1 (float64) is not exact in"),
    "fraction": (np.int64([1]), np.float64([1.5]), "1.5 (float64) is not exact in the column's"),
    "not a number": (np.int64([1]), np.float64([np.nan]), "nan (float64) is not exact"),
    "overflow": (np.int8([1]), np.int64([128]), "128 (int64) is not exact in the column's dtype"),
    "sign": (np.uint8([1]), np.int64([-1]), "-1 (int64) is not exact"),
    "wraps": (np.int64([1]), np.uint64([2**64 - 1]), "18446744073709551615 (uint64) is not exact"),
    "beyond 2^53": (np.float64([1]), np.int64([2**53 + 1]), "9007199254740993 (int64) is not"),
    "not a bool": (np.bool_([1]), np.int64([2]), "2 (int64) is not exact in the column's dtype bo"),
    "text": (np.int64([1]), ["a"], "text, the column holds int64"),
    "no text": (["a"], np.int64([1]), "int64, the column holds text"),
}


@pytest.mark.parametrize("case", INEXACT)
def test_later_values_must_convert_exactly(path, case):
    first, later, message = INEXACT[case]
    with cm.create(path) as out:
        out.append(with_data(first, 1))
        with pytest.raises(FormatError, match=r"image 1: data/x: " + re.escape(message)):
            out.append(with_data(later, 1))
        out.append(with_data(first, 1))
    assert len(cm.open(path)) == 2


def test_later_values_that_convert_exactly_take_the_columns_dtype(path):
    write(path, with_data(np.float32([0.1]), 1), with_data(np.float64([0.5]), 1))
    assert cm.open(path)[1].data["x"].dtype == np.float32
    write(path, with_data(np.float64([np.nan]), 1), with_data(np.float32([np.nan]), 1), mode="w")
    assert np.isnan(cm.open(path)[1].data["x"]).all()


def test_later_rows_must_have_the_columns_shape(path):
    with cm.create(path) as out:
        out.append(with_data(np.ones((2, 3))))
        with pytest.raises(
            ShapeMismatchError, match=r"rows of shape \(4,\), the column has \(3,\)"
        ):
            out.append(with_data(np.ones((2, 4))))


def test_rows_of_no_instances_leave_the_dtype_open(path):
    images = [with_data(np.empty(0), 0), with_data([], 0), with_data(np.array(["a", "b"]))]
    write(path, *images)
    assert_same(cm.open(path)[2], images[2])
    assert cm.open(path)[1].data["x"] == []


def test_more_columns_than_the_format_allows_are_refused(path):
    detections = boxes(1)
    detections.data.update({str(i): [i] for i in range(schema.MAX_COLUMNS + 1)})
    with (
        cm.create(path) as out,
        pytest.raises(FormatError, match="more than 1024 columns in image"),
    ):
        out.append(detections)


def test_an_id_beyond_64_bits_is_refused(path):
    with cm.create(path) as out, pytest.raises(TypeError, match="image_id 9223372036854775808, "):
        out.append(boxes(1), image_id=2**63)


MISTAKES = {
    "image_shape of 3": (
        {"image_shape": (6, 8, 3)},
        r"image_shape \(6, 8, 3\), expected two integ",
    ),
    "image_shape of text": ({"image_shape": "12"}, "image_shape '12', expected two integers"),
    "fractions": ({"image_shape": (6.5, 8.0)}, r"image_shape \(6.5, 8.0\), expected two integers"),
    "file_name of list": ({"file_name": ["a"]}, "file_name: str expected, not list"),
    "columns of list": ({"columns": [1]}, "columns: list, a mapping expected"),
    "image_id of text": ({"image_id": "1"}, "image_id '1', an integer expected"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_told_with_the_image(path, case):
    options, message = MISTAKES[case]
    with cm.create(path) as out, pytest.raises(TypeError, match=f"{path}: image 0.*: {message}"):
        out.append(boxes(1), **options)


def test_an_empty_file_name_is_refused(path):
    with cm.create(path) as out, pytest.raises(FormatError, match="file_name is empty, None sta"):
        out.append(boxes(1), file_name="")


def test_boxes_that_detections_cannot_hold_are_refused(path):
    missing, nan = boxes(2), boxes(2)
    missing.xyxy = None
    nan.xyxy[1, 2] = np.nan
    with cm.create(path) as out:
        with pytest.raises(
            ShapeMismatchError, match=r"image 0: xyxy: shape \(\), expected \(0, 4\)"
        ):
            out.append(missing)
        with pytest.raises(
            FormatError, match=r"image 0: xyxy: box 1 is \[4.0, 5.0, nan, 7.0\], exp"
        ):
            out.append(nan)


def test_errors_of_dense_masks_name_the_image(path):
    wrong = boxes(2)
    wrong.mask = np.zeros((2, 6), bool)
    with (
        cm.create(path) as out,
        pytest.raises(Exception, match=f"{path}: image 0: .*mask") as caught,
    ):
        out.append(wrong)
    assert isinstance(caught.value, (CompactMaskError, TypeError))
