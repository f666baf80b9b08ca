"""The packed form of one mask: canonical when written, checked when read."""

import numpy as np
import pytest
import reference
from blocks import encode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import KINDS, masks, walks

from compactmask._kernels.dense import decode_crop
from compactmask.errors import InvalidMaskError


def codes(*words):
    """Give the bytes of words."""
    return bytes(reference.CODES[word] for word in words)


# ------------------------------------------------------------- what is written


@settings(max_examples=250)
@given(masks())
def test_the_encoder_writes_the_canonical_bytes_and_they_decode_to_the_mask(mask):
    data = encode(mask)
    assert data == reference.encode(mask)
    assert np.array_equal(decode_crop(data, *mask.shape), mask)
    assert np.array_equal(reference.decode(data, *mask.shape), mask)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(700, 5), (300, 70), (3, 20_000)])
def test_large_masks_of_every_kind_are_canonical_too(kind, shape):
    mask = kind(np.random.default_rng(5), *shape)
    data = encode(mask)
    assert data == reference.encode(mask)
    assert np.array_equal(decode_crop(data, *shape), mask)


@pytest.mark.parametrize("h", [60, 300, 3000])
def test_lines_that_change_in_every_way_have_the_canonical_operations(h):
    rng = np.random.default_rng(h)
    operations = set()
    for _ in range(60):
        mask = walks(rng, h, 80)
        data = encode(mask)
        assert data == reference.encode(mask)
        assert np.array_equal(decode_crop(data, *mask.shape), mask)
        operations |= set(data) if data[0] != 241 else set()
    assert operations >= set(range(242, 256))


@pytest.mark.parametrize(
    ("rows", "data"),
    [
        (["."], b"\xfe\x01"),
        (["....."], b"\xfe\x05"),
        (["#"], b"\xf1\x00\x01"),
        ([".", "#", "#", "."], b"\xf6\x01\x01" + codes((0, 0))),
        (["." * 11, "#" * 11, "." * 11], b"\xf6\x01\x00" + codes((0,) * 8, (0,) * 8, (0,) * 6)),
        (["." * 12, "#" * 12, "." * 12], b"\xf6\x01\x00\xfc\x0c"),
        (["####", "....", "####"], b"\xff\x02\x00\x00\x00\x00" + codes((0,) * 8, (0,) * 8)),
        (["##.##"], b"\xf1\x00\x02\x01\x02"),
        (["......", "...###", "......"], b"\xfe\x03\xf6\x01\x00" + codes((0,) * 6)),
    ],
    ids=["pixel", "row", "one", "segment", "22-zeros", "24-zeros", "reset", "runs", "gap"],
)
def test_small_masks_have_the_bytes_that_follow_from_the_rules(rows, data):
    mask = np.array([[pixel == "#" for pixel in row] for row in rows])
    assert encode(mask) == data
    assert np.array_equal(decode_crop(data, *mask.shape), mask)


def test_the_236_words_are_prefix_closed_and_end_where_the_table_is_full():
    assert len(reference.CODES) == 236
    assert all(word[:-1] in reference.CODES for word in reference.WORDS[24:])
    assert reference.WORDS[24:29] == [(0, 0), (0, 0, 0), (0, 1), (1, 0), (0, 0, 0, 0)]
    assert sum(symbol + 1 for symbol in reference.WORDS[235]) == 8


def test_a_straight_line_costs_one_symbol_once_it_is_known():
    y, x = np.mgrid[:400, :100]
    slanted = (y >= 3 * x + 5) & (y < 3 * x + 60)
    assert len(encode(slanted)) < 10


@pytest.mark.parametrize("shape", [(1 << 20, 1), (1, 1 << 20), (1 << 20, 3), (1 << 16, 16)])
def test_crops_at_the_limit_of_a_side_come_back(shape):
    rng = np.random.default_rng(0)
    mask = np.zeros(shape, bool)
    for start, stop in rng.integers(0, mask.size, (40, 2)):
        mask.reshape(-1)[start:stop] ^= True
    mask[0, 0] = mask[-1, -1] = True
    data = encode(mask)
    assert len(data) < 2_000
    assert np.array_equal(decode_crop(data, *shape), mask)
    if shape[1] < 100:
        assert data == reference.encode(mask)


