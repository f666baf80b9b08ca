"""What CompactMask does beyond supervision's, and what it refuses."""

import copy
import itertools
import pickle
import sys

import fresh
import numpy as np
import pytest
import reference
import supervision as sv
from hypothesis import given
from strategies import stacks, stacks_and_boxes

from compactmask import CompactMask
from compactmask.errors import CompactMaskError, InvalidMaskError, ShapeMismatchError
from compactmask.packed import LazyPacked

FRAMES = np.array([np.eye(4, 5), np.ones((4, 5))], bool)


@pytest.fixture
def mask():
    return CompactMask.from_dense(FRAMES)


@pytest.fixture
def lazy(mask):
    """Give a lazy set and the list that notes each time its bytes are fetched."""
    packed, fetched = mask._packed, []

    def fetch():
        fetched.append(1)
        return packed

    columns = packed.image_shape, packed.offsets, packed.crop_shapes, packed.area
    return CompactMask._wrap(LazyPacked(*columns, fetch)), fetched


# ------------------------------------------------------------- making one


@given(stacks())
def test_without_boxes_from_dense_and_from_coco_rle_lose_no_pixel(frames):
    shape = frames.shape[1:]
    ours = CompactMask.from_dense(frames, image_shape=shape)
    assert np.array_equal(ours.to_dense(), frames)
    assert np.hstack((ours.offsets, ours._crop_shapes)).tolist() == [
        list(reference.tight_box(frame)) for frame in frames
    ]
    again = CompactMask.from_coco_rle(ours.to_coco_rle(), image_shape=shape)
    assert again._packed == ours._packed


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int8, np.int64, np.float32, np.complex64])
def test_frames_may_be_of_any_kind_of_number(kind):
    assert CompactMask.from_dense(FRAMES.astype(kind)) == FRAMES


def test_frames_may_be_lists_views_and_read_only():
    assert CompactMask.from_dense(FRAMES.tolist()) == FRAMES
    assert CompactMask.from_dense(FRAMES[::-1, ::-1, ::-1]) == FRAMES[::-1, ::-1, ::-1]
    assert CompactMask.from_dense(np.broadcast_to(FRAMES[:1], (3, 4, 5))) == FRAMES[[0, 0, 0]]
    assert CompactMask.from_dense(np.broadcast_to(True, (1, 6, 7))).area.tolist() == [42]
    wide = np.zeros((2, 4, 10), bool)
    wide[:, :, ::2] = FRAMES
    assert CompactMask.from_dense(wide[:, :, ::2]) == FRAMES


@pytest.mark.parametrize("shape", [(4, 5), [4, 5], np.array([4, 5])])
def test_an_empty_set_knows_its_image(shape):
    for ours in (
        CompactMask.empty(shape),
        CompactMask.from_dense(np.zeros((0, 4, 5)), image_shape=shape),
        CompactMask.from_dense([], image_shape=shape),
        CompactMask.from_coco_rle([], image_shape=shape),
        CompactMask([], np.empty((0, 2)), np.empty((0, 2)), shape),
    ):
        assert ours.shape == (0, 4, 5)
        assert ours.to_dense().shape == (0, 4, 5)
        assert ours.to_coco_rle() == ours.crops() == list(ours) == []
        assert (ours.area.dtype, ours.bbox_xyxy.shape) == (np.dtype(np.int64), (0, 4))
        assert len(CompactMask.merge([ours, ours])) == len(ours[:]) == len(ours.resize((9, 9))) == 0


def test_a_set_from_supervision_shares_what_is_packed_already(mask):
    assert CompactMask.from_supervision(mask)._packed is mask._packed
    assert mask.resize((4, 5))._packed is mask._packed


# ------------------------------------------------------------- taking it apart


@given(stacks_and_boxes(max_side=30))
def test_to_dense_fills_a_buffer_that_held_something_else(case):
    ours = CompactMask.from_dense(*case, image_shape=case[0].shape[1:])
    for kind in (bool, np.uint8):
        out = np.ones(ours.shape, kind)
        assert ours.to_dense(out=out) is out
        assert np.array_equal(out, ours.to_dense())


