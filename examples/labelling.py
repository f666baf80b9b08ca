"""What the examples share: a folder of images into one HDF5 file, image by image."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import supervision as sv
from PIL import ExifTags, Image, ImageOps
from tqdm import tqdm

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
ON_ITS_SIDE = (5, 6, 7, 8)
"""Values of the EXIF orientation of images that are turned by a quarter to be shown."""


def existing_folder(text: str) -> Path:
    """Read a folder from the command line."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return Path(text)


def score(text: str) -> float:
    """Read a least score from the command line."""
    if not 0 <= float(text) <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no score of 0 to 1")
    return float(text)


def images_in(folder: Path) -> list[Path]:
    """List the images of a folder and of those in it, sorted; hidden files are none."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def upright(path: Path) -> Image.Image:
    """Open an image as RGB of 8 bits, turned as the camera was held.

    Raises
    ------
    ValueError
        Where its pixels are of a mode that does not tell which is white.
    """
    with Image.open(path) as image:
        if image.mode in ("I", "F"):
            raise ValueError(
                f"pixels of mode {image.mode} do not tell which is white, "
                "expected 8 or 16 bits without a sign"
            )
        white = white_of(image)
        turned = ImageOps.exif_transpose(image)
    if white > 255:  # `convert` would cut what is brighter than 255
        turned = Image.fromarray((np.asarray(turned) * (255 / white)).round().astype(np.uint8))
    return turned.convert("RGB")


def white_of(image: Image.Image) -> int:
    """Give the value of white; 16 bits of a TIFF may hold fewer, such as 12."""
    if not image.mode.startswith("I;16"):
        return 255
    bits = image.getexif().get(ExifTags.Base.BitsPerSample, 16) if image.format == "TIFF" else 16
    return (1 << bits) - 1


def orientation(image: Image.Image) -> int:
    """Give the EXIF orientation in which an image was opened; Pillow turns a TIFF by itself."""
    return 1 if image.format == "TIFF" else image.getexif().get(ExifTags.Base.Orientation, 1)


def size_of(path: Path) -> tuple[int, int]:
    """Give the width and height of an image as it is shown."""
    with Image.open(path) as image:
        return image.size[::-1] if orientation(image) in ON_ITS_SIDE else image.size


def label_folder(
    folder: Path,
    path: Path,
    label: Callable[[Path], sv.Detections],
    classes: Iterable[str],
) -> dict[str, str]:
    """Label every image that the file does not have yet.

    Each image is committed before the next one is begun, so that the run may be killed at any
    moment; the same call goes on from there, and labels no image twice.

    Parameters
    ----------
    folder : Path
        Images; those in folders inside it too.
    path : Path
        The HDF5 file, which may exist.
    label : callable
        Gives the detections of an image. An image for which it raises, or gives what cannot be
        stored, is left out; SystemExit ends the run.
    classes : iterable of str
        Class names; ``class_id`` is the index into them.

    Returns
    -------
    dict of str
        Why images were left out, by their names.

    Raises
    ------
    NotADirectoryError
        Where there is no such folder.
    CompactMaskError
        Where the file cannot be continued: it is of other classes, in use, or none of this format.
    OSError
        Where the file cannot be written.
    """
    images, classes, failed = images_in(folder), list(classes), {}
    with cm.create(path, "a", classes=classes, on_duplicate="skip") as out:
        for image in tqdm(images, unit="image"):
            name = image.relative_to(folder).as_posix()
            try:
                if out.has(file_name=name):
                    continue
                width, height = size_of(image)
                found = checked(label(image), classes)
            except SystemExit as error:
                failed[name] = str(error)
                break
            except Exception as error:  # of whatever kind: one image shall not end the run
                failed[name] = f"{type(error).__name__}: {error}"
                continue
            try:
                out.append(found, file_name=name, image_shape=(height, width))
            except (TypeError, ValueError) as error:  # refused; a full disk does end the run
                failed[name] = f"{type(error).__name__}: {error}"
    return failed


def checked(found: sv.Detections, classes: list[str]) -> sv.Detections:
    """Refuse detections of a class that there is not."""
    if not isinstance(found, sv.Detections):
        raise TypeError(f"sv.Detections expected, not {type(found).__name__}")
    if found.class_id is not None:
        is_known = (found.class_id >= 0) & (found.class_id < len(classes))
        if not is_known.all():
            at = int(np.argmin(is_known))
            raise FormatError(
                f"detection {at} has class id {found.class_id[at]}, "
                f"expected 0 or more and less than {len(classes)}, the number of classes"
            )
    return found


def run(label: Callable[[], dict[str, str]]) -> int:
    """Label, and print what was left out; give the exit status of the process."""
    try:
        failed = label()
    except (CompactMaskError, OSError) as error:  # all that `label_folder` raises by itself
        print(error, file=sys.stderr)
        return 1
    for name, reason in failed.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    return 1 if failed else 0
