"""Set algebra of masks against NumPy frames and pycocotools, and its laws."""

import contextlib

import cv2
import fresh
import numpy as np
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco
from strategies import RICH, boxes, crowds, masks

from compactmask import CompactMask, occlude
from compactmask.errors import InvalidMaskError, ShapeMismatchError
from compactmask.packed import Packed

OPERATORS = {
    "or": (lambda a, b: a | b, np.logical_or),
    "and": (lambda a, b: a & b, np.logical_and),
    "minus": (lambda a, b: a - b, lambda a, b: a & ~b),
    "xor": (lambda a, b: a ^ b, np.logical_xor),
}
COLUMNS = ("offsets", "crop_shapes", "area", "indptr", "data")
each_operator = pytest.mark.parametrize("operator", OPERATORS)


def in_crops(draw, frames):
    """Give frames and their masks, in tight crops or cut to boxes of any kind."""
    if len(frames) and draw(st.booleans()):
        mask = CompactMask.from_dense(frames, draw(boxes(len(frames), frames.shape[1:])))
        return mask.to_dense(), mask
    return frames, CompactMask.from_dense(frames, image_shape=frames.shape[1:])


@st.composite
def pairs(draw):
    lengths = [(2, 2), (3, 3), (1, 3), (3, 1)] * 5 + [(0, 0), (0, 1), (1, 0)]
    n, m = draw(st.sampled_from(lengths))
    frames = draw(crowds(n + m, 60, n + m))
    return in_crops(draw, frames[:n]), in_crops(draw, frames[n:])


@st.composite
def sets(draw, min_n=0):
    return in_crops(draw, draw(crowds(7, 60, min_n)))


@st.composite
def sets_in_common(draw):
    """Give a set of masks that have pixels in common, mostly."""
    frames = draw(crowds(5, 60, min_n=1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.sampled_from([True] * 9 + [False])):
        frames = frames | draw(masks(frames.shape[1:], kinds=RICH))
    mask = CompactMask.from_dense(frames)
    if draw(st.booleans()):
        inside = mask.bbox_xyxy + rng.integers([-9, -9, -1, -1], [2, 2, 10, 10], (len(mask), 4))
        mask = CompactMask.from_dense(frames, inside)
    return mask.to_dense(), mask


def is_tight(mask):
    return mask == mask.repack() and np.array_equal(mask.bbox_xyxy, mask.repack().bbox_xyxy)


def one_pixel(shape, *places):
    """Put one True pixel at each (x, y)."""
    frames = np.zeros((1, 1, 1), bool)
    frames[:] = True
    dots = [CompactMask.from_dense(frames).with_offset(x, y, shape) for x, y in places]
    return CompactMask.merge(dots)


@each_operator
@given(case=pairs())
def test_operators_are_those_of_frames(operator, case):
    (frames, a), (others, b) = case
    ours, numpys = OPERATORS[operator]
    found, wanted = ours(a, b), numpys(frames, others)
    assert type(found) is CompactMask
    assert found.shape == wanted.shape
    assert np.array_equal(found.to_dense(), wanted)
    if operator != "minus" or is_tight(a):
        assert is_tight(found)
    if len(a) and len(b):
        empty = found.area == 0
        origins = np.broadcast_to(a.offsets, (len(found), 2))
        assert np.array_equal(found.offsets[empty], origins[empty])


@st.composite
def masks_side_by_side(draw):
    """Give frames and masks of an image, with 0 to 3 empty columns between them or overlapping."""
    side = st.one_of(st.integers(1, 9), st.integers(20, 90))
    shape, other = draw(st.tuples(side, side)), draw(st.tuples(side, side))
    gap, down = draw(st.integers(-2, 3)), draw(st.integers(-40, 200))
    h, w = shape[0] + abs(down) + other[0], shape[1] + other[1] + 4
    frames = np.zeros((2, h, w), bool)
    x, y = max(0, shape[1] + gap), max(0, down)
    frames[0, y - min(0, down) :][: shape[0], : shape[1]] = draw(masks(shape))
    frames[1, max(0, -down) :][: other[0], x : x + other[1]] = draw(masks(other))
    return frames, [CompactMask.from_dense(frame[None]) for frame in frames]


@settings(max_examples=150)
@given(masks_side_by_side())
def test_masks_side_by_side_are_packed_as_if_from_pixels(case):
    frames, (a, b) = case
    if frames.any():
        wanted = CompactMask.from_dense(frames.any(axis=0)[None])._packed
        assert (a | b)._packed == (b | a)._packed == wanted
    if (frames[0] != frames[1]).any():
        wanted = CompactMask.from_dense((frames[0] ^ frames[1])[None])._packed
        assert (a ^ b)._packed == wanted


@given(masks_side_by_side(), st.data())
def test_damaged_bytes_are_joined_or_refused_but_never_read_beyond(case, data):
    _, (a, b) = case
    columns = {name: getattr(a._packed, name) for name in COLUMNS}
    columns["data"] = bytearray(a._packed.data)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(columns["data"]) - 1))
        columns["data"][at] = data.draw(st.integers(0, 255))
    damaged = CompactMask._wrap(Packed.from_columns(a.image_shape, **columns))
    for operator, _ in OPERATORS.values():
        for pair in ((damaged, b), (b, damaged)):
            with contextlib.suppress(InvalidMaskError):
                operator(*pair).to_dense()


