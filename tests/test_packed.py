"""Blocks of packed masks: columns that fit together, and tampered ones refused."""

import copy
import pickle

import numpy as np
import pytest
from blocks import encode, frames_of, pack
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import stacks

from compactmask._kernels import block, coco_string, dense, geometry, measure, runs
from compactmask.errors import InvalidMaskError
from compactmask.packed import LazyPacked, Packed


def columns(**changes):
    """Give the arguments of a valid block of two masks, some of them changed."""
    one = encode(np.eye(3, dtype=bool))
    other = encode(np.ones((2, 4), bool))
    result = {
        "image_shape": (10, 20),
        "offsets": [[1, 2], [16, 8]],
        "crop_shapes": [[3, 3], [2, 4]],
        "area": [3, 8],
        "indptr": [0, len(one), len(one) + len(other)],
        "data": one + other,
    }
    return {**result, **changes}


def test_a_block_built_from_columns_gives_them_back():
    wanted = columns()
    packed = Packed.from_columns(**wanted)
    assert (packed.n, packed.image_shape) == (2, (10, 20))
    for name in ("offsets", "crop_shapes", "area", "indptr"):
        assert getattr(packed, name).tolist() == wanted[name]
    assert bytes(packed.data) == wanted["data"]
    assert np.array_equal(dense.crop(packed, 0), np.eye(3, dtype=bool))
    assert np.array_equal(dense.crop(packed, 1), np.ones((2, 4), bool))
    assert packed.load() is packed


@given(stacks())
def test_the_columns_of_any_block_build_it_again(frames):
    packed = pack(frames)
    again = Packed.from_columns(
        packed.image_shape,
        packed.offsets.astype(np.int64),
        packed.crop_shapes,
        packed.area.tolist(),
        packed.indptr.astype(np.uint64),
        packed.data,
    )
    assert again == packed


def test_columns_are_read_only_views():
    packed = Packed.from_columns(**columns())
    for column, kind in (
        (packed.offsets, np.int32),
        (packed.crop_shapes, np.int32),
        (packed.area, np.uint32),
        (packed.indptr, np.uint32),
    ):
        assert column.dtype == kind
        assert not column.flags.writeable
        assert not column.flags.owndata
    assert packed.data.readonly
    assert len(packed) == 20 + 24 * 2 + len(packed.data)


