import math
import re

import numpy as np
import pytest
from coco_documents import BAR, DOT, NOTHING, SIZE
from pycocotools import mask as mask_utils

from compactmask._kernels import dense
from compactmask.errors import InvalidMaskError
from compactmask.formats.coco.segmentation import pack, size_of

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SHAPE = (4, 5)
SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]


def decode(packed):
    frame = np.zeros((packed.n, *packed.image_shape), dtype=bool)
    starts = packed.indptr.tolist()
    for i, ((x, y), (h, w)) in enumerate(
        zip(packed.offsets.tolist(), packed.crop_shapes.tolist(), strict=True)
    ):
        data = packed.data[starts[i] : starts[i + 1]]
        frame[i, y : y + h, x : x + w] = dense.decode_crop(data, h, w)
    return frame


def compressed(rle):
    return mask_utils.frPyObjects(rle, *SIZE)


@pytest.mark.parametrize("rle", [DOT, BAR, NOTHING])
@pytest.mark.parametrize("form", ["runs", "bytes", "str"])
def test_every_form_of_rle_is_the_mask_that_pycocotools_decodes(rle, form):
    given = rle if form == "runs" else compressed(rle)
    if form == "str":
        given = given | {"counts": given["counts"].decode()}
    assert (decode(pack([given], SHAPE))[0] == mask_utils.decode(compressed(rle))).all()


@pytest.mark.parametrize("parts", [[SQUARE], [SQUARE, [0, 0, 5, 0, 5, 1.5]], [[0.5] * 6]])
def test_polygons_are_the_mask_that_pycocotools_draws(parts):
    expected = mask_utils.decode(mask_utils.merge(mask_utils.frPyObjects(parts, *SIZE)))
    assert (decode(pack([parts], SHAPE))[0] == expected).all()


def test_masks_are_cropped_tightly_and_keep_their_order():
    packed = pack([BAR, DOT, [SQUARE]], SHAPE)
    assert packed.offsets.tolist() == [[2, 0], [1, 1], [1, 1]]
    assert packed.crop_shapes.tolist() == [[4, 1], [1, 1], [2, 2]]
    assert packed.area.tolist() == [4, 1, 4]


def test_one_bad_segmentation_of_several_is_refused():
    with pytest.raises(InvalidMaskError, match=r"polygon part 1 has 2 points, expected"):
        pack([DOT, [SQUARE], [SQUARE, [1.0] * 4]], SHAPE)
    with pytest.raises(InvalidMaskError, match=r"part 0: x of point 2 is 1e\+300, exp"):
        pack([DOT, [[1, 1, 2, 2, 1e300, 1]]], SHAPE)
    with pytest.raises(InvalidMaskError, match=r"runs cover 19 pixels"):
        pack([[SQUARE], DOT, DOT | {"counts": [5, 1, 13]}], SHAPE)


def test_an_image_of_2_to_the_32_pixels_has_masks_whose_crop_is_smaller():
    side = 1 << 16
    rle = {"size": [side, side], "counts": [5, 100, side * side - 105]}
    assert pack([rle], (side, side)).area.tolist() == [100]
    corners = rle | {"counts": [0, 1, side * side - 2, 1]}
    with pytest.raises(InvalidMaskError, match="its crop has 4294967296 pixels, expected at most"):
        pack([corners], (side, side))
    assert pack([[SQUARE]], (side, side)).area.tolist() == [4]


@pytest.mark.parametrize("absent", [None, []])
def test_an_absent_segmentation_is_an_empty_mask(absent):
    assert pack([DOT, absent], SHAPE).area.tolist() == [1, 0]


BAD = {
    "text": ("x", "segmentation is 'x', expected polygons, or an RLE with 'size' and 'counts'"),
    "no counts": ({"size": SIZE}, "segmentation is {'size': [4, 5]}, expected polygons, or an RLE"),
    "no size": ({"counts": [20]}, "RLE size is None, expected [4, 5]"),
    "turned": (DOT | {"size": [5, 4]}, "RLE size is [5, 4], expected [4, 5]"),
    "null": (
        DOT | {"counts": None},
        "RLE counts are None, expected ASCII text or a list of integers",
    ),
    "half": (DOT | {"counts": "\ud800"}, r"RLE counts are '\ud800', expected ASCII text or a list"),
    "nested": (
        DOT | {"counts": [5, [1], 14]},
        "RLE counts are [5, [1], 14], expected ASCII text or",
    ),
    "parts": (
        DOT | {"counts": [5, 1.5, 13.5]},
        "RLE counts are [5, 1.5, 13.5], expected ASCII text or",
    ),
    "digits": (
        DOT | {"counts": ["5", 15]},
        "RLE counts are ['5', 15], expected ASCII text or a list",
    ),
    "flat": (SQUARE, "polygon part 0 is 1, expected a flat list of numbers"),
    "pairs": ([[[1, 1], [2, 2], [3, 1]]], "polygon part 0 is [[1, 1], [2, 2], [3, 1]], expected"),
    "words": ([SQUARE, ["1"] * 6], "polygon part 1 is ['1', '1', '1', '1', '1', '1'], expected"),
    "truth": ([[True] * 6], "polygon part 0 is [True, True, True, True, True, True], expected"),
    "odd": ([[1.0] * 7], "polygon part 0 has 7 coordinates, expected x, y pairs"),
    "line": ([SQUARE, [1.0] * 4], "polygon part 1 has 2 points, expected at least 3"),
    "void": ([[]], "polygon part 0 has 0 points, expected at least 3"),
    "nan": ([[1, 1, 2, math.nan, 3, 1]], "part 0: y of point 1 is nan, expected -4194304 to"),
    "inf": (
        [[1, -math.inf, 2, 2, 3, 1]],
        "part 0: y of point 0 is -inf, expected -4194304 to",
    ),
    "huge": ([[1, 10**400, 2, 2, 3, 1]], "part 0: y of point 0 is inf, expected -4194304 to"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_segmentation_is_refused_with_what_was_found_and_expected(name):
    segmentation, message = BAD[name]
    with pytest.raises(InvalidMaskError, match=f"^{re.escape(message)}"):
        pack([segmentation], SHAPE)


@pytest.mark.parametrize(
    "counts",
    [
        [5, 1, 13],
        [5, 1, 15],
        [5, -1, 16],
        [1 << 70],
        [],
        "5",
        "\x7f",
        compressed(DOT)["counts"][:-1],
    ],
)
def test_runs_that_do_not_fill_the_image_are_refused_without_a_number(counts):
    with pytest.raises(InvalidMaskError) as caught:
        pack([DOT | {"counts": counts}], SHAPE)
    assert not str(caught.value).startswith("mask")


def test_a_segmentation_needs_the_size_of_its_image():
    with pytest.raises(InvalidMaskError, match="the image has no height and width, and the segm"):
        pack([[SQUARE]], (0, 0))


def test_the_size_of_an_rle_is_taken_where_it_is_valid():
    assert size_of(DOT) == SHAPE
    for size in (None, [4], [0, 5], [4, 5.5], [True, 5], [1 << 21, 1], "45"):
        assert size_of({"size": size}) is None
    assert size_of([SQUARE]) is None