@given(sets())
def test_the_complement_is_that_of_frames(case):
    frames, a = case
    found = ~a
    assert found.shape == a.shape
    assert np.array_equal(found.to_dense(), ~frames)
    assert is_tight(found)
    assert ~found == a
    assert np.array_equal(found.offsets[found.area == 0], a.offsets[found.area == 0])


@given(pairs())
def test_the_laws_of_sets_hold(case):
    (_, a), (_, b) = case
    assert a | b == b | a
    assert a & b == b & a
    assert a ^ b == b ^ a
    assert ~(a | b) == ~a & ~b
    assert ~(a & b) == ~a | ~b
    assert a - b == a & ~b
    assert a ^ b == (a | b) - (a & b)
    assert np.array_equal(a.area + b.area, (a | b).area + (a & b).area)


@given(sets(min_n=1))
def test_a_mask_with_itself_is_itself_or_nothing(case):
    _, a = case
    assert a | a == a
    assert a & a == a
    assert not (a - a).area.any()
    assert not (a ^ a).area.any()
    assert (a | ~a).area.tolist() == [a.image_shape[0] * a.image_shape[1]] * len(a)


@pytest.mark.parametrize("num_threads", [1, 3])
@given(case=sets())
def test_union_is_that_of_frames_in_a_tight_crop(num_threads, case):
    frames, a = case
    found = a.union(num_threads=num_threads)
    assert type(found) is CompactMask
    assert np.array_equal(found.to_dense(), frames.any(axis=0)[None])
    assert is_tight(found)
    assert np.array_equal(found.bbox_xyxy, a.union().bbox_xyxy)
    if not frames.any():
        origin = a.offsets[0].tolist() if len(a) else [0, 0]
        assert found.bbox_xyxy.tolist() == [origin * 2]


@pytest.mark.parametrize("num_threads", [1, 3])
@given(case=sets_in_common())
def test_intersection_is_that_of_frames_in_a_tight_crop(num_threads, case):
    frames, a = case
    found = a.intersection(num_threads=num_threads)
    assert type(found) is CompactMask
    assert np.array_equal(found.to_dense(), frames.all(axis=0)[None])
    assert is_tight(found)
    assert np.array_equal(found.bbox_xyxy, a.intersection().bbox_xyxy)
    if not frames.all(axis=0).any():
        assert np.array_equal(found.offsets, a.offsets[:1])


def test_an_intersection_of_nothing_lies_at_the_origin_of_the_first_mask_with_threads_too():
    frames = np.zeros((12, 20, 30), bool)
    frames[:6, 8:12, 9:20] = frames[6:, 2:5, 3:7] = True
    mask = CompactMask.from_dense(frames, [[4, 3, 25, 15]] * 6 + [[1, 1, 9, 9]] * 6)
    for part in (mask[:6], mask[6:]):
        assert part.intersection().area[0] > 0
    for num_threads in (1, 2, 3):
        found = mask.intersection(num_threads=num_threads)
        assert found.area.tolist() == [0]
        assert found.bbox_xyxy.tolist() == [[4, 3, 4, 3]]