def test_a_segment_that_jumps_over_the_longest_side_and_back_is_symbols_only():
    tall = np.zeros((1 << 20, 60), bool)
    tall[:1, :20] = tall[-1:, 20:40] = tall[:1, 40:] = True
    data = encode(tall)
    assert (len(data), data.count(253)) == (25, 4)
    assert np.array_equal(decode_crop(data, *tall.shape), tall)


def test_noise_never_takes_more_than_its_run_lengths_as_numbers():
    rng = np.random.default_rng(2)
    for density in np.linspace(0.01, 0.99, 25):
        mask = rng.random((90, 90)) < density
        runs = b"".join(reference.varint(count) for count in reference.counts_of(mask))
        assert len(encode(mask)) <= 1 + len(runs)


# ------------------------------------------------------------- what is refused

ADD = b"\xf6\x00\x00"

REFUSED = [
    # h, w, bytes, message
    (4, 3, b"", "packed bytes end at byte 0 after 0 columns, the crop has 3"),
    (4, 3, b"\xfe\x02", "packed bytes end at byte 2 after 2 columns, the crop has 3"),
    (4, 3, b"\xfe", "packed bytes end inside the operation at byte 0"),
    (4, 3, b"\xfe\x80", "packed bytes end inside the operation at byte 0"),
    (4, 3, b"\xfe\x01\xf6\x00", "packed bytes end inside the operation at byte 2"),
    (4, 3, b"\xfe\x01\xfa", "packed bytes end inside the operation at byte 2"),
    (4, 3, ADD + b"\xfd", "packed bytes end inside the operation at byte 3"),
    (4, 3, b"\xff\x02\x00\x00\x00", "packed bytes end inside the operation at byte 0"),
    (4, 3, b"\xff\x01\x00\x80", "packed bytes end inside the operation at byte 0"),
    (4, 3, b"\xf1\x80", "packed bytes end inside the operation at byte 1"),
    (4, 3, ADD + b"\x00", "packed bytes end at byte 4 inside a column"),
    (4, 3, b"\xec", "packed byte 0 is 236, which no version-1 mask has there"),
    (4, 3, b"\xfe\x01\xf0", "packed byte 2 is 240, which no version-1 mask has there"),
    (4, 3, b"\xfe\x01\xf1", "packed byte 2 is 241, which no version-1 mask has there"),
    (4, 3, ADD + b"\x00\xfe\x01", "packed byte 4 is operation 254 inside a column"),
    (4, 3, ADD + b"\x00\xf2", "packed byte 4 is operation 242 inside a column"),
    (4, 3, b"\x00", "packed byte 0 moves an edge, but the column has none"),
    (4, 3, b"\xfe\x01\xfd\x00", "packed byte 2 moves an edge, but the column has none"),
    (4, 3, b"\xfc\x01", "packed byte 0 moves an edge, but the column has none"),
    (4, 3, ADD + b"\xfe\x01\x18", "packed byte 5 moves an edge, but the column has none"),
    (4, 3, b"\xf2", "packed byte 0 names edge 0, but the column has 0"),
    (4, 3, ADD + b"\xf4", "packed byte 3 names edge 2, but the column has 2"),
    (4, 3, ADD + b"\x19\xf3", "packed byte 4 is operation 243 inside a column"),
    (4, 3, ADD + codes((0, 0)) + b"\xf3", "packed byte 4 names edge 1, but the column has 2"),
    (4, 3, 2 * ADD, "packed byte 3 names edge 0, expected 2 at least after the one before"),
    (4, 3, ADD + b"\xf3", "packed byte 3 names edge 1, expected 2 at least after the one before"),
    (
        4,
        3,
        b"\xff\x02\x00\x00\x00\x00\x1c\xf4\xf3",
        "packed byte 8 names edge 1, expected 2 at least after the one before",
    ),
    (4, 3, ADD + b"\xfa\x00", "packed byte 3 names edge 4, but the column has 2"),
    (4, 3, b"\xf7\x00\x00", "packed byte 0 names edge 1, but the column has 0"),
    (4, 3, ADD + b"\xfb\x05\x00\x00", "packed byte 3 names edge 9, but the column has 2"),
    (
        3,
        3,
        b"\xff\x02\x00\x00\x00\x00\x1c" + ADD + b"\xf8\x00\x00\xfb\x00\x00\x00",
        "packed byte 13 makes 10 edges, a line can have 8",
    ),
    (4, 3, b"\xf6\x01\x03", "packed byte 0 completes column 0 with edges outside 0 to 4 or out of"),
    (4, 3, b"\xf6\x00\x04", "packed byte 0 completes column 0 with edges outside 0 to 4 or out of"),
    (4, 3, b"\xf6\x00\x03" + codes((1, 0)), "packed byte 3 completes column 0 with edges outside"),
    (4, 3, b"\xf6\x00\x03" + codes((0, 2)), "packed byte 3 completes column 0 with edges outside"),
    (4, 3, ADD + codes((2, 0)), "packed byte 3 completes column 0 with edges outside"),
    (4, 3, ADD + codes((0, 0)) + ADD + codes((0,) * 4), "packed byte 7 completes column 1 with"),
    (4, 3, b"\xff\x02\x00\x00\x00\x02", "packed byte 0 completes column 0 with edges outside 0 to"),
    (
        9,
        9,
        b"\xf6\x00\x02" + codes((0, 2), (0, 1)) + b"\xfc\x07",
        "packed byte 5 completes column 6",
    ),
    (4, 3, b"\xfe\x02\xfe\x02", "packed byte 2 makes more columns than the 3 that the crop has"),
    (
        4,
        3,
        ADD + b"\xfc\x02\xfc\x02",
        "packed byte 5 makes more columns than the 3 that the crop has",
    ),
    (4, 3, ADD + codes((0,) * 8), "packed byte 3 makes more columns than the 3 that the crop has"),
    (
        4,
        3,
        ADD + b"\xfc\x03" + b"\x00\xfd\x00",
        "packed byte 6 makes more columns than the 3 that the crop has",
    ),
    (4, 3, b"\xfe\x04", "packed byte 0 starts a number above the limit of 3"),
    (4, 3, b"\xfe\x82\x80\x80\x80\x80\x00", "packed byte 0 starts a number above the limit of 3"),
    (4, 3, b"\xff\x03", "packed byte 0 starts a number above the limit of 2"),
    (4, 3, b"\xff\x01\x05\x00", "packed byte 0 starts a number above the limit of 4"),
    (4, 3, b"\xf6\x05\x00", "packed byte 0 starts a number above the limit of 4"),
    (4, 3, b"\xfb\x0b\x00\x00", "packed byte 0 starts a number above the limit of 10"),
    (
        4,
        3,
        ADD + b"\xfd\x81\x80\x80\x02",
        "packed byte 3 starts a number above the limit of 4194304",
    ),
    (
        4,
        3,
        b"\xf1\x80\x80\x80\x80\x10",
        "packed byte 1 starts a number above the limit of 42949672",
    ),
    (4, 3, b"\xfe\x00", "packed byte 0 counts 0 columns or segments, expected at least 1"),
    (4, 3, ADD + b"\xfc\x00", "packed byte 3 counts 0 columns or segments, expected at least 1"),
    (4, 3, b"\xff\x00", "packed byte 0 counts 0 columns or segments, expected at least 1"),
    (4, 3, b"\xf1", "packed run lengths cover 0 pixels at byte 1, the crop has 12"),
    (4, 3, b"\xf1\x0b", "packed run lengths cover 11 pixels at byte 2, the crop has 12"),
    (4, 3, b"\xf1\x06\x07", "packed run lengths cover 13 pixels at byte 2, the crop has 12"),
    (4, 3, b"\xf1\x05\x00\x07", "packed run lengths cover 5 pixels at byte 2, the crop has 12"),
    (4, 3, b"\xf1\x0c\x00", "packed run lengths cover 12 pixels at byte 2, the crop has 12"),
]