BAD_COLUMNS = [
    ({"image_shape": (0, 20)}, r"image_shape \(0, 20\): sides of 1 to 1048576 expected"),
    ({"image_shape": (10, 2**20 + 1)}, r"image_shape \(10, 1048577\): sides of 1 to 1048576"),
    (
        {"image_shape": (9, 20)},
        r"mask 1: crop \(2, 4\) at x=16, y=8 is not inside the image \(9, 2",
    ),
    ({"offsets": [[1, 2], [17, 8]]}, r"mask 1: crop \(2, 4\) at x=17, y=8 is not inside the image"),
    ({"offsets": [[-1, 2], [16, 8]]}, r"mask 0: crop \(3, 3\) at x=-1, y=2 is not inside"),
    ({"offsets": [[1, -2], [16, 8]]}, r"mask 0: crop \(3, 3\) at x=1, y=-2 is not inside"),
    ({"offsets": [[2**31 - 1, 2], [16, 8]]}, r"mask 0: crop \(3, 3\) at x=2147483647, y=2 is not"),
    ({"offsets": [[1, 2]]}, r"offsets has shape \(1, 2\), expected \(2, 2\)"),
    ({"offsets": [[1, 2], [2**31, 8]]}, "offsets of dtype int64 has values outside int32"),
    ({"offsets": [[1.5, 2], [16, 8]]}, "offsets of dtype float64 has values outside int32"),
    ({"crop_shapes": [[0, 3], [2, 4]]}, r"mask 0: crop \(0, 3\) at x=1, y=2 is not inside"),
    ({"crop_shapes": [[3, -3], [2, 4]]}, r"mask 0: crop \(3, -3\) at x=1, y=2 is not inside"),
    ({"crop_shapes": [3, 3]}, r"crop_shapes has shape \(2,\), expected \(2, 2\)"),
    ({"area": [10, 8]}, r"mask 0: area 10 is more than crop \(3, 3\) has pixels"),
    ({"area": [3, -1]}, "area of dtype int64 has values outside uint32"),
    ({"area": [3]}, r"offsets has shape \(2, 2\), expected \(1, 2\)"),
    ({"indptr": [0, 5]}, r"indptr has shape \(2,\), expected \(3,\)"),
    ({"indptr": [1, 2, 9]}, r"packed masks run from byte 1 to 9, expected 0 to "),
    ({"indptr": [0, 2, 99]}, r"packed masks run from byte 0 to 99, expected 0 to "),
    (
        {"indptr": [0, 99, 9], "data": bytes(9)},
        "mask 1: packed bytes end at 9 before they start at 99",
    ),
    ({"data": b""}, r"packed masks run from byte 0 to \d+, expected 0 to 0"),
    (
        {
            "image_shape": (2**16, 2**16),
            "offsets": [[0, 0]],
            "crop_shapes": [[2**16, 2**16]],
            "area": [5],
            "indptr": [0, 9],
            "data": bytes(9),
        },
        r"crop \(65536, 65536\): sides of 1 to 1048576 and at most 4294967295 pixels expected",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD_COLUMNS)
def test_columns_that_do_not_fit_together_are_refused(changes, message):
    with pytest.raises(InvalidMaskError, match=message):
        Packed.from_columns(**columns(**changes))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_gives_an_equal_block(protocol):
    packed = Packed.from_columns(**columns())
    again = pickle.loads(pickle.dumps(packed, protocol))
    assert type(again) is Packed
    assert again == packed


def test_copies_are_the_block_itself():
    packed = Packed.from_columns(**columns())
    assert copy.copy(packed) is packed
    assert copy.deepcopy(packed) is packed


def tampered(packed, at, value):
    """Pickle a block, change it inside the pickle, and load it again."""
    changed = packed[:at] + value + packed[at + len(value) :]
    return pickle.loads(pickle.dumps(packed).replace(bytes(packed), changed))


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, b"X", "these bytes are not a block of packed masks of this byte order"),
        (4, np.int32(-1).tobytes(), "these bytes are not a block of packed masks"),
        (
            4,
            np.int32(3).tobytes(),
            r"a block of 3 packed masks ends at byte \d+, its columns at 92",
        ),
        (4, np.int32(1).tobytes(), r"packed masks run from byte \d+ to \d+, expected 0 to "),
        (8, np.int32(0).tobytes(), r"image_shape \(0, 20\): sides of 1 to 1048576 expected"),
        (16, np.int32(20).tobytes(), r"mask 0: crop \(3, 3\) at x=20, y=2 is not inside the image"),
        (32, np.int32(-5).tobytes(), r"mask 0: crop \(-5, 3\) at x=1, y=2 is not inside the image"),
        (48, np.uint32(2**32 - 1).tobytes(), r"mask 0: area 4294967295 is more than crop \(3, 3\)"),
        (60, np.uint32(2**31).tobytes(), r"mask 1: packed bytes end at \d+ before they start at 2"),
    ],
)
def test_a_block_tampered_with_in_its_pickle_is_refused(at, value, message):
    with pytest.raises(InvalidMaskError, match=message):
        tampered(Packed.from_columns(**columns()), at, value)


@pytest.mark.parametrize("size", [0, 1, 19])
def test_a_pickle_of_fewer_bytes_than_a_header_is_refused(size):
    packed = Packed.from_columns(**columns())
    changed = pickle.dumps(bytes(packed)[:size])
    with pytest.raises(
        InvalidMaskError, match=f"a block of packed masks has {size} bytes, expected 20 at least"
    ):
        block.check(pickle.loads(changed))


