"""HDF5's filters for chunks, both ways, outside the HDF5 library and its lock."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from compactmask import _optional

GZIP_LEVEL = 4
ZSTD_LEVEL = 3
ZSTD_ID = 32015
"""Of the zstd filter, as the HDF Group has registered it."""
IDS = {"gzip": 1, "zstd": ZSTD_ID}
"""HDF5's numbers of the codecs."""
MAX_RATIO = {None: 1, "gzip": 1032, "zstd": 1 << 17}
"""One byte cannot become more than this; a chunk that claims more is a lie.

A block of zstd takes 4 bytes at least and gives 128 KiB at most.
"""


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


def compressed(raw: bytes, codec: str) -> bytes:
    """Compress as HDF5's filter does: a zlib stream or a zstd frame, with its checksum."""
    if codec == "gzip":
        return zlib.compress(raw, GZIP_LEVEL)
    compressor = _zstandard().ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
    frame: bytes = compressor.compress(raw)
    return frame


def expanded(stored: bytes, codec: str, size: int) -> bytes:
    """Undo :func:`compressed`, which must give exactly ``size`` bytes.

    Raises
    ------
    ValueError
        Where it is damaged, or shorter or longer than that; no more than ``size`` is produced.
    ImportError
        Where it is zstd and the extra of that name is not installed.
    """
    return _inflated(stored, size) if codec == "gzip" else _unframed(stored, size)


def require(codec: str | None) -> None:
    """Raise ImportError, which names the extra, where a codec cannot be written here."""
    if codec == "zstd":
        _zstandard()
        _optional.require("hdf5plugin")  # Makes the filter known to the HDF5 library.


def _inflated(stored: bytes, size: int) -> bytes:
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


def _unframed(stored: bytes, size: int) -> bytes:
    zstandard = _zstandard()
    try:
        # The frame says what it holds: memory is asked for after that was compared.
        frame = zstandard.get_frame_parameters(stored)
        if frame.content_size != size or not frame.has_checksum:
            raise ValueError(
                f"a zstd frame of {frame.content_size} bytes, "
                f"{'with' if frame.has_checksum else 'without'} checksum, expected {size} with one"
            )
        raw: bytes = zstandard.ZstdDecompressor().decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    if len(raw) != size:
        raise ValueError(f"a zstd frame of {len(raw)} bytes, expected {size}")
    return raw


def _zstandard() -> Any:
    return _optional.require("zstandard")