@pytest.mark.parametrize(("h", "w", "data", "message"), REFUSED)
def test_bad_bytes_are_refused_with_where_and_what(h, w, data, message):
    with pytest.raises(InvalidMaskError) as caught:
        decode_crop(data, h, w)
    assert str(caught.value).startswith(message)
    with pytest.raises(reference.RejectedError):
        reference.decode(data, h, w)


ZEROS = {
    "word": lambda n: codes((0,) * n),
    "symbols": lambda n: b"\x00" * n,
    "still": lambda n: b"\xfc\x01",
    "stills": lambda n: b"\xfc\x02",
}


@pytest.mark.parametrize("zeros", ZEROS.values(), ids=ZEROS)
@pytest.mark.parametrize(
    ("line", "n"),
    [
        (ADD + b"\xf8\x00\x00", 4),
        (b"\xf6\x02\x01\x18\xf6\x03\x01", 4),
        (ADD + b"\x18" + ADD, 4),
        (b"\xf6\x02\x01\x18" + ADD + b"\xf8\x01\x00", 6),
    ],
    ids=["touching segments", "overlapping segments", "twice the same segment", "three segments"],
)
def test_a_line_out_of_order_is_refused_however_the_column_is_completed(line, n, zeros):
    data = line + zeros(n)
    message = "completes column [01] with edges outside 0 to 9 or out of order"
    with pytest.raises(InvalidMaskError, match=message):
        decode_crop(data, 9, 3)
    with pytest.raises(reference.RejectedError):
        reference.decode(data, 9, 3)


