"""A document put together of what waits for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from . import lines
from .categories import Categories
from .spool import Spool

OWN = frozenset({"images", "annotations", "categories", "masklet"})
"""Keys that metadata cannot have: those of a dataset, and the one that would make it SA-V."""


def results(spool: Spool) -> Iterator[bytes]:
    """Give a list of results in parts."""
    yield b"["
    yield from _separated(b"{" + line[1:-1] for line in spool.lines())
    yield b"]\n"


def dataset(
    spool: Spool,
    metadata: dict[str, Any],
    categories: Categories,
    *,
    are_unique: bool,
    where: str,
) -> Iterator[bytes]:
    """Give a dataset in parts.

    Parameters
    ----------
    spool : Spool
        Images and annotations.
    metadata : dict
        What stands before them.
    categories : Categories
        What stands behind them.
    are_unique : bool
        Whether annotations have ids; they are counted otherwise.
    where : str
        Begins every error message.
    """
    yield b"{"
    for key, value in metadata.items():
        if key not in OWN:
            at = f"{where}: metadata[{key!r}]"
            yield f"{lines.text(key, at)}:{lines.text(value, at)},\n".encode()
    yield b'"images":['
    yield from _separated(
        record.entry.encode() for record in spool.records() if "id" in record.note
    )
    yield b'],\n"annotations":['
    yield from _separated(_annotations(spool, are_unique))
    yield b'],\n"categories":'
    yield lines.text(categories.objects(), f"{where}: categories").encode()
    yield b"}\n"


def _annotations(spool: Spool, are_unique: bool) -> Iterator[bytes]:
    for position, line in enumerate(spool.lines(), 1):
        number, _, members = line.partition(b"\t")
        if not are_unique:
            number = b"%d" % position
        yield b'{"id":' + number + b"," + members[:-1]


def _separated(items: Iterable[bytes]) -> Iterator[bytes]:
    separator = b"\n"
    for item in items:
        yield separator
        yield item
        separator = b",\n"
