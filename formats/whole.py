"""Whether the pixels of a PNG or TIFF file are all there, which decoders do not tell."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from PIL import Image

from compactmask.errors import CorruptFileError

PIECE = 1 << 16
SIGNATURE_BYTES = 8
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Of a PNG file, by its type of colour."""
PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""Of an interlaced PNG file: first column and row, and the steps from one to the next."""
ONE_PASS = ((0, 0, 1, 1),)
WIDTH, LENGTH, BITS, COMPRESSION = 256, 257, 258, 259
STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_BYTES = 273, 278, 279
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS = 322, 323, 324
RAW = 1
"""Tags of a TIFF file, and the compression that is none."""


def check(image: Image.Image, path: str) -> None:
    """Refuse a file of fewer pixels than it says.

    Parameters
    ----------
    image : PIL.Image.Image
        Just opened: of a PNG file the position in it is kept.
    path : str
        Its name for the message.

    Raises
    ------
    CorruptFileError
        Where it is so, or what tells it is damaged.
    """
    try:
        if image.format == "TIFF":
            _check_tiff(image.tag_v2, path)  # type: ignore[attr-defined]
        elif image.format == "PNG":
            file: BinaryIO = image.fp  # type: ignore[attr-defined]
            at = file.tell()
            _check_png(file, path)
            file.seek(at)
    except CorruptFileError:
        raise
    except (
        zlib.error,
        LookupError,
        StopIteration,
        TypeError,
        ValueError,
        ArithmeticError,
    ) as error:
        raise CorruptFileError(f"{path}: it cannot be decoded: {error!r}") from None


def _check_png(file: BinaryIO, path: str) -> None:
    """Inflate the pixels, piece by piece, and count their bytes."""
    pieces = _pieces(file)
    _, header = next(pieces)
    width, height = (int.from_bytes(header[at : at + 4], "big") for at in (0, 4))
    bits = header[8] * CHANNELS[header[9]]
    expected = 0
    for x, y, x_step, y_step in PASSES if header[12] else ONE_PASS:
        columns, rows = -((x - width) // x_step), -((y - height) // y_step)
        if columns > 0 and rows > 0:
            expected += rows * (1 + math.ceil(columns * bits / 8))
    inflater, found = zlib.decompressobj(), 0
    for kind, data in pieces:
        while kind == b"IDAT" and data and found < expected:
            found += len(inflater.decompress(data, PIECE))
            data = inflater.unconsumed_tail
    _check_bytes(found, expected, height, path)


def _pieces(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Give what the chunks of a PNG file hold in pieces, with their kind."""
    file.seek(SIGNATURE_BYTES)
    while len(head := file.read(8)) == 8:
        left = int.from_bytes(head[:4], "big")
        while left and (data := file.read(min(left, PIECE))):
            left -= len(data)
            yield head[4:], data
        file.seek(4, os.SEEK_CUR)


def _check_tiff(tags: Mapping[int, Any], path: str) -> None:
    """Count the strips or tiles, and the bytes of strips that are not compressed."""
    width, height = tags[WIDTH], tags[LENGTH]
    if TILE_OFFSETS in tags:
        expected = math.ceil(width / tags[TILE_WIDTH]) * math.ceil(height / tags[TILE_LENGTH])
        found, noun = len(tags[TILE_OFFSETS]), "tiles"
    else:
        expected = math.ceil(height / tags.get(ROWS_PER_STRIP, height))
        found, noun = len(tags[STRIP_OFFSETS]), "strips"
    if found < expected:
        raise CorruptFileError(f"{path}: found {found} {noun}, expected {expected}")
    if noun == "strips" and tags.get(COMPRESSION, RAW) == RAW and STRIP_BYTES in tags:
        row = math.ceil(width * sum(tags.get(BITS, (1,))) / 8)
        _check_bytes(sum(tags[STRIP_BYTES]), row * height, height, path)


def _check_bytes(found: int, expected: int, rows: int, path: str) -> None:
    if found < expected:
        raise CorruptFileError(
            f"{path}: its pixels are {found:,} bytes, expected {expected:,} of {rows} rows"
        )