def test_to_coco_rle_gives_plain_python_values(mask):
    (rle, _) = mask.to_coco_rle()
    assert rle == {"size": [4, 5], "counts": reference.coco_string(reference.counts_of(FRAMES[0]))}
    (rle, _) = mask.to_coco_rle(compressed=False)
    assert rle == {"size": [4, 5], "counts": reference.counts_of(FRAMES[0])}
    assert {type(count) for count in rle["counts"]} == {int}


@pytest.mark.parametrize("chosen", [[1, 0, 1], [-1], [], [True, False], slice(None, None, -1)])
def test_crops_takes_what_brackets_take(mask, chosen):
    expected = [mask[chosen].crop(i).tolist() for i in range(len(mask[chosen]))]
    assert [crop.tolist() for crop in mask.crops(chosen)] == expected


# ------------------------------------------------------------- copies, pickles, bytes


@given(stacks_and_boxes(max_side=30))
def test_copies_and_pickles_are_equal_and_of_the_same_class(case):
    ours = CompactMask.from_dense(*case, image_shape=case[0].shape[1:])
    for again in (
        copy.copy(ours),
        copy.deepcopy(ours),
        *(pickle.loads(pickle.dumps(ours, protocol)) for protocol in range(2, 6)),
    ):
        assert type(again) is CompactMask
        assert again._packed == ours._packed


class Named(CompactMask):
    def __init__(self, *args):
        super().__init__(*args)
        self.names = ["a"]


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_attributes_of_a_subclass_go_with_copies_and_pickles(again):
    mask = Named([[0, 4]], [[2, 2]], [[0, 0]], (2, 2))
    found = again(mask)
    assert type(found) is Named
    assert found.names == ["a"]
    assert (found.names is mask.names) == (again is copy.copy)
    assert found == mask


def test_nbytes_are_those_of_the_object_and_its_block_only(mask):
    assert mask.nbytes == sys.getsizeof(mask) + sys.getsizeof(mask._packed)
    assert not hasattr(mask, "__dict__")
    many = mask[[0] * 5000]
    per_mask = (many.nbytes - mask.nbytes) / 4998
    assert per_mask == pytest.approx(24 + int(mask._packed.indptr[1]), abs=0.1)


def test_a_slice_does_not_keep_the_whole_set_alive(mask):
    many = mask[[0] * 5000]
    assert many[:1].nbytes < 300


def test_repr_tells_how_many_how_large_and_how_many_bytes(mask):
    assert repr(mask) == f"CompactMask(2 masks of 4x5, {mask.nbytes} bytes)"


def test_a_set_cannot_be_a_key(mask):
    with pytest.raises(TypeError, match="unhashable type: 'CompactMask'"):
        hash(mask)


def test_a_set_is_not_equal_to_something_else(mask):
    assert mask != "mask"
    assert mask != mask[:1]
    assert mask != mask.with_offset(0, 0, (5, 5))


# ------------------------------------------------------------- lazy sets


def test_columns_of_a_lazy_set_fetch_nothing(lazy):
    mask, fetched = lazy
    assert (len(mask), mask.shape, mask.image_shape) == (2, (2, 4, 5), (4, 5))
    assert mask.area.tolist() == [4, 20]
    assert mask.bbox_xyxy.tolist() == [[0, 0, 3, 3], [0, 0, 4, 3]]
    assert mask.offsets.tolist() == [[0, 0], [0, 0]]
    assert int(mask.sum()) == 24
    assert mask.sum(axis=(1, 2)).tolist() == [4, 20]
    assert mask.nbytes > 0
    assert "2 masks of 4x5" in repr(mask)
    copy.copy(mask)
    assert fetched == []


