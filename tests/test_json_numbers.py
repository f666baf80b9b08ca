"""The kernels that read JSON numbers, against Python's own parser, bit for bit."""

import json
import math
import random
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from json_texts import Guarded, arrays, listed, numbers, plain, values
from reference_json import parse

from compactmask._kernels import json_numbers
from compactmask._kernels.json_scan import KINDS

guarded = Guarded()
UNTOUCHED = -77


def column(texts, kernel, dtype, shape=()):
    """Give what a kernel reads of texts, and which it calls odd."""
    raw = [text.encode("utf-8", "surrogatepass") for text in texts]
    ends = np.cumsum([len(text) for text in raw], dtype=np.int64)
    spans = np.stack([ends - [len(text) for text in raw], ends], axis=1)
    kinds = np.array([parse(text.decode("latin-1"), 0)[1].kind for text in raw], np.uint8)
    out = np.full((len(raw), *shape), UNTOUCHED, dtype)
    odd = np.zeros(len(raw), np.uint8)
    kernel(guarded.holding(b"".join(raw)), spans, kinds, out, odd)
    return out, odd.tolist()


def bits(number):
    return struct.pack("<d", number)


def is_number(value):
    return type(value) in (int, float)


def fits(value):
    return type(value) is int and -(1 << 63) <= value < 1 << 63


@given(st.lists(st.integers(-(2**70), 2**70).map(str) | plain | values, min_size=1, max_size=8))
@example([str(n) for n in (2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**18, 10**19, -(10**19))])
def test_integers_of_64_bits_are_exact_and_others_are_odd(texts):
    found, odd = column(texts, json_numbers.integers, np.int64)
    for text, value, is_odd in zip(texts, found.tolist(), odd, strict=True):
        expected = json.loads(text, strict=False)
        assert is_odd == (expected is not None and not fits(expected))
        assert value == (expected if fits(expected) else UNTOUCHED)


def check_floats(texts):
    found, odd = column(texts, json_numbers.floats, np.float64)
    for text, value, is_odd in zip(texts, found.tolist(), odd, strict=True):
        expected = json.loads(text, strict=False)
        plain_number = isinstance(expected, float) or fits(expected)
        assert is_odd == (expected is not None and not plain_number), text
        assert bits(value) == bits(float(text) if plain_number else UNTOUCHED), text


decimals = st.builds(
    lambda sign, digits, point, exponent: (
        sign + (digits[:point].lstrip("0") or "0") + "." + (digits[point:] or "0") + exponent
    ),
    st.sampled_from(["", "-"]),
    st.text("0123456789", min_size=1, max_size=40),
    st.integers(0, 40),
    st.just("")
    | st.integers(-400, 400).map("e{}".format)
    | st.sampled_from(["E+05", "e-0", "e00"]),
)
HARD = [
    "9007199254740993.0",  # between two floats
    "9007199254740992.9999999999999999999999",
    "0.500000000000000166533453693773481063544750213623046875",
    "2.2250738585072011e-308",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "1.7976931348623158e308",
    "1.7976931348623159e308",
    "179769313486231580793e289",
    "8.5e-23",
    "9007199254740992e22",
    "9007199254740991e23",
    "1e22",
    "1e23",
    "123456789012345678e-22",
    "0e999999999999999999999",
    "1e-999999999999999999999",
    "1e99999999999999999999",
    "-0.0",
    "0.0e-5",
    "0." + "0" * 500 + "1",
    "1" + "0" * 500 + ".0",
    "1" * 500 + "e-490",
    "0" * 0 + "0.1" + "0" * 1000,
]


@given(st.lists(decimals | numbers | plain, min_size=1, max_size=8))
@example(HARD)
def test_floats_are_correctly_rounded(texts):
    check_floats(texts)


@settings(max_examples=100)
@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_floats_that_python_wrote_come_back_bit_for_bit(given_floats):
    texts = [json.dumps(number) for number in given_floats]
    check_floats(texts)
    found, _ = column(texts, json_numbers.floats, np.float64)
    for number, back in zip(given_floats, found.tolist(), strict=True):
        assert bits(number) == bits(back) or math.isnan(number)


