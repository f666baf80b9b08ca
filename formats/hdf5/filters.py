"""HDF5's shuffle and deflate filters, both ways, outside the HDF5 library and its lock."""

from __future__ import annotations

import zlib

import numpy as np

LEVEL = 4
MAX_RATIO = 1032
"""Deflate cannot expand one byte to more than this; a chunk that claims more is a lie."""


def shuffled(raw: bytes, itemsize: int) -> bytes:
    """Put the first bytes of all items first, then the second ones, and so on."""
    if itemsize == 1:
        return raw
    return np.frombuffer(raw, np.uint8).reshape(-1, itemsize).T.tobytes()


def unshuffled(raw: bytes, itemsize: int) -> bytes:
    """Undo :func:`shuffled`."""
    if itemsize == 1:
        return raw
    planes = np.frombuffer(raw, np.uint8).reshape(itemsize, -1)
    items = np.empty((planes.shape[1], itemsize), np.uint8)
    for position, plane in enumerate(planes):  # Faster than one transposition.
        items[:, position] = plane
    return items.tobytes()


def deflated(raw: bytes) -> bytes:
    """Compress as HDF5's deflate filter does, a zlib stream with its Adler-32."""
    return zlib.compress(raw, LEVEL)


def inflated(stored: bytes, size: int) -> bytes:
    """Decompress a zlib stream that must hold exactly ``size`` bytes.

    Raises
    ------
    ValueError
        Where it is damaged, or shorter or longer than that; no more than ``size`` is produced.
    """
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(stored, size)
        # A stream of exactly that size may keep its checksum back until it is asked for more.
        rest = b"" if stream.eof else stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(raw) != size or rest or not stream.eof or stream.unused_data:
        found = f"more than {size}" if rest else str(len(raw))
        raise ValueError(f"a deflate stream of {found} bytes or with a false end, expected {size}")
    return raw
