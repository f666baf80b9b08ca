"""One pass over a document: what is small is parsed, of long lists it is noted where values are."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from compactmask._kernels import json_objects
from compactmask._kernels.json_objects import Objects
from compactmask._kernels.json_scan import KINDS, MOST_BRACKETS, value_at
from compactmask.errors import FormatError

from .file import JsonFile
from .parse import kind_of, loads

BLOCK = 1 << 20
"""Bytes that are read at once."""
ROWS = 4096
"""Items of a list that are looked at together."""
MOST_KEYS = 2048
"""Further keys that the objects of one list may have."""
SPACES = re.compile(rb"[ \n\r\t]*")


class Block(NamedTuple):
    """Some items of a list, and where their values stand.

    Positions are those in ``text``, which begins at byte ``base`` of the document. Column 0 is the
    item itself, the others are the keys that were asked for.
    """

    text: bytes
    base: int
    spans: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.uint8]

    def raw(self, row: int, column: int = 0) -> bytes:
        """Give the text of a value."""
        start, stop = self.spans[row, column].tolist()
        return self.text[start:stop]

    def value(self, row: int, column: int = 0) -> Any:
        """Parse a value; None where there is none.

        Raises
        ------
        FormatError
            Where it is not JSON.
        """
        if not self.kinds[row, column]:
            return None
        raw = self.raw(row, column)
        try:
            return loads(raw)
        except UnicodeDecodeError as error:
            at = self.base + int(self.spans[row, column, 0]) + error.start
            found = raw[error.start : error.start + 1]
            raise FormatError(f"not UTF-8: {found!r} at byte {at}") from None
        except ValueError as error:
            raise FormatError(f"not JSON: {error}") from None


class Further(NamedTuple):
    """A key that was not asked for: how many objects have it, and its values' kinds as bits."""

    n: int
    kinds: int