def test_many_numbers_as_documents_have_them_are_correctly_rounded():
    chance = random.Random(5)
    texts = []
    for _ in range(20_000):
        digits = chance.randrange(18)
        number = chance.choice([chance.random() * 10 ** chance.randrange(6), chance.random()])
        texts.append(f"{number:.{digits}f}" if chance.random() < 0.8 else f"{number:.{digits}e}")
    check_floats(texts)


quadruples = arrays(numbers | plain, max_size=6) | st.lists(
    numbers, min_size=4, max_size=4
).flatmap(lambda items: listed(items, "[]"))


@settings(max_examples=150)
@given(st.lists(quadruples | values, min_size=1, max_size=5))
@example(["[ 1 ,\n2\t,\r3.5 , -4e0 ]", "[1,2,3]", "[1,2,3,4,5]", "[]", "[ ]", "[1,2,3,null]"])
@example(["[[1,2,3,4]]", '["1",2,3,4]', "[1,2,3,[4]]", "[true,2,3,4]", f"[{2**63},1,1,1]"])
def test_four_numbers_are_read_and_every_other_value_is_odd(texts):
    found, odd = column(texts, json_numbers.quadruples, np.float64, (4,))
    for text, row, is_odd in zip(texts, found.tolist(), odd, strict=True):
        expected = json.loads(text, strict=False)
        is_box = (
            isinstance(expected, list)
            and len(expected) == 4
            and all(isinstance(item, float) or fits(item) for item in expected)
        )
        assert is_odd == (expected is not None and not is_box), text
        if is_box:
            # To Python -0 is the integer 0.
            assert [bits(number + 0.0) for number in row] == [
                bits(float(item) + 0.0) for item in expected
            ]


KERNELS = [
    (json_numbers.integers, np.int64, ()),
    (json_numbers.floats, np.float64, ()),
    (json_numbers.quadruples, np.float64, (4,)),
]


@pytest.mark.parametrize(("kernel", "dtype", "shape"), KERNELS)
def test_what_is_not_there_and_null_are_left_as_they_are(kernel, dtype, shape):
    spans = np.array([[0, 0], [0, 4]])
    kinds = np.array([0, KINDS["null"]], np.uint8)
    out, odd = np.full((2, *shape), UNTOUCHED, dtype), np.zeros(2, np.uint8)
    kernel(b"null", spans, kinds, out, odd)
    assert (out == UNTOUCHED).all()
    assert odd.tolist() == [0, 0]


@pytest.mark.parametrize(("kernel", "dtype", "shape"), KERNELS)
@pytest.mark.parametrize("span", [(0, 0), (-1, 1), (1, 0), (0, 3), (3, 4), (-(1 << 62), 1 << 62)])
def test_a_span_that_leaves_the_text_is_refused(kernel, dtype, shape, span):
    spans, kinds = np.array([(0, 1), span]), np.full(2, KINDS["integer"], np.uint8)
    with pytest.raises(IndexError, match="span 1 leaves the 2 bytes"):
        kernel(b"12", spans, kinds, np.zeros((2, *shape), dtype), np.zeros(2, np.uint8))


@pytest.mark.parametrize(("kernel", "dtype", "shape"), KERNELS)
def test_columns_of_different_lengths_are_refused(kernel, dtype, shape):
    spans, kinds = np.array([[0, 1]]), np.full(1, KINDS["integer"], np.uint8)
    out, odd = np.zeros((1, *shape), dtype), np.zeros(1, np.uint8)
    for wrong in (
        (spans[:0], kinds, out, odd),
        (spans, kinds[:0], out, odd),
        (spans, kinds, out[:0], odd),
        (spans, kinds, out, odd[:0]),
        (np.zeros((1, 3), np.int64), kinds, out, odd),
    ):
        with pytest.raises(ValueError, match="differ"):
            kernel(b"1", *wrong)


def test_the_reference_tells_kinds_as_the_scanner_does():
    for text, kind in [("1", "integer"), (str(2**63), "large integer"), ("1.0", "float")]:
        assert parse(text, 0)[1][:3] == (0, len(text), KINDS[kind])
