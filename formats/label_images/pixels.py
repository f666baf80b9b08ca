"""The file of a label image: its ids out of it, and ids into one."""

from __future__ import annotations

import io
import os
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError

from compactmask.errors import CompactMaskError, CorruptFileError, FormatError

from .. import whole

Labels = npt.NDArray[np.integer[Any]]

LARGEST_ID = (1 << 31) - 1
"""The largest that is written: Pillow writes no larger ones."""
FORMATS = ("PNG", "TIFF")
MODES = ("L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")
EXPECTED = "expected one channel of whole numbers: PNG of 8 or 16 bits, TIFF of 8, 16 or 32 bits"
SAMPLE_FORMAT = 339
UNSIGNED, SIGNED = 1, 2


def read(file: BinaryIO, path: str) -> Labels:
    """Decode a label image.

    Parameters
    ----------
    file : binary file
        PNG or TIFF, told by its content.
    path : str
        Its name for messages.

    Returns
    -------
    ndarray of uint8, uint16, int32 or uint32, shape (H, W)
        The id of each pixel.

    Raises
    ------
    FormatError
        Where it is no label image: another format, colours, fractions, several pages, negative
        ids, more pixels than Pillow decodes.
    CorruptFileError
        Where it cannot be decoded.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            _check(image, path)
            whole.check(image, path)
            return _unsigned(np.asarray(image), image, path)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FormatError(f"{path}: more pixels than Pillow decodes: {error}") from None
    except (CompactMaskError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise FormatError(f"{path}: neither PNG nor TIFF, {EXPECTED}") from None
    except Exception as error:  # decoders raise anything where a file is damaged
        raise CorruptFileError(f"{path}: it cannot be decoded: {error}") from None


def is_label_image(path: str) -> bool:
    """Tell by its header whether a file is a label image; what is no regular file is none."""
    if not os.path.isfile(path):
        return False
    try:
        with Image.open(path, formats=FORMATS) as image:
            _check(image, path)
    except MemoryError:
        raise
    except Exception:  # decoders raise anything where a file is damaged
        return False
    return True


def _check(image: Image.Image, path: str) -> None:
    pages = getattr(image, "n_frames", 1)
    if pages != 1:
        raise FormatError(f"{path}: found {pages} pages, expected 1")
    if image.mode not in MODES:
        raise FormatError(f"{path}: found mode {image.mode!r}, {EXPECTED}")
    assert isinstance(image, ImageFile.ImageFile)
    arguments = image.tile[0].args
    raw = arguments[0] if isinstance(arguments, tuple) else arguments
    if str(raw).startswith("L;"):  # values are multiplied or turned round where they are decoded
        raise FormatError(f"{path}: found pixels stored as {raw!r}, {EXPECTED}")


def _unsigned(pixels: npt.NDArray[Any], image: Image.Image, path: str) -> Labels:
    if image.format == "TIFF" and pixels.dtype in (np.uint8, np.int32):
        # Pillow gives these alike whether they are signed or not.
        tags = getattr(image, "tag_v2", {})
        kind = tags.get(SAMPLE_FORMAT, (UNSIGNED,))
        is_signed = (kind[0] if isinstance(kind, tuple) else kind) == SIGNED
        pixels = pixels.view(f"{'i' if is_signed else 'u'}{pixels.itemsize}")
    if pixels.dtype.kind == "i" and pixels.size and pixels.min() < 0:
        raise FormatError(f"{path}: found id {pixels.min()}, expected 0 or above")
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def suffix_for(largest: int) -> str:
    """Give the suffix of the file that ids up to some number are written to."""
    return ".png" if largest <= np.iinfo(np.uint16).max else ".tif"


def write(labels: Labels, largest: int) -> bytes:
    """Encode a label image: PNG of 8 or 16 bits, TIFF of 32 bits where that is too little.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Ids from 0 to ``LARGEST_ID``.
    largest : int
        The largest of them.
    """
    out = io.BytesIO()
    if suffix_for(largest) == ".tif":
        Image.fromarray(labels.astype(np.int32)).save(out, "TIFF", compression="tiff_deflate")
    else:
        kind = np.uint8 if largest <= np.iinfo(np.uint8).max else np.uint16
        Image.fromarray(labels.astype(kind)).save(out, "PNG")
    return out.getvalue()


def largest_size() -> int | None:
    """Give how many pixels Pillow decodes; None for any number."""
    limit = Image.MAX_IMAGE_PIXELS
    return None if limit is None else 2 * limit