class Stream:
    """Goes over a document from its beginning to its end.

    Parameters
    ----------
    file : JsonFile
        The document.
    """

    def __init__(self, file: JsonFile) -> None:
        self._file = file
        self.path = file.path
        self._text = b""
        self._base = 0
        self._at = 0
        self._more()
        if self._text.startswith(codecs.BOM_UTF8):
            self._at = len(codecs.BOM_UTF8)

    def peek(self) -> bytes:
        """Give the next character that is no white space; b"" at the end."""
        while True:
            found = SPACES.match(self._text, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._text):
                return self._text[self._at : self._at + 1]
            if not self._more():
                return b""

    def members(self) -> Iterator[str]:
        """Go over the keys of an object; whoever takes one must take its value then.

        Raises
        ------
        FormatError
            Where it is not JSON, or a key stands twice.
        """
        self._take(b"{", "'{'")
        seen: set[str] = set()
        if self.peek() == b"}":
            self._at += 1
            return
        while True:
            if self.peek() != b'"':
                self._fail(self._at, "a key in quotes")
            start = self._base + self._at
            key: str = self.value()
            if key in seen:
                raise FormatError(f"{self.path}: {key!r} at byte {start} stands there twice")
            seen.add(key)
            self._take(b":", "':'")
            yield key
            if self.peek() == b"}":
                self._at += 1
                return
            self._take(b",", "',' or '}'")

    def value(self) -> Any:
        """Parse the next value.

        Raises
        ------
        FormatError
            Where it is not JSON.
        """
        stop = self._value_end()
        start, self._at = self._at, stop
        return self._parsed(start, stop)

    def begin_list(self, name: str) -> bool:
        """Take the bracket that begins a list; give whether it has items.

        Raises
        ------
        FormatError
            Where something else comes next.
        """
        if self.peek() not in (b"[", b""):
            found = kind_of(self.value())
            raise FormatError(f"{self.path}: '{name}' is {found}, expected a list")
        self._take(b"[", "'['")
        if self.peek() != b"]":
            return True
        self._at += 1
        return False

    def first(self, keys: Sequence[str]) -> dict[str, Any] | None:
        """Parse what the first object of a list has of some keys, without taking it.

        The list was begun and has items; None where the first one is no object. No more is read
        than up to what is wrong with it.

        Raises
        ------
        FormatError
            Where it is not JSON.
        """
        block = next(self.items(keys))
        if block.kinds[0, 0] != KINDS["object"]:
            return None
        return {
            key: block.value(0, column)
            for column, key in enumerate(keys, 1)
            if block.kinds[0, column]
        }

    def items(
        self, keys: Sequence[str], further: dict[str, Further] | None = None
    ) -> Iterator[Block]:
        """Go over a list that was begun and has items.

        Parameters
        ----------
        keys : sequence of str
            The keys whose values are noted.
        further : dict, optional
            Is filled at the end with what other keys the objects have.

        Raises
        ------
        FormatError
            Where it is not JSON.
        """
        objects = Objects([key.encode() for key in keys])
        spans = np.empty((ROWS, 1 + len(keys), 2), np.int64)
        kinds = np.empty((ROWS, 1 + len(keys)), np.uint8)
        while True:
            rows, stop, outcome = objects.scan(self._text, self._at, spans, kinds)
            if rows:
                yield Block(self._text, self._base, spans[:rows], kinds[:rows])
            if outcome == json_objects.BAD:
                self._fail(stop, json_objects.EXPECTED[objects.expected])
            self._at = stop
            if outcome == json_objects.NEW_KEY:
                self._add_keys(objects, keys)
            elif outcome == json_objects.CUT and not self._more():
                self._fail(len(self._text), "more of the list")
            elif outcome == json_objects.END:
                break
        if further is not None:
            self._tell(objects, further)

    def end(self) -> None:
        """Take the end of the document.

        Raises
        ------
        FormatError
            Where there is more.
        """
        if self.peek():
            self._fail(self._at, "the end")

    def _tell(self, objects: Objects, further: dict[str, Further]) -> None:
        found: dict[str, Further] = {}
        for raw, (count, kinds) in objects.further.items():
            key = self._key(raw)
            if key in found:
                # Spelled in two ways, maybe in one object: how many have it is not known.
                count += found[key].n
                kinds |= found[key].kinds | KINDS["null"]
            found[key] = Further(count, kinds)
        for key, (count, kinds) in found.items():
            before = further.get(key, Further(0, 0))
            further[key] = Further(before.n + count, before.kinds | kinds)

    def _add_keys(self, objects: Objects, keys: Sequence[str]) -> None:
        """Know keys that are new, or some of those that are looked for, written with escapes."""
        for raw in dict.fromkeys(objects.fresh):
            if len(objects.further) == MOST_KEYS:
                raise FormatError(
                    f"{self.path}: more than {MOST_KEYS:,} different keys, in the object at "
                    f"byte {self._base + self._at}"
                )
            key = self._key(raw)
            objects.add(raw, keys.index(key) + 1 if key in keys else -1)

    def _key(self, raw: bytes) -> str:
        try:
            key: str = loads(b'"' + raw + b'"')
            key.encode()
        except ValueError as error:
            raise FormatError(f"{self.path}: the key {raw[:60]!r} is not text: {error}") from None
        return key

    def _value_end(self) -> int:
        """Give where the next value ends in the text, which then holds all of it."""
        if not self.peek():
            self._fail(self._at, "a value")
        while True:
            stop, kind, is_bad = value_at(self._text, self._at)
            if is_bad:
                self._fail(stop, "a value")
            if kind:
                return stop
            if not self._more():
                self._fail(len(self._text), "more of a value")

    def _parsed(self, start: int, stop: int) -> Any:
        try:
            return loads(self._text[start:stop])
        except UnicodeDecodeError as error:
            at = start + error.start
            raise FormatError(
                f"{self.path}: not UTF-8: {self._text[at : at + 1]!r} at byte {self._base + at}"
            ) from None
        except ValueError as error:
            raise FormatError(
                f"{self.path}: not JSON: {error}, in the value at byte {self._base + start}"
            ) from None

    def _take(self, character: bytes, expected: str) -> None:
        if self.peek() != character:
            self._fail(self._at, expected)
        self._at += 1

    def _more(self) -> bool:
        """Drop what was taken and read on; give whether there was something."""
        rest = self._text[self._at :]
        self._base += self._at
        block = self._file.some(self._base + len(rest), max(BLOCK, len(rest)))
        self._text, self._at = rest + block, 0
        return bool(block)

    def _fail(self, at: int, expected: str) -> NoReturn:
        character = self._text[at : at + 1]
        found = repr(character)[1:] if character else "the end"
        if expected == "a value" and character in (b"[", b"{"):
            expected = f"at most {MOST_BRACKETS} brackets inside each other"
        raise FormatError(
            f"{self.path}: not JSON: {found} at byte {self._base + at}, expected {expected}"
        )