@pytest.mark.parametrize("moves", [(0, 1), (1, 0), (2, 0)])
def test_an_edge_that_moves_onto_another_or_out_of_the_crop_is_refused(moves):
    for data in (ADD + codes(moves), ADD + bytes(moves)):
        with pytest.raises(InvalidMaskError, match="completes column 0 with edges outside 0 to 3"):
            decode_crop(data, 3, 1)


@pytest.mark.parametrize(("h", "w"), [(0, 1), (1, 0), (-1, 5), (5, -1), (1 << 16, 1 << 16)])
def test_a_crop_without_pixels_or_with_too_many_is_refused_before_its_bytes(h, w):
    with pytest.raises(InvalidMaskError, match=rf"crop \({h}, {w}\): sides of 1 to 1048576"):
        decode_crop(b"\xfe\x01", h, w)


@pytest.mark.parametrize(
    ("rows", "data"),
    [
        (["...", "..."], b"\xfe\x81\x00\xfe\x02"),
        (["###", "###"], b"\xf6\x00\x81\x80\x80\x80\x00" + codes((0,) * 6)),
        (["###", "..."], b"\xf6\x00\x00" + b"\x00" * 6),
        (["##.", "..."], ADD + b"\x18" + ADD + b"\xf4" + codes((0, 0)) + b"\xf2\xfe\x01"),
        (["###", "###"], b"\xff\x01\x00\x01\xf2\xf6\x00\x01" + codes((0,) * 6)),
        (["###", "###"], b"\xf1\x00\x06"),
        (["...", "..."], b"\xf1\x06"),
    ],
)
def test_bytes_that_are_valid_but_not_canonical_are_read(rows, data):
    mask = np.array([[pixel == "#" for pixel in row] for row in rows])
    assert np.array_equal(reference.decode(data, 2, 3), mask)
    assert np.array_equal(decode_crop(data, 2, 3), mask)