@given(sets_in_common())
def test_reductions_are_those_of_pycocotools(case):
    frames, mask = case
    rles = coco.encode(np.asfortranarray(frames.transpose(1, 2, 0).astype(np.uint8)))
    for found, intersect in ((mask.union(), False), (mask.intersection(), True)):
        assert (
            found.to_coco_rle()[0]["counts"].encode()
            == (coco.merge(rles, intersect=intersect)["counts"])
        )


@given(sets(), st.randoms())
def test_occluded_masks_are_what_a_painter_leaves_to_see(case, random):
    frames, a = case
    order = list(range(len(a)))
    random.shuffle(order)
    found = occlude(a, order)
    for num_threads in (2, 3):
        assert bytes(occlude(a, order, num_threads=num_threads)._packed) == bytes(found._packed)
    painting = np.full(a.image_shape, -1)
    for i in order:
        painting[frames[i]] = i
    wanted = painting == np.arange(len(a))[:, None, None]
    assert np.array_equal(found.to_dense(), wanted)
    assert is_tight(found)
    assert found.union() == a.union()
    assert found.area.sum() == a.union().area[0]


@given(sets())
def test_without_an_order_later_masks_lie_above(case):
    frames, a = case
    covered = np.zeros_like(frames)
    for i in range(len(a)):
        covered[i] = frames[i + 1 :].any(axis=0)
    found = occlude(a)
    assert np.array_equal(found.to_dense(), frames & ~covered)
    empty = found.area == 0
    assert np.array_equal(found.offsets[empty], a.offsets[empty])


def test_masks_that_meet_again_and_again_gather_in_the_same_columns():
    rng = np.random.default_rng(0)
    frames = np.zeros((300, 200, 40), bool)
    for frame in frames:
        y, x, h, w = rng.integers((0, 0, 1, 1), (190, 35, 11, 6))
        frame[y : y + h, x : x + w] = rng.random((min(h, 200 - y), min(w, 40 - x))) < 0.8
    mask = CompactMask.from_dense(frames)
    assert np.array_equal(mask.union().to_dense()[0], frames.any(axis=0))
    assert np.array_equal(mask.union(num_threads=3).to_dense()[0], frames.any(axis=0))
    rest = np.zeros((200, 40), bool)
    for frame, seen in zip(frames[::-1], occlude(mask).to_dense()[::-1], strict=True):
        assert np.array_equal(seen, frame & ~rest)
        rest |= frame


def test_a_plain_supervision_mask_may_stand_on_either_side():
    frames = np.zeros((2, 5, 7), bool)
    frames[0, 1:4, 1:5] = frames[1, 2:5, 3:] = True
    plain = [sv.CompactMask.from_dense(f[None], np.array([[0, 0, 6, 4]]), (5, 7)) for f in frames]
    ours = [CompactMask.from_supervision(one) for one in plain]
    for operator, numpys in OPERATORS.values():
        wanted = numpys(*frames)
        for found in (operator(ours[0], plain[1]), operator(plain[0], ours[1])):
            assert type(found) is CompactMask
            assert np.array_equal(found.to_dense()[0], wanted)
    assert np.array_equal(
        occlude(sv.CompactMask.merge(plain)).to_dense()[0], frames[0] & ~frames[1]
    )


def test_results_are_of_the_subclass():
    class Mine(CompactMask):
        __slots__ = ()

    mine = Mine.from_dense(np.ones((1, 2, 3), bool))
    plain = CompactMask.from_dense(np.ones((1, 2, 3), bool))
    for found in (mine | plain, mine & plain, mine - plain, mine ^ plain, ~mine):
        assert type(found) is Mine
    assert type(mine.union()) is type(mine.intersection()) is Mine


@each_operator
def test_an_array_on_either_side_is_told_what_to_call(operator):
    call = OPERATORS[operator][0]
    frames = np.ones((2, 4, 4), bool)
    mask = CompactMask.from_dense(frames)
    message = (
        r"operand is an ndarray, expected a CompactMask: call CompactMask.from_dense\(frames\)"
    )
    with pytest.raises(TypeError, match="right " + message):
        call(mask, frames)
    with pytest.raises(TypeError, match="left " + message):
        call(frames, mask)
    with pytest.raises(TypeError, match="right operand is a int, expected a CompactMask"):
        call(mask, 1)