def test_a_lazy_set_fetches_its_bytes_once(lazy):
    mask, fetched = lazy
    assert mask.crop(0).tolist() == FRAMES[0, :, :4].tolist()
    assert np.array_equal(mask.to_dense(), FRAMES)
    assert len(mask[:1]) == 1
    assert fetched == [1]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda mask: pickle.loads(pickle.dumps(mask))])
def test_deep_copies_and_pickles_of_a_lazy_set_hold_its_bytes(lazy, again):
    mask, fetched = lazy
    copied = again(mask)
    assert fetched == [1]
    assert np.array_equal(copied.to_dense(), FRAMES)
    assert fetched == [1]


# ------------------------------------------------------------- large images


@pytest.mark.parametrize("side", [30_000, 1 << 20])
def test_small_crops_in_the_largest_images_work_by_every_method(side):
    eye = reference.counts_of(np.eye(3, dtype=bool))
    corner = side - 3
    ours = CompactMask([eye, eye], [[3, 3]] * 2, [[0, 0], [corner, corner]], (side, side))
    assert ours.area.tolist() == [3, 3]
    assert ours.crop(1).tolist() == np.eye(3).tolist()
    strings = ours.to_coco_rle()
    again = CompactMask.from_coco_rle(strings)
    assert again == ours
    assert again.bbox_xyxy.tolist()[1] == [corner, corner, side - 1, side - 1]
    boxed = CompactMask.from_coco_rle(strings, ours.bbox_xyxy)
    assert boxed._packed == ours._packed
    moved = ours.with_offset(-corner, -corner, (side, side))
    assert moved.bbox_xyxy.tolist() == [[0, 0, 0, 0], [0, 0, 2, 2]]
    assert moved[1:] == ours[:1]
    assert ours.resize((side, side // 2)).area.tolist()[0] == 2
    assert ours.sum(axis=1).shape == (2, side)
    assert ours.sum(axis=2)[1, -4:].tolist() == [0, 1, 1, 1]
    assert ours.repack() == ours
    assert ours.nbytes < 300


def test_small_crops_in_the_largest_images_take_little_memory():
    set_up = """
from compactmask import CompactMask

side = 1 << 20
"""
    work = """
offsets = [[i * 20_000, side - 3] for i in range(50)]
ours = CompactMask([[0, 9]] * 50, [[3, 3]] * 50, offsets, (side, side))
assert CompactMask.from_coco_rle(ours.to_coco_rle(), ours.bbox_xyxy) == ours
assert CompactMask.from_coco_rle(ours.to_coco_rle()) == ours
ours.resize((side // 3, side // 2)).repack().with_offset(-70_000, -5, (side, side))
"""
    assert fresh.peak_growth(set_up, work) < 64 << 20


@pytest.mark.parametrize(
    "make",
    [
        lambda: CompactMask.from_coco_rle([{"size": [100_000, 100_000], "counts": [0, 10**10]}]),
        lambda: CompactMask([[0, 10**10]], [[100_000, 100_000]], [[0, 0]], (100_000, 100_000)),
        lambda: CompactMask.from_dense(np.ones((1, 1, 1))).resize((100_000, 100_000)),
    ],
    ids=["from_coco_rle", "constructor", "resize"],
)
def test_crops_of_more_pixels_than_a_mask_can_have_are_refused(make):
    with pytest.raises(
        InvalidMaskError,
        match=r"^mask 0: its crop has 10000000000 pixels, expected at most 4294967295",
    ):
        make()


def test_offsets_beyond_any_image_move_every_mask_out(mask):
    for dx, dy in ((10**30, 0), (0, -(10**30))):
        moved = mask.with_offset(dx, dy, (1 << 20, 1 << 20))
        assert moved.area.tolist() == [0, 0]


# ------------------------------------------------------------- what is refused

EYE = reference.counts_of(np.eye(3, dtype=bool))

REFUSED = [
    (
        lambda: CompactMask.from_dense(FRAMES[0]),
        ShapeMismatchError,
        r"masks have shape \(4, 5\), expected \(n, H, W\)",
    ),
    (
        lambda: CompactMask.from_dense([]),
        ShapeMismatchError,
        r"masks have shape \(0,\), expected \(n, H, W\)",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES, image_shape=(5, 4)),
        ShapeMismatchError,
        r"masks have shape \(2, 4, 5\), expected \(n, 5, 4\)",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES.astype(str)),
        InvalidMaskError,
        r"masks have dtype <U5, expected bool or numbers",
    ),
    (
        lambda: CompactMask.from_dense(np.zeros((1, 0, 5))),
        InvalidMaskError,
        r"image_shape \(0, 5\): sides of 1 to 1048576 expected",
    ),
    (
        lambda: CompactMask.from_dense(np.broadcast_to(False, (1, 1, 2**20 + 1))),
        InvalidMaskError,
        r"image_shape \(1, 1048577\): sides of 1 to 1048576 expected",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES, np.zeros((3, 4))),
        ShapeMismatchError,
        r"xyxy has shape \(3, 4\), expected \(2, 4\)",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES, np.full((2, 4), "a")),
        InvalidMaskError,
        r"xyxy has dtype <U1, expected numbers",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES, [[0, 0, 1, 1], [0, 0, 1, np.nan]]),
        InvalidMaskError,
        r"box 1: y2 is nan, expected a finite number",
    ),
    (
        lambda: CompactMask.from_coco_rle({"size": [4, 5], "counts": [20]}),
        InvalidMaskError,
        r"rles is dict, expected a sequence of COCO RLEs",
    ),
    (
        lambda: CompactMask.from_coco_rle(7),
        InvalidMaskError,
        r"rles is int, expected a sequence of COCO RLEs",
    ),
    (
        lambda: CompactMask.from_coco_rle([]),
        ShapeMismatchError,
        r"no RLE and no image_shape: give image_shape=\(H, W\)",
    ),
    (
        lambda: CompactMask.from_coco_rle(
            [{"size": [4, 5], "counts": [20]}, {"size": [5, 4], "counts": [20]}]
        ),
        ShapeMismatchError,
        r"mask 1: size \(5, 4\) found, image_shape \(4, 5\) expected",
    ),
    (
        lambda: CompactMask.from_coco_rle([{"size": "big", "counts": [20]}]),
        InvalidMaskError,
        r"mask 0: size 'big' found, \[H, W\] expected",
    ),
    (
        lambda: CompactMask.from_coco_rle([{"size": [4, 2**21], "counts": [20]}]),
        InvalidMaskError,
        r"mask 0: size \[4, 2097152\] found, \[H, W\] expected",
    ),
    (lambda: CompactMask.empty(5), InvalidMaskError, r"image_shape 5: \(H, W\) expected"),
    (
        lambda: CompactMask.empty((1, 2, 3)),
        InvalidMaskError,
        r"image_shape \(1, 2, 3\): \(H, W\) expected",
    ),
    (
        lambda: CompactMask.empty((None, 2)),
        InvalidMaskError,
        r"image_shape \(None, 2\): \(H, W\) expected",
    ),
    (
        lambda: CompactMask([EYE], [[3, 3]], [[0, 0], [1, 1]], (9, 9)),
        ShapeMismatchError,
        r"offsets has shape \(2, 2\) and dtype int64, expected \(1, 2\) integers",
    ),
    (
        lambda: CompactMask([EYE], [[3.0, 3.0]], [[0, 0]], (9, 9)),
        ShapeMismatchError,
        r"crop_shapes has shape \(1, 2\) and dtype float64, expected \(1, 2\) integers",
    ),
    (
        lambda: CompactMask([EYE], [[3, 3]], [[2**40, 0]], (9, 9)),
        InvalidMaskError,
        r"offsets has values that are no 32-bit integers",
    ),
    (
        lambda: CompactMask([EYE], [[3, 3]], [[7, 0]], (9, 9)),
        InvalidMaskError,
        r"mask 0: crop \(3, 3\) at x=7, y=0 is not inside the image \(9, 9\)",
    ),
    (
        lambda: CompactMask([EYE, EYE], [[3, 3], [0, 3]], [[0, 0], [0, 0]], (9, 9)),
        InvalidMaskError,
        r"mask 1: crop \(0, 3\) at x=0, y=0 is not inside the image \(9, 9\)",
    ),
    (
        lambda: CompactMask([EYE], [[3, 3]], [[0, -1]], (9, 9)),
        InvalidMaskError,
        r"mask 0: crop \(3, 3\) at x=0, y=-1 is not inside the image \(9, 9\)",
    ),
    (
        lambda: CompactMask([EYE[:-1]], [[3, 3]], [[0, 0]], (9, 9)),
        InvalidMaskError,
        r"mask 0: runs cover \d pixels, crop \(3, 3\) has 9",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES).to_dense(out=[[0]]),
        TypeError,
        r"out is list, expected an array of bool",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES).to_dense(out=np.zeros((2, 4, 5))),
        TypeError,
        r"out is float64, expected an array of bool",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES).to_dense(out=np.zeros((2, 5, 4), bool)),
        ShapeMismatchError,
        r"out has shape \(2, 5, 4\), C-contiguous; expected \(2, 4, 5\), C-contiguous, writeable",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES).to_dense(
            out=np.zeros((2, 5, 4), bool).swapaxes(1, 2)
        ),
        ShapeMismatchError,
        r"out has shape \(2, 4, 5\), strides \(20, 1, 4\); expected \(2, 4, 5\), C-contiguous",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES)[[0.5]],
        IndexError,
        r"masks are selected by ints or bools, not by float64",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES)[["a"]],
        IndexError,
        r"masks are selected by ints or bools, not by <U1",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES)[[[0, 1]]],
        TypeError,
        r"masks are selected by an int, a slice, or one dimension of ints or bools, not 2 ",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES).crops([0, 5]),
        IndexError,
        r"index 5 is out of range for 2 masks",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES).crop(-3),
        IndexError,
        r"index -3 is out of range for 2 masks",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES).sum(axis=(0, 0)),
        ValueError,
        r"axis \(0, 0\) names an axis twice",
    ),
    (
        lambda: CompactMask.from_dense(FRAMES).sum(axis=-4),
        ValueError,
        r"axis -4 is out of range for \(n, H, W\)",
    ),
]


