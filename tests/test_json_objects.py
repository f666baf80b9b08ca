"""The kernel that finds where values stand in a JSON array, against Python's own parser."""

import json
import re

import numpy as np
import pytest
import reference_json
from hypothesis import given, settings
from hypothesis import strategies as st
from json_texts import Guarded, lists, values

from compactmask._kernels import json_objects, json_scan
from compactmask._kernels.json_objects import BAD, CUT, END, FULL, NEW_KEY, Objects

KEYS = [b"id", b"bbox", b"image_id"]
guarded = Guarded()


def scan(text, cuts=(), rows=2, keys=KEYS):
    """Scan the array that a text begins with, of which the pieces become known at the cuts.

    Gives the values of the items and of their keys, the object that scanned, how it ended, and
    where.
    """
    found = []
    objects = Objects(keys)
    ends = [*sorted(cuts), len(text)]
    start = reference_json.after_spaces(reference_json.text_of(text), 1)
    known = max(ends.pop(0), start)
    while True:
        piece = guarded.holding(text[start:known])
        spans = np.empty((rows, 1 + len(keys), 2), np.int64)
        kinds = np.empty((rows, 1 + len(keys)), np.uint8)
        n, stop, outcome = objects.scan(piece, 0, spans, kinds)
        for row in range(n):
            found.append(
                [
                    (int(a) + start, int(b) + start, int(kind)) if kind else None
                    for (a, b), kind in zip(spans[row], kinds[row], strict=True)
                ]
            )
        start += stop
        if outcome == NEW_KEY:
            for key in dict.fromkeys(objects.fresh):
                objects.add(key)
        elif outcome == CUT and ends:
            known = max(ends.pop(0), start)
        elif outcome != FULL:
            return found, objects, outcome, start


def expected(items, keys=KEYS):
    """Give the same, and what further keys there are, of what the reference found."""
    found, further = [], {}
    for value, members in items:
        last = dict(members)
        found.append([value[:3], *(last[key][:3] if key in last else None for key in keys)])
        for key in last.keys() - set(keys):
            count, kinds = further.get(key, (0, 0))
            for name, other in members:
                kinds |= other.kinds if name == key else 0
            further[key] = count + 1, kinds
    return found, further


@settings(max_examples=60)
@given(text=lists, tail=st.sampled_from([b"", b" ", b"]", b",1"]), data=st.data())
def test_values_stand_where_pythons_parser_finds_them_however_the_text_is_cut(text, tail, data):
    items, end = reference_json.items(text)
    if not items:
        return
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    rows = data.draw(st.integers(1, 4))
    found, objects, outcome, stop = scan(text + tail, cuts, rows)
    assert (outcome, stop) == (END, end)
    assert (found, objects.further) == expected(items)


@settings(max_examples=8)
@given(text=lists)
def test_a_text_may_be_cut_at_every_byte(text):
    items, end = reference_json.items(text)
    if not items:
        return
    for cut in range(len(text)):
        assert scan(text[:cut])[2] == CUT
        found, objects, outcome, stop = scan(text, [cut])
        assert (outcome, stop) == (END, end)
        assert (found, objects.further) == expected(items)
    found, *_ = scan(text, range(len(text)), rows=1)
    assert found == expected(items)[0]


@st.composite
def broken(draw):
    """Change bytes of a text that may be JSON."""
    text = bytearray(draw(lists))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text) - 1))
        byte = draw(st.sampled_from(b'[]{},:"\\ \n0129-+.eEntfuNI\x00\xff') | st.integers(0, 255))
        match draw(st.integers(0, 2)):
            case 0:
                text[at] = byte
            case 1:
                text.insert(at, byte)
            case _ if len(text) > 2:
                del text[at]
    return bytes(text)


def parses(raw):
    try:
        reference_json.PARSER.raw_decode(reference_json.text_of(raw))
        json.loads(reference_json.text_of(raw), strict=False)
    except ValueError:
        return False
    return True


@settings(max_examples=100)
@given(text=broken(), data=st.data())
def test_what_is_no_json_is_refused_or_left_to_the_parser_of_its_parts(text, data):
    inside = reference_json.after_spaces(reference_json.text_of(text), 1)
    if text[:1] != b"[" or text[inside : inside + 1] == b"]":
        return
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=3))
    found, objects, outcome, stop = scan(text, cuts)
    try:
        items, end = reference_json.items(text)
    except ValueError:
        # Passed over to its end, though it is no JSON: then one of its items is none.
        if outcome == END:
            assert not all(parses(text[item[0][0] : item[0][1]]) for item in found)
        elif outcome == BAD:
            assert 0 <= objects.expected < len(json_objects.EXPECTED)
            assert stop < len(text)
        return
    assert (outcome, stop) == (END, end)
    assert (found, objects.further) == expected(items)