def test_masks_still_become_arrays():
    frames = np.eye(4, dtype=bool)[None]
    mask = CompactMask.from_dense(frames)
    assert np.array_equal(np.asarray(mask), frames)
    assert np.array_equal(np.array(mask, np.uint8), frames)
    assert np.logical_not(np.asarray(mask)).sum() == 12


@each_operator
def test_other_lengths_and_images_are_refused(operator):
    call = OPERATORS[operator][0]
    mask = CompactMask.from_dense(np.ones((3, 4, 5), bool))
    with pytest.raises(ShapeMismatchError, match="3 masks and 2 masks: equally many expected"):
        call(mask, mask[:2])
    with pytest.raises(ShapeMismatchError, match="3 masks and 0 masks: equally many expected"):
        call(mask, mask[:0])
    other = CompactMask.from_dense(np.ones((3, 5, 4), bool))
    with pytest.raises(ShapeMismatchError, match=r"image shapes \(4, 5\) and \(5, 4\): equal"):
        call(mask, other)


def test_the_intersection_of_no_masks_is_refused():
    with pytest.raises(ShapeMismatchError, match="intersection of 0 masks, expected 1 at least"):
        CompactMask.empty((3, 4)).intersection()


@pytest.mark.parametrize("reduction", ["union", "intersection"])
def test_reductions_need_a_thread(reduction):
    mask = CompactMask.from_dense(np.ones((3, 4, 5), bool))
    with pytest.raises(ValueError, match="num_threads is 0, expected 1 at least"):
        getattr(mask, reduction)(num_threads=0)


def test_an_order_has_to_be_a_permutation():
    mask = CompactMask.from_dense(np.ones((3, 4, 5), bool))
    with pytest.raises(ShapeMismatchError, match=r"order has shape \(2,\), expected \(3,\)"):
        occlude(mask, [0, 1])
    with pytest.raises(ShapeMismatchError, match=r"order has shape \(1, 3\), expected \(3,\)"):
        occlude(mask, [[0, 1, 2]])
    with pytest.raises(TypeError, match="order has dtype float64, expected integers"):
        occlude(mask, [0.0, 1.0, 2.0])
    with pytest.raises(TypeError, match="order has dtype bool, expected integers"):
        occlude(mask, [True, True, False])
    for bad in (3, -1):
        with pytest.raises(ValueError, match=rf"order\[1\] is {bad}, expected 0 to 2"):
            occlude(mask, [0, bad, 1])
    with pytest.raises(ValueError, match="order has index 2 2 times, expected each of 3 once"):
        occlude(mask, [2, 0, 2])
    with pytest.raises(TypeError, match="masks is an ndarray, expected a CompactMask"):
        occlude(np.ones((3, 4, 5), bool))
    assert len(occlude(mask[:0], [])) == 0


def test_results_of_2_to_the_32_pixels_are_refused():
    shape = (1 << 16, 1 << 16)
    corners = one_pixel(shape, (0, 0), ((1 << 16) - 1, (1 << 16) - 1))
    message = "mask 0: its crop has 4294967296 pixels, expected at most 4294967295"
    for call in (
        lambda: corners[:1] | corners[1:],
        lambda: corners[:1] ^ corners[1:],
        lambda: ~one_pixel(shape, (5, 5)),
        lambda: corners.union(),
        lambda: corners.union(num_threads=2),
    ):
        with pytest.raises(InvalidMaskError, match=message):
            call()
    assert (corners[:1] - corners[1:]).area.tolist() == [1]
    line = one_pixel((1, 1 << 20), (77, 0))
    assert (~line).area.tolist() == [(1 << 20) - 1]


def test_small_masks_of_a_large_image_need_little_memory():
    set_up = """
import numpy as np
from compactmask import CompactMask, occlude

shape = (30_000, 30_000)
rng = np.random.default_rng(1)
small = CompactMask.from_dense(rng.random((40, 90, 80)) < 0.5)
places = rng.integers(0, 29_900, (40, 2)).tolist()
mask = CompactMask.merge(
    [small[[i]].with_offset(x, y, shape) for i, (x, y) in enumerate(places)]
)
"""
    work = """
union = mask.union()
assert union.area[0] <= mask.area.sum()
assert occlude(mask).area.sum() == union.area[0]
total = mask.area + mask.area[0]
assert ((mask | mask[:1]).area == total - (mask & mask[:1]).area).all()
assert ((~mask).area == 30_000**2 - mask.area).all()
"""
    assert fresh.peak_growth(set_up, work) < 20e6  # a bit for each pixel would be 112e6


