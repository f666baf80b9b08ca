"""Which format a folder is of, told by the files in it."""

from __future__ import annotations

import codecs
import contextlib
import os
from typing import TYPE_CHECKING, Literal

from compactmask.errors import CompactMaskError, FormatError

from .listing import looking_at, stem, walk

if TYPE_CHECKING:
    from .coco.stream import Stream

Kind = Literal["sa1b", "yolo", "label-images"]

FILES: dict[Kind, str] = {
    "sa1b": "SA-1B documents",
    "yolo": "YOLO label files",
    "label-images": "label images",
}
OPENERS: dict[Kind, str] = {
    "sa1b": "coco.open",
    "yolo": "yolo.open",
    "label-images": "label_images.open",
}
"""What opens a folder as of one format, in ``compactmask.formats``."""
LOOKED_AT = 8 << 20
"""Bytes of JSON files, in the order of their names, after which no further one is looked at."""
DEEPEST = 64
"""Objects inside each other that are passed one by one; those below are parsed, or refused."""
OF_OTHERS = ("images", "videos", "shapes")
"""Keys of COCO and labelme: none of their documents is read behind them."""


def kind_of(folder: str) -> Kind | None:
    """Tell which format a folder is of.

    Parameters
    ----------
    folder : str
        The folder. Names that begin with a point tell nothing.

    Returns
    -------
    str or None
        The one format of which it has a file that can be read; without any, "yolo" for a
        ``data.yaml`` or text, and "sa1b" for JSON. Of JSON files 8 MiB are looked at, and the
        one that begins in them to its end. What is wrong with files that cannot be read
        is told by the reader of the format.

    Raises
    ------
    FormatError
        Where it has files of several formats.
    """
    found = _readable(folder)
    if len(found) > 1:
        files = " and ".join(f"{FILES[kind]} ({name})" for kind, name in found.items())
        openers = " or ".join(OPENERS[kind] for kind in found)
        raise FormatError(
            f"{folder}: found {files}, expected those of one format; {openers} of "
            "compactmask.formats opens it as what is meant"
        )
    return next(iter(found), None) or _named(folder)


def _readable(folder: str) -> dict[Kind, str]:
    """Give the formats of which a folder has a file that can be read, and such a file."""
    document, of_documents = _document(folder)
    label_file, of_label_files = _label_file(folder)
    shown: dict[Kind, str | None] = {
        "sa1b": document,
        "yolo": label_file,
        "label-images": _label_image(folder, of_documents | of_label_files),
    }
    return {kind: name for kind, name in shown.items() if name is not None}


def _named(folder: str) -> Kind | None:
    """Tell by names alone."""
    from .coco import sa1b
    from .yolo import description, layout

    is_described = os.path.isfile(os.path.join(folder, description.NAME))
    if is_described or not all(map(layout.is_note, walk(folder, (".txt",)))):
        return "yolo"
    return "sa1b" if walk(folder, sa1b.ENDINGS) else None


def _document(folder: str) -> tuple[str | None, set[str]]:
    """Find a document of SA-1B; where there is one, give the stems of all documents too."""
    from .coco import sa1b
    from .coco.file import JsonFile
    from .coco.stream import Stream

    names, left = walk(folder, sa1b.ENDINGS), LOOKED_AT
    for name in names:
        if left <= 0:
            break
        path = os.path.join(folder, name)
        with contextlib.suppress(CompactMaskError), looking_at(path):
            file = JsonFile(path)
            left -= file.size
            if _has_image(Stream(file)):
                return name, {os.path.normpath(stem(other, sa1b.ENDINGS)) for other in names}
    return None, set()


def _has_image(stream: Stream) -> bool:
    """Tell whether a document has an image, as those of SA-1B, maybe behind its annotations."""
    if stream.peek() != b"{":
        return False
    for key in stream.members():
        if key == "image" and stream.peek() == b"{":
            return True
        if key in OF_OTHERS:
            return False
        _pass(stream)
    return False


def _pass(stream: Stream, levels: int = DEEPEST) -> None:
    """Go over a value, which may be large, without making anything of it down to some levels."""
    kind = stream.peek()
    if kind == b"{" and levels:
        for _ in stream.members():
            _pass(stream, levels - 1)
    elif kind != b"[":
        stream.value()
    elif stream.begin_list("a value"):
        for _ in stream.items([]):
            pass


def _label_file(folder: str) -> tuple[str | None, set[str]]:
    """Find a label file of an image; where there is one, give the stems of all images too."""
    from .yolo import description, layout

    entries = layout.entries(folder, lambda error: None)
    is_described = os.path.isfile(os.path.join(folder, description.NAME))
    for entry in entries:
        path = os.path.join(folder, entry.file)
        if entry.file and (is_described or _begins_with_instance(path)):
            return entry.file, {os.path.splitext(entry.image)[0] for entry in entries}
    return None, set()


def _begins_with_instance(path: str) -> bool:
    from .yolo import lines

    if not os.path.isfile(path):
        return False
    with contextlib.suppress(CompactMaskError), looking_at(path):
        with open(path, "rb") as file:
            text = file.readline(lines.LONGEST).removeprefix(codecs.BOM_UTF8)
            while text.isspace():
                text = file.readline(lines.LONGEST)
        return lines.parse(text) is not None
    return False


def _label_image(folder: str, photos: set[str]) -> str | None:
    """Find a label image that is neither a photo, told by its stem, nor among ``images``."""
    from .label_images import pixels, source

    for name in walk(folder, source.SUFFIXES):
        own = os.path.normpath(stem(name, source.SUFFIXES))
        is_photo = own in photos or "images" in name.split("/")[:-1]
        if not is_photo and pixels.is_label_image(os.path.join(folder, name)):
            return name
    return None
