"""JSON texts of every spelling, for Hypothesis; and memory behind which nothing can be read."""

import ctypes
import json
import mmap
import os

from hypothesis import strategies as st

spaces = st.text(" \n\r\t", max_size=3)
numbers = st.one_of(
    st.from_regex(r"-?(0|[1-9][0-9]{0,4})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.from_regex(r"-?[1-9][0-9]{16,24}", fullmatch=True),
    st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**18, 10**19]).map(str),
    st.sampled_from([2**53, 2**53 + 1, -(2**53), -(2**53) - 1, 10**16 - 1, 10**15]).map(str),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "-0", "0", "-0.0", "1e400"]),
)
strings = st.one_of(
    st.text(max_size=6).map(json.dumps),
    st.text(st.characters(exclude_characters='"\\'), max_size=6).map(lambda text: f'"{text}"'),
    st.lists(
        st.sampled_from([r"\"", r"\\", r"\/", r"\n", r"\u00e9", r"\ud83d\ude00", "a", "[", "}"]),
        max_size=6,
    ).map(lambda pieces: '"' + "".join(pieces) + '"'),
)
KEYS = ["id", "image_id", "bbox", r"\u0069d", "note", "é", "", "i", r"\"", "score"]
keys = st.sampled_from([f'"{key}"' for key in KEYS]) | strings


@st.composite
def listed(draw, items, brackets):
    """Put spaces around texts, commas between them and brackets around all."""
    first, last = brackets
    inside = [draw(spaces) + item + draw(spaces) for item in items]
    return first + (",".join(inside) if inside else draw(spaces)) + last


def arrays(values, max_size=4):
    return st.lists(values, max_size=max_size).flatmap(lambda items: listed(items, "[]"))


def objects(values, max_size=5):
    member = st.tuples(keys, spaces, spaces, values).map(
        lambda parts: f"{parts[0]}{parts[1]}:{parts[2]}{parts[3]}"
    )
    return st.lists(member, max_size=max_size).flatmap(lambda items: listed(items, "{}"))


plain = st.sampled_from(["null", "true", "false"]) | numbers | strings
values = st.recursive(plain, lambda inner: arrays(inner) | objects(inner), max_leaves=8)
lists = arrays(objects(values) | objects(values) | values, max_size=6).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
"""Arrays, most items of which are objects, in UTF-8."""


class Guarded:
    """Memory that ends where the process may not read on, where the system has such."""

    SIZE = 1 << 18

    def __init__(self):
        page = mmap.PAGESIZE
        self._memory = mmap.mmap(-1, self.SIZE + page)
        if os.name == "posix":
            address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
            protect = ctypes.CDLL(None, use_errno=True).mprotect
            done = protect(ctypes.c_void_p(address + self.SIZE), ctypes.c_size_t(page), 0)
            assert done == 0, ctypes.get_errno()

    def holding(self, text):
        """Give memory with a text in it, at the end of which reading ends the process."""
        start = self.SIZE - len(text)
        self._memory[start : self.SIZE] = text
        return memoryview(self._memory)[start : self.SIZE]
