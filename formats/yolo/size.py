"""The size of a photo, from the beginning of its file."""

from __future__ import annotations

from typing import BinaryIO

from PIL import ExifTags, Image, UnidentifiedImageError

from compactmask._kernels.block import max_side
from compactmask.errors import CorruptFileError, FormatError

PNG_EXIF = {"exif", "Raw profile type exif"}
ON_ITS_SIDE = (5, 6, 7, 8)
"""Values of the EXIF orientation of images that are turned by a quarter when they are decoded."""


def image_shape(file: BinaryIO, path: str) -> tuple[int, int]:
    """Read the ``(H, W)`` that a photo has when it is decoded and turned as EXIF says.

    Raises
    ------
    FormatError
        Where it is no image, or too large.
    CorruptFileError
        Where its header is damaged.
    """
    try:
        with Image.open(file) as image:
            width, height = image.size
            turned = _says_more(image) and (
                image.getexif().get(ExifTags.Base.Orientation) in ON_ITS_SIDE
            )
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FormatError(f"{path}: more pixels than Pillow decodes: {error}") from None
    except UnidentifiedImageError:
        raise FormatError(f"{path}: found no image that Pillow knows, expected one") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything where a file is damaged
        raise CorruptFileError(f"{path}: its size cannot be read: {error}") from None
    if max(width, height) > max_side:
        raise FormatError(f"{path}: {width} x {height} pixels, expected sides of 1 to {max_side:,}")
    return (width, height) if turned else (height, width)


def _says_more(image: Image.Image) -> bool:
    """Tell whether EXIF has something to say about the size of an image.

    Pillow turns the size of a TIFF by itself, and to find EXIF behind the pixels of a PNG, where
    it must not be, it would decode them.
    """
    if image.format == "PNG":
        return not PNG_EXIF.isdisjoint(image.info)
    return image.format != "TIFF"
