"""A folder of SA-1B: a document for each image, which is one dataset together."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from compactmask.errors import CompactMaskError, CorruptFileError, FormatError

from ..listing import looking_at, walk
from .annotations import Annotations
from .compact import Texts
from .content import Content
from .faults import Faults
from .file import JsonFile
from .gather import Keys
from .images import single
from .stream import Stream

ENDINGS = (".json", ".json.gz")


class Folder:
    """The documents of a folder, by the position of their image.

    Parameters
    ----------
    path : str
        The folder.
    names : Texts
        Of its files.
    """

    def __init__(self, path: str, names: Texts) -> None:
        self.path = path
        self._names = names
        self._bytes_read = 0
        self._last: tuple[int, JsonFile] | None = None
        self._stamps = np.zeros((len(names), 2), np.int64)

    @property
    def bytes_read(self) -> int:
        """Bytes read by position."""
        return self._bytes_read

    def file(self, image: int) -> JsonFile:
        """Open the document of an image.

        Raises
        ------
        CorruptFileError
            Where it was changed since it was opened first, or cannot be opened any more.
        """
        file = _open(self.path, self._names[image])
        if not self._stamps[image].any():
            self._stamps[image] = file.stamp
        elif tuple(self._stamps[image].tolist()) != file.stamp:
            raise CorruptFileError(f"{file.path}: the file was changed after it was opened")
        return file

    def check(self, image: int) -> None:
        """Look whether the document of an image is as it was."""
        self._at(image).check(image)

    def read(self, image: int, start: int, stop: int) -> bytes:
        """Give the bytes from ``start`` to ``stop`` of the document of an image."""
        self._bytes_read += stop - start
        return self._at(image).read(image, start, stop)

    def _at(self, image: int) -> JsonFile:
        """Give the document of an image; the last one stays open."""
        last = self._last
        if last is None or last[0] != image:
            last = self._last = image, self.file(image)
        return last[1]

    def state(self) -> str:
        """Give what tells the documents from others, and from what they were when opened first."""
        names, indptr = self._names.parts()
        digest = hashlib.blake2b(names, digest_size=16)
        digest.update(indptr.tobytes())
        digest.update(self._stamps.tobytes())
        return digest.hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all documents."""
        paths = (os.path.join(self.path, self._names[i]) for i in range(len(self._names)))
        return sum(map(os.path.getsize, paths))


def read(path: str, faults: Faults) -> tuple[Content, Folder]:
    """Read the documents of a folder.

    Parameters
    ----------
    path : str
        The folder; its files are taken in the order of their names.
    faults : Faults
        What becomes of bad annotations, and of documents that cannot be read.

    Raises
    ------
    FormatError
        Where one is not what SA-1B has, or the folder holds something, but none.
    """
    listed = walk(path, ENDINGS)
    if not listed and os.listdir(path):
        raise FormatError(f"{path}: a folder without JSON files, expected those of SA-1B")
    names = Texts(_good(path, listed, faults))
    folder = Folder(path, names)
    annotations = Annotations(Keys(), faults)
    images = [
        _read_one(folder.file(position), position, annotations, faults)
        for position in range(len(names))
    ]
    return annotations.single_images(single(path, images), folder, names), folder


def _good(path: str, listed: list[str], faults: Faults) -> Iterator[str]:
    """Give the names of the documents; where bad ones are left out, read each to tell them."""
    for name in listed:
        try:
            name.encode()
            if faults.are_left_out:
                of_annotations = Faults(path, lambda error: None)
                file = _open(path, name)
                _read_one(file, 0, Annotations(Keys(), of_annotations), of_annotations)
        except UnicodeEncodeError:
            faults.tell_named(FormatError(f"{path}: {name!r}: a name that is no text"))
        except CompactMaskError as error:
            faults.tell_named(error)
        else:
            yield name


def _open(path: str, name: str) -> JsonFile:
    place = os.path.join(path, *name.split("/"))
    with looking_at(place):
        return JsonFile(place)


def _read_one(
    file: JsonFile, position: int, annotations: Annotations, faults: Faults
) -> dict[str, Any]:
    """Read a document; give what it says of its image."""
    stream = Stream(file)
    found: list[str] = []
    image = None
    if stream.peek() == b"{":
        for key in stream.members():
            found.append(key)
            if key == "annotations":
                if stream.begin_list(key):
                    annotations.read(stream, position, faults.of(file.path))
            else:
                value = stream.value()
                image = value if key == "image" else image
        stream.end()
    if not isinstance(image, dict):
        raise FormatError(
            f"{file.path}: found {', '.join(map(repr, found[:8])) or 'no object'}, expected "
            "'image' and 'annotations', as SA-1B has"
        )
    single(file.path, [image])
    return image