@settings(max_examples=40)
@given(text=values)
def test_a_single_value_ends_where_pythons_parser_says(text):
    raw = text.encode("utf-8", "surrogatepass")
    _, value = reference_json.parse(reference_json.text_of(raw), 0)
    for tail in (b" ", b",", b"]"):
        assert json_scan.value_at(guarded.holding(raw + tail), 0) == (value.stop, value.kind, False)
    stop, kind, is_bad = json_scan.value_at(guarded.holding(raw), 0)
    # A number may go on behind the end.
    is_number = raw[:1] in b"-0123456789" and not raw.endswith(b"y")
    assert (kind, is_bad) == (0 if is_number else value.kind, False)
    for cut in range(len(raw)):
        stop, kind, is_bad = json_scan.value_at(guarded.holding(raw[:cut]), 0)
        assert (kind, is_bad) == (0, False), raw[:cut]
        assert stop <= cut


BAD_TEXTS = {
    b"[1 2]": (3, "',' or ']'"),
    b"[1}": (2, "',' or ']'"),
    b"[,1]": (1, "a value"),
    b"[1,]": (3, "a value"),
    b"[01]": (3, "a value"),
    b"[1.]": (3, "a value"),
    b"[.5]": (1, "a value"),
    b"[+5]": (1, "a value"),
    b"[1e]": (3, "a value"),
    b"[--1]": (2, "a value"),
    b"[nul]": (4, "a value"),
    b"[truth]": (4, "a value"),
    b"['a']": (1, "a value"),
    b"[{id: 1}]": (2, "a key in quotes"),
    b'[{"id" 1}]': (7, "':'"),
    b'[{"id": 1 "a": 2}]': (10, "',' or '}'"),
    b'[{"id": 1,}]': (10, "a key in quotes"),
    b'[{"id": 1]]': (9, "',' or '}'"),
    b'[{"id": x}]': (8, "a value"),
    b'[{"other": 1.e5}]': (13, "a value"),
}


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_the_wrong_byte_is_found_and_what_was_expected_there(text):
    at, words = BAD_TEXTS[text]
    for cuts in ((), range(len(text))):
        _, objects, outcome, stop = scan(text, cuts)
        assert (outcome, stop, json_objects.EXPECTED[objects.expected]) == (BAD, at, words)


def test_brackets_are_256_deep_at_most():
    most = json_scan.MOST_BRACKETS
    for first, last in ((b"[", b"]"), (b'{"":', b"}")):
        text = first * most + b"0" + last * most + b" "
        assert json_scan.value_at(text, 0)[1:] == (
            reference_json.parse(text.decode(), 0)[1].kind,
            0,
        )
        deeper = first + text
        assert json_scan.value_at(deeper, 0) == (most * len(first), 0, True)
        assert json_scan.value_at(deeper[: most * len(first)], 0)[1:] == (0, False)


def test_keys_are_told_apart_by_their_bytes_also_where_one_begins_as_another():
    keys = [b"a", b"ab", b"", b"abc"]
    text = b'[{"abc": 1, "a": 2, "": 3}, {"ab": 4, "abcd": 5}]'
    found, objects, *_ = scan(text, keys=keys)
    shown = [[text[a:b] if (a, b) else b"" for a, b in spans(row)] for row in found]
    assert shown == [[b"2", b"", b"3", b"1"], [b"", b"4", b"", b""]]
    assert objects.further == {b"abcd": (1, json_scan.KINDS["integer"])}


def spans(row):
    return [(value[0], value[1]) if value else (0, 0) for value in row[1:]]


def test_a_key_may_be_known_by_several_spellings_the_last_value_counts():
    objects = Objects([b"id"])
    objects.add(rb"\u0069d", 1)
    text = rb'{"id": 1, "\u0069d": 2}, {"\u0069d": 3, "id": 4}]'
    places, kinds = np.empty((2, 2, 2), np.int64), np.empty((2, 2), np.uint8)
    assert objects.scan(text, 0, places, kinds) == (2, len(text), END)
    assert [text[a:b] for a, b in places[:, 1].tolist()] == [b"2", b"4"]


def test_what_the_kernel_is_called_with_is_checked():
    objects = Objects([b"id"])
    places, kinds = np.empty((2, 2, 2), np.int64), np.empty((2, 2), np.uint8)
    for start in (-1, 3):
        with pytest.raises(IndexError, match=re.escape(f"start {start} of 2 bytes")):
            objects.scan(b"1]", start, places, kinds)
    with pytest.raises(ValueError, match="spans and kinds differ"):
        objects.scan(b"1]", 0, places, kinds[:1])
    assert objects.scan(b"", 0, places, kinds) == (0, 0, CUT)
    assert json_scan.value_at(b"", 0) == (0, 0, False)
    assert json_scan.value_at(b"1", 5) == (5, 0, False)


@pytest.mark.parametrize("columns", [0, 1, 3, 5])
def test_spans_that_are_not_those_of_the_keys_are_refused(columns):
    spans = np.empty((2, columns, 2), np.int64)
    kinds = np.empty((2, columns), np.uint8)
    with pytest.raises(ValueError, match=f"spans have {columns} columns, expected 4 of 2"):
        Objects(KEYS).scan(b"{}]", 0, spans, kinds)