def test_a_mask_less_one_apart_keeps_its_crop():
    frames = np.zeros((2, 6, 90), bool)
    frames[0, 2, 3:40] = frames[1, 0, 50:80] = frames[1, 1, 60] = True
    loose = CompactMask.from_dense(frames[:1], [[3, 1, 39, 5]])
    other = CompactMask.from_dense(frames[1:])
    assert (loose | other).bbox_xyxy.tolist() == [[3, 0, 79, 2]]
    assert (loose - other).bbox_xyxy.tolist() == [[3, 1, 39, 5]]
    assert (loose & other).bbox_xyxy.tolist() == [[3, 1, 3, 1]]


def test_ten_thousand_masks_of_a_large_image_join_in_bounded_memory():
    set_up = """
import numpy as np
from compactmask import CompactMask, occlude

rng = np.random.default_rng(2)
y, x = np.mgrid[-50:50, -50:50]
radius = rng.uniform(20, 50, (100, 1, 1)) + 3 * np.sin(np.arctan2(y, x) * 7)
discs = CompactMask.from_dense(np.hypot(x, y) < radius)
places = rng.integers(0, 19_900, (100, 2)).tolist()
mask = CompactMask.merge([discs.with_offset(x, y, (20_000, 20_000)) for x, y in places])
"""
    work = """
union = mask.union()
assert occlude(mask).area.sum() == union.area[0] < mask.area.sum()
"""
    assert fresh.peak_growth(set_up, work) < 20e6  # a bit for each pixel would be 50e6


def test_numpy_refuses_an_array_beside_a_mask_wherever_it_stands():
    mask = CompactMask.from_dense(np.eye(3, dtype=bool)[None])
    array = mask.to_dense()
    message = "operand is an ndarray, expected a CompactMask: call CompactMask.from_dense"
    for ufunc in (np.bitwise_or, np.bitwise_and, np.bitwise_xor, np.subtract):
        with pytest.raises(TypeError, match=f"left {message}"):
            ufunc(array, mask)
        with pytest.raises(TypeError, match=f"right {message}"):
            ufunc(mask, array)


def test_numpy_computes_with_the_frames_of_masks():
    mask = CompactMask.from_dense(np.eye(3, dtype=bool)[None])
    array = mask.to_dense()
    assert np.array_equal(np.logical_or(mask, ~mask), np.ones((1, 3, 3), bool))
    assert np.array_equal(np.add(array, 1, where=mask, out=np.zeros((1, 3, 3), int)), 2 * array)
    with pytest.raises(TypeError, match="out is a CompactMask, expected an array"):
        np.logical_or(mask, mask, out=mask)


OPENCV = {
    "or": cv2.bitwise_or,
    "and": cv2.bitwise_and,
    "minus": cv2.subtract,
    "xor": cv2.bitwise_xor,
}


@each_operator
@given(case=pairs())
def test_operators_are_those_of_opencv(operator, case):
    (frames, a), (others, b) = case
    found = OPERATORS[operator][0](a, b)
    one, other = (
        np.broadcast_to(part, found.shape).astype(np.uint8) * 255 for part in (frames, others)
    )
    for mask, x, y in zip(found, one, other, strict=True):
        assert np.array_equal(mask, OPENCV[operator](x, y) > 0)
    for mask, x in zip(~a, a, strict=True):
        assert np.array_equal(mask, cv2.bitwise_not(x.astype(np.uint8) * 255) > 0)


@pytest.mark.parametrize("operator", ["or", "and"])
@given(case=pairs())
def test_operators_are_those_of_pycocotools(operator, case):
    found = OPERATORS[operator][0](case[0][1], case[1][1]).to_coco_rle()
    frames = np.broadcast_arrays(case[0][0], case[1][0])
    for one, *pair in zip(found, *frames, strict=True):
        rles = [coco.encode(np.asfortranarray(frame, np.uint8)) for frame in pair]
        merged = coco.merge(rles, intersect=operator == "and")
        assert one["counts"].encode() == merged["counts"]