@pytest.mark.parametrize(("make", "kind", "message"), REFUSED)
def test_what_is_refused_is_said_with_where_what_and_what_was_expected(make, kind, message):
    with pytest.raises(kind, match=message) as caught:
        make()
    assert isinstance(caught.value, CompactMaskError) == issubclass(kind, CompactMaskError)


def test_a_read_only_buffer_is_refused(mask):
    out = np.zeros(mask.shape, bool)
    out.flags.writeable = False
    with pytest.raises(ShapeMismatchError, match="C-contiguous, read-only; expected"):
        mask.to_dense(out=out)


def test_the_class_is_supervisions():
    assert issubclass(CompactMask, sv.CompactMask)
    own = {name for name in vars(sv.CompactMask) if not name.startswith("__")}
    mro = CompactMask.__mro__
    ours = {name for cls in mro[: mro.index(sv.CompactMask)] for name in vars(cls)}
    assert own - ours == set()


def test_an_index_beyond_64_bits_with_sign_is_out_of_range():
    mask = CompactMask.from_dense(np.ones((2, 2, 2), bool))
    with pytest.raises(IndexError, match=f"index {2**64 - 1} is out of range for 2 masks"):
        mask[np.array([2**64 - 1], np.uint64)]


@pytest.mark.parametrize("shape", ["45", (4.7, 3), (float("inf"), 3), (1, 2, 3)])
def test_an_image_shape_that_is_not_two_whole_numbers_is_refused(shape):
    with pytest.raises(InvalidMaskError, match=r"image_shape .*: \(H, W\) expected"):
        CompactMask.empty(shape)


