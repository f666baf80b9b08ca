"""Where a dataset has its label files, its images and its description."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from compactmask.errors import FormatError

from ..folder import Entry
from ..listing import walk
from . import description

LABELS, IMAGES = "labels", "images"
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp")


class Pair(NamedTuple):
    """A folder of label files and that of its images, relative to the dataset's."""

    prefix: str
    """What the names of its images begin with."""
    labels: str
    images: str


def pairs(folder: str) -> list[Pair]:
    """Find the folders of label files.

    Parameters
    ----------
    folder : str
        One with ``labels`` in it, or with sub-folders that have it, or one of label files.
    """
    if os.path.isdir(os.path.join(folder, LABELS)):
        return [Pair("", LABELS, IMAGES)]
    inner = [
        Pair(f"{name}/", f"{name}/{LABELS}", f"{name}/{IMAGES}")
        for name in sorted(os.listdir(folder))
        if os.path.isdir(os.path.join(folder, name, LABELS)) and not name.startswith(".")
    ]
    return inner or [Pair("", ".", _images_of(folder))]


def is_note(name: str) -> bool:
    """Tell whether a text is what tools leave among label files: names of classes, a readme."""
    base = os.path.basename(name).lower()
    return base == "classes.txt" or base.startswith("readme")


def described_by(folder: str) -> str | None:
    """Find the description: in the folder, or in the one that has it or its ``labels``."""
    for _ in range(3):
        path = os.path.join(folder, description.NAME)
        if os.path.isfile(path):
            return path
        folder = os.path.dirname(folder)
    return None


def entries(folder: str, fault: Callable[[FormatError], None]) -> list[Entry]:
    """List the images with their label files, in the order of their names.

    Parameters
    ----------
    folder : str
        As for :func:`pairs`.
    fault : callable
        Called with an error for each label file without an image, and each further one of an
        image.
    """
    found = []
    for pair in pairs(folder):
        labels: dict[str, str] = {}
        for name in walk(os.path.join(folder, pair.labels), (".txt",)):
            other = labels.setdefault(os.path.splitext(name)[0], name)
            if other != name:
                path = os.path.normpath(os.path.join(folder, pair.labels, name))
                fault(FormatError(f"{path}: found {other} beside it, expected one label file"))
        images = os.path.join(folder, pair.images)
        names = walk(images, SUFFIXES) if os.path.isdir(images) else []
        stems = [os.path.splitext(name)[0] for name in names]
        for name, stem in zip(names, stems, strict=True):
            label = labels.get(stem)
            file = "" if label is None else os.path.normpath(os.path.join(pair.labels, label))
            image = os.path.normpath(os.path.join(pair.images, name))
            found.append(Entry(pair.prefix + name, file, image))
        for stem in sorted(labels.keys() - set(stems)):
            if not is_note(labels[stem]):
                fault(
                    FormatError(
                        f"{os.path.normpath(os.path.join(folder, pair.labels, labels[stem]))}: "
                        f"found no image, expected one in {os.path.normpath(images)}, such as "
                        f"{stem}.jpg: values are parts of its sides"
                    )
                )
    return sorted(found)


def _images_of(folder: str) -> str:
    """Give the folder of the images of a folder of label files: that of the last ``labels``."""
    parts = folder.split(os.sep)
    for i in reversed(range(len(parts))):
        if parts[i] == LABELS:
            images = os.sep.join([*parts[:i], IMAGES, *parts[i + 1 :]])
            if os.path.isdir(images):
                return os.path.relpath(images, folder)
    return "."
