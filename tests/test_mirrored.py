"""Sets that note that they are mirrored: in everything as if their masks were packed anew."""

import copy
import pickle

import numpy as np
import pytest
import supervision as sv
from blocks import pack
from hypothesis import given
from hypothesis import strategies as st
from large_operations import LOCAL, MATRICES, small_masks
from strategies import stacks_and_boxes
from test_geometry import pack_in

import compactmask as cm
from compactmask import CompactMask
from compactmask._kernels import block, boolean, geometry
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

WAYS = [(True, False), (False, True), (True, True)]


def mirrored(mask, way):
    """Give a mirrored set, and the same masks packed anew."""
    result = CompactMask._wrap(Packed(block.mirror(mask._packed, *way)))
    return result, CompactMask._wrap(result._packed.straight())


@pytest.fixture(params=WAYS, ids=str)
def both(request):
    result, anew = mirrored(small_masks(), request.param)
    assert bytes(result._packed) != bytes(anew._packed)
    assert bytes(anew._packed) == bytes(CompactMask.from_dense(result.to_dense())._packed)
    return result, anew


@pytest.mark.parametrize("name", LOCAL)
def test_an_operation_gives_the_same_as_of_masks_packed_anew(name, both):
    found, expected = map(LOCAL[name], both)
    assert found == expected
    assert np.array_equal(found.bbox_xyxy, expected.bbox_xyxy)


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_is_the_same_as_of_masks_packed_anew(name, both):
    found, anew = both
    expected = MATRICES[name](anew, anew)
    for pair in ((found, found), (found, anew), (anew, found)):
        assert np.array_equal(MATRICES[name](*pair), expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.crops(),
        lambda m: [m.crop(3)],
        lambda m: [m[3]],
        lambda m: [m.to_dense()],
        lambda m: [rle["counts"] for rle in m.to_coco_rle()],
        lambda m: m._rles,
        lambda m: [part for parts in m.to_polygons() for part in parts],
        lambda m: [m.to_label_image(), m.area, m.centroid, m.offsets, m.sum(axis=0)],
        lambda m: [m.sum(axis=1), m.sum(axis=2), m.contains([[150, 150], [149, 120]])],
        lambda m: [m.to_supervision().to_dense()],
        lambda m: [cm.mask_nms(m, np.arange(len(m)), 0.2)],
        lambda m: m.window([100, 90, 180, 160]).crops(),
        lambda m: m.with_offset(3, -4, (310, 320)).crops(),
        lambda m: m.pad(2).crops(),
        lambda m: m.resize((170, 400)).crops(),
        lambda m: m.transpose().crops() + m.rot90().crops() + m.rot90(3).crops(),
        lambda m: m.flip("horizontal").crops() + m.flip("vertical").crops(),
        lambda m: m[::-2].crops() + m[m.area > 300].crops(),
        lambda m: m.union().crops() + m.intersection().crops() + (~m).crops(),
        lambda m: pickle.loads(pickle.dumps(m)).crops() + copy.deepcopy(m).crops(),
        lambda m: m.flip("vertical", num_threads=3).crops(num_threads=2),
    ],
)
def test_what_is_read_is_the_same_as_of_masks_packed_anew(call, both):
    found, expected = map(call, both)
    assert len(found) == len(expected) > 0
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@given(case=stacks_and_boxes(min_n=1), way=st.sampled_from(WAYS))
def test_mirrored_pixels_lie_where_numpy_has_them(case, way):
    masks = pack_in(*case)
    found = CompactMask._wrap(Packed(block.mirror(masks, *way)))
    axes = [axis for axis, is_on in ((2, way[0]), (1, way[1])) if is_on]
    frames = CompactMask._wrap(masks).to_dense()
    assert np.array_equal(found.to_dense(), np.flip(frames, axes))
    assert [list(crop.shape) for crop in found.crops()] == found._crop_shapes.tolist()


def test_sets_mirrored_in_different_ways_are_joined(both):
    found, anew = both
    parts = [found, anew, found.flip("horizontal"), found.flip("vertical")]
    joined = CompactMask.merge(parts)
    assert np.array_equal(joined.to_dense(), np.concatenate([part.to_dense() for part in parts]))
    alike = CompactMask.merge([found, found])
    assert bytes(alike._packed[:4]) == bytes(found._packed[:4])
    assert np.array_equal(alike.to_dense(), np.concatenate([found.to_dense()] * 2))


def test_less_a_mask_that_lies_apart_a_mirrored_one_keeps_its_crop():
    frames = np.zeros((2, 8, 9), bool)
    frames[0, 1:3, 0] = frames[0, 1, 1] = frames[1, 6:, 6:] = True
    masks = pack(frames, [[0, 0, 3, 3], [6, 6, 8, 7]])
    for way in WAYS:
        one, other = (
            Packed(block.mirror(block.gather(masks, np.array([i])), *way)) for i in (0, 1)
        )
        found = Packed(boolean.difference(one, other))
        assert found.crop_shapes.tolist() == [[4, 4]]
        assert found.offsets.tolist() == one.offsets.tolist()
        assert geometry.equal(found, one)


def test_files_hold_masks_packed_as_they_are_seen(both, tmp_path):
    found, anew = both
    for name, mask in (("found", found), ("anew", anew)):
        cm.save(sv.Detections(xyxy=mask.bbox_xyxy, mask=mask), tmp_path / f"{name}.h5")
    again = [cm.load(tmp_path / f"{name}.h5").mask for name in ("found", "anew")]
    assert again[0] == found
    assert bytes(again[0]._packed) == bytes(again[1]._packed) == bytes(anew._packed)


def test_a_set_mirrored_twice_is_the_same_bytes(both):
    found, _ = both
    assert bytes(found.flip("horizontal").flip("horizontal")._packed) == bytes(found._packed)
    assert found.flip("vertical").flip("vertical") == found
    assert found.flip("vertical") != found


def test_no_other_mark_is_taken_for_a_mirrored_set(both):
    data = bytes(both[1]._packed)
    assert data[:4] == b"CMK0"
    with pytest.raises(InvalidMaskError, match="not a block of packed masks"):
        Packed(b"CMK4" + data[4:])


def test_damaged_bytes_of_a_mirrored_set_are_refused(both):
    packed = both[0]._packed
    data = bytearray(packed)
    start = len(data) - len(packed.data)
    data[start : start + int(packed.indptr[1])] = b"\xee" * int(packed.indptr[1])
    damaged = CompactMask._wrap(Packed(bytes(data)))
    for call in (damaged.to_dense, damaged.repack, damaged._packed.straight, damaged.union):
        with pytest.raises(InvalidMaskError, match="mask 0: "):
            call()