def read_all(packed):
    """Unpack every mask in every way there is; count how many refused, of how many."""
    n, (height, width) = packed.n, packed.image_shape
    every = np.arange(n)
    steps = [np.arange(side + 1, dtype=np.int32) for side in (height, width)]
    frames = np.zeros((n, height, width), np.uint8)
    calls = (
        lambda: dense.crops(packed, every),
        lambda: [dense.crop(packed, i) for i in range(n)],
        lambda: dense.decode(packed, every, frames),
        lambda: geometry.tighten(packed),
        lambda: geometry.move(packed, -1, -1, height, width),
        lambda: geometry.resample(packed, *steps, np.arange(width, dtype=np.int32)),
        lambda: geometry.equal(packed, Packed(block.gather(packed, every[::-1].copy()))),
        lambda: coco_string.counts(packed),
        lambda: coco_string.strings(packed),
        lambda: runs.unpack_crops(packed),
        lambda: measure.depth(packed),
        lambda: measure.in_rows(packed),
        lambda: measure.in_columns(packed),
    )
    messages = []
    for call in calls:
        try:
            call()
        except InvalidMaskError as error:
            messages.append(str(error))
    assert all(message.startswith("mask ") for message in messages)
    return len(messages), len(calls)


@settings(max_examples=150)
@given(stacks(min_n=1, max_side=30), st.data())
def test_a_damaged_block_is_refused_or_every_kernel_refuses_or_reads_it(frames, data):
    changed = bytearray(pack(frames))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    try:
        packed = Packed(changed)
    except InvalidMaskError:
        return
    if packed.image_shape == frames.shape[1:]:
        read_all(packed)


@settings(max_examples=150)
@given(st.binary(max_size=40), st.integers(1, 20), st.integers(1, 20), st.integers(0, 400))
def test_random_packed_bytes_are_refused_by_every_kernel_that_unpacks_them(data, h, w, area):
    packed = Packed.from_columns(
        (30, 30), [[5, 6]], [[h, w]], [min(area, h * w)], [0, len(data)], data
    )
    refused, calls = read_all(packed)
    try:
        crop = dense.decode_crop(data, h, w)
    except InvalidMaskError:
        crop = None
    if crop is None or crop.sum() != packed.area[0]:
        assert refused == calls - 2  # equal() and move() take bytes as they are here
    else:
        assert refused == 0


def test_a_mask_that_is_not_as_large_as_its_area_says_is_refused_when_it_is_used():
    packed = Packed.from_columns(**columns(area=[3, 7]))
    assert dense.crop(packed, 0).sum() == 3
    with pytest.raises(InvalidMaskError, match=r"^mask 1: 8 pixels are True, but its area says 7$"):
        dense.crop(packed, 1)


@given(stacks(min_n=1), st.data())
def test_gather_copies_the_chosen_masks_in_order(frames, data):
    packed = pack(frames)
    chosen = data.draw(st.lists(st.integers(0, len(frames) - 1), max_size=9))
    found = Packed(block.gather(packed, np.array(chosen, np.int64)))
    block.check(found)
    assert found == pack(frames[chosen])
    assert np.array_equal(frames_of(found), frames[chosen])


@given(stacks(max_n=6), st.data())
def test_concat_joins_what_a_block_was_cut_into(frames, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(frames)), max_size=3)))
    parts = [frames[i:j] for i, j in zip([0, *cuts], [*cuts, len(frames)], strict=True)]
    joined = block.concat([pack(part) for part in parts])
    block.check(joined)
    assert joined == bytes(pack(frames))


def test_sets_of_more_than_four_gigabytes_are_refused_before_they_are_made():
    packed = pack(np.random.default_rng(0).random((1, 900, 900)) < 0.5)
    times = 2**32 // len(packed.data) + 1
    message = (
        rf"^{times * len(packed.data)} bytes of packed masks, one set holds at most 4294967295$"
    )
    with pytest.raises(InvalidMaskError, match=message):
        block.gather(packed, np.zeros(times, np.int64))
    with pytest.raises(InvalidMaskError, match=message):
        block.concat([packed] * times)


def test_a_lazy_set_tells_its_columns_and_fetches_its_bytes():
    packed = Packed.from_columns(**columns())
    fetched = []

    def fetch():
        fetched.append(1)
        return packed

    lazy = LazyPacked(packed.image_shape, packed.offsets, packed.crop_shapes, packed.area, fetch)
    assert (lazy.n, lazy.image_shape, fetched) == (2, (10, 20), [])
    assert lazy.load() is packed
    assert fetched == [1]


def test_bytes_that_are_no_block_do_not_become_one():
    header = np.array([0x314B4D43, 100_000_000, 4, 4], np.int32).tobytes()
    for data in (b"", header + b"\0" * 8):
        with pytest.raises(InvalidMaskError, match="block of"):
            Packed(data)