def test_strings_of_numpy_and_any_iterable_of_rles_are_read():
    rle = {"size": [2, 2], "counts": np.str_("04")}
    raw = {"size": [2, 2], "counts": np.bytes_(b"04")}
    for rles in (iter([rle, raw]), np.array([rle, raw], object), (rle, raw)):
        assert CompactMask.from_coco_rle(rles).area.tolist() == [4, 4]


@pytest.mark.parametrize("rles", ["04", b"04", {"size": [2, 2], "counts": "04"}, 3])
def test_one_rle_or_a_string_is_no_sequence_of_rles(rles):
    with pytest.raises(InvalidMaskError, match="expected a sequence of COCO RLEs"):
        CompactMask.from_coco_rle(rles)


@pytest.mark.parametrize(
    ("value", "found"), [(np.ones((1, 2, 2), bool), "an ndarray"), (None, "a NoneType")]
)
def test_what_is_no_set_of_masks_is_not_taken_for_supervisions(value, found):
    with pytest.raises(TypeError, match=f"mask is {found}, expected a supervision.CompactMask"):
        CompactMask.from_supervision(value)


@pytest.mark.parametrize("dtype", [bool, np.uint8, ">f8", "<f4", ">i2"])
@pytest.mark.parametrize("shape", [(3, 8, 1), (3, 1, 8), (3, 1, 1), (1, 8, 1), (3, 8, 2)])
def test_frames_of_one_column_or_row_are_read_in_any_layout(dtype, shape):
    frames = np.random.default_rng(0).random(shape) < 0.4
    for axes in itertools.permutations(range(3)):
        laid = np.ascontiguousarray(frames.transpose(axes).astype(dtype))
        stored = laid.transpose(np.argsort(axes))
        for boxes in (None, [[0, 0, shape[2] - 1, shape[1] - 1]] * shape[0]):
            found = CompactMask.from_dense(stored, boxes)
            assert np.array_equal(found.to_dense(), frames)
            assert found == frames
            assert found != ~frames