def verdict(decode, data, h, w):
    try:
        return decode(data, h, w)
    except (InvalidMaskError, reference.RejectedError):
        return None


def check_verdict(data, h, w):
    """Hold the kernel against the reference: both refuse, or both give the same pixels."""
    found, expected = (verdict(decode, data, h, w) for decode in (decode_crop, reference.decode))
    assert (found is None) == (expected is None)
    if found is not None:
        assert found.dtype == np.bool_
        assert np.array_equal(found, expected)
    return found is not None


@settings(max_examples=200)
@given(st.binary(max_size=30), st.integers(1, 12), st.integers(1, 12))
def test_random_bytes_are_refused_or_decoded_as_the_reference_does(data, h, w):
    check_verdict(data, h, w)


@st.composite
def operations(draw):
    """Give bytes that are operations and words, mostly with operands that could be right."""
    data = b""
    for op in draw(st.lists(st.sampled_from([*range(242, 256), *range(24, 60), 241, 0]))):
        operands = {250: 1, 251: 3, 252: 1, 253: 1, 254: 1}.get(op, 2 if 246 <= op < 250 else 0)
        if op == 255:
            count = draw(st.integers(0, 3))
            data += bytes([op, count, *(draw(st.integers(0, 3)) for _ in range(2 * count))])
            continue
        data += bytes([op])
        data += b"".join(reference.varint(draw(st.integers(0, 5))) for _ in range(operands))
    return data


@settings(max_examples=400)
@given(operations(), st.integers(1, 9), st.integers(1, 9))
@example(ADD + codes((0, 0)) + b"\xf3\x00\x00", 9, 1)
def test_any_sequence_of_operations_gets_the_verdict_of_the_reference(data, h, w):
    check_verdict(data, h, w)


@settings(max_examples=150)
@given(masks(max_side=40), st.data())
def test_damaged_masks_are_refused_or_decoded_as_the_reference_does(mask, data):
    packed = bytearray(encode(mask))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(packed)))
        kind = data.draw(st.sampled_from(["flip", "drop", "insert", "cut", "double"]))
        if kind == "insert":
            packed.insert(at, data.draw(st.integers(0, 255)))
        elif kind == "cut":
            del packed[at:]
        elif kind == "double":
            packed[at:at] = packed[at : at + 5]
        elif at < len(packed) and kind == "flip":
            packed[at] ^= 1 << data.draw(st.integers(0, 7))
        elif at < len(packed):
            del packed[at]
    h, w = mask.shape
    check_verdict(bytes(packed), h, w)
    check_verdict(bytes(packed), max(1, h + data.draw(st.integers(-1, 1))), w)


def test_every_single_changed_byte_of_a_mask_is_refused_or_decoded_as_the_reference_does():
    y, x = np.mgrid[:20, :20]
    distance = (y - 9) ** 2 + (x - 10) ** 2
    mask = (distance > 8) & (distance < 70)
    packed = encode(mask)
    assert {246, 255} & set(packed)
    assert packed[0] != 241
    decoded = 0
    for at in range(len(packed)):
        for byte in range(256):
            decoded += check_verdict(packed[:at] + bytes([byte]) + packed[at + 1 :], *mask.shape)
    assert 2 * len(packed) < decoded < 128 * len(packed)


def test_a_far_edge_breaks_the_stretch_without_an_operation():
    columns = np.zeros((40, 2), bool)
    columns[0:2], columns[10:12, 0], columns[10:25, 1] = True, True, True
    expected = bytes.fromhex("ff 02 00 01 07 01 1c 19 fd 02")
    assert encode(columns) == reference.encode(columns) == expected


def test_a_column_with_many_edges_is_changed_in_one_walk():
    columns = np.zeros((1 << 18, 2), bool)
    columns[::2, 0] = True
    columns[1 << 17 :: 2, 1] = True
    columns[: 1 << 17 : 6, 1] = True
    packed = encode(columns)
    assert np.array_equal(decode_crop(packed, *columns.shape), columns)