def test_numpy_functions_do_as_with_supervisions_class(mask):
    assert np.array_equal(np.moveaxis(mask, 0, -1), np.moveaxis(FRAMES, 0, -1))
    assert np.array_equal(
        np.moveaxis(a=mask, source=[0], destination=[2]), np.moveaxis(FRAMES, 0, 2)
    )
    assert np.array_equal(np.concatenate([mask, FRAMES]), np.concatenate([FRAMES, FRAMES]))
    assert np.array_equal(np.stack([mask, mask], axis=1), np.stack([FRAMES, FRAMES], axis=1))
    assert np.array_equal(np.where(mask, 2, 3), np.where(FRAMES, 2, 3))
    assert np.array_equal(np.any(mask, axis=(1, 2)), FRAMES.any((1, 2)))
    assert np.array_equal(np.transpose(mask), FRAMES.T)
    assert np.array_equal(np.einsum("nhw->n", mask, dtype=int), mask.area)
    for write in (
        lambda one: np.copyto(one, FRAMES),
        lambda one: np.concatenate([FRAMES], out=one),
        lambda one: np.put(one, [0], [1]),
        lambda one: np.sum(one),
    ):
        for one in (mask, mask.to_supervision()):
            with pytest.raises(TypeError):
                write(one)


def test_numpy_asks_a_set_for_its_shape_and_not_for_frames():
    huge = CompactMask.from_dense(np.ones((3, 2, 2), bool)).with_offset(0, 0, (2**20, 2**20))
    assert np.shape(huge) == (3, 2**20, 2**20)


def test_sizes_of_rles_may_be_arrays():
    rle = {"size": np.array([2, 2]), "counts": [0, 4]}
    assert CompactMask.from_coco_rle([rle, rle]).area.tolist() == [4, 4]
