"""The writer of a COCO document: images in, one complete file out."""

from __future__ import annotations

import contextlib
import operator
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsIndex

from compactmask.errors import FormatError

from .. import disk
from ..partial import put_in_place
from ..sink import Loss
from . import lines
from .categories import Categories, Category
from .composing import Composer, Image
from .seen import Seen, hashed
from .spool import Spool

if TYPE_CHECKING:
    from supervision import Detections

WRITE_BYTES = 1 << 20


class Writer:
    """A COCO document that grows image by image, and takes its place when it is complete.

    Use it in a ``with`` statement; see :func:`create` for what is left where the body raises.
    Threads may share it, processes may not.

    Parameters
    ----------
    target : str
        Where the document shall be, as :func:`~..partial.resolve` gives it.
    spool : Spool
        Open, where images wait until then.
    temporary : str
        Where the document is put together, beside its place.
    composer : Composer
        Writes images as lines.
    replace : bool
        Whether a file that is there is replaced.
    keep : bool
        Whether images that wait stay for another writer, where this one is not closed.
    """

    def __init__(
        self,
        target: str,
        spool: Spool,
        temporary: str,
        *,
        composer: Composer,
        replace: bool,
        keep: bool,
    ) -> None:
        self._closed = True
        self._target = target
        self._spool = spool
        self._temporary = temporary
        self._composer = composer
        self._replace = replace
        self._keep = keep
        self._pid = os.getpid()
        self._classes: list[str] = []
        self._metadata: dict[str, Any] = {}
        self._noted_classes: list[str] | None = None
        self._categories = Categories(self._classes, self._metadata)
        self._loss = Loss()
        self._ids, self._names, self._pairs = Seen(), Seen(), Seen()
        self._annotation_ids: Seen | None = Seen()
        self._images = self._instances = 0
        self._one_at_a_time = threading.RLock()

    @property
    def path(self) -> str:
        """The document's place, where it is when it is complete."""
        return self._target

    @property
    def classes(self) -> list[str]:
        """Class names, to which more may be added; ``class_id`` is the index into them."""
        return self._classes

    @classes.setter
    def classes(self, names: Iterable[str]) -> None:
        self._classes[:] = checked_names(names, self._target)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says about itself; must be JSON."""
        return self._metadata

    @metadata.setter
    def metadata(self, value: Mapping[str, Any]) -> None:
        self._metadata.clear()
        self._metadata.update(value)

    @property
    def loss(self) -> Loss:
        """What could not be held so far."""
        return self._loss

    @property
    def instances(self) -> int:
        """Number of instances appended."""
        return self._instances

    def __len__(self) -> int:
        """Give the number of images."""
        return self._images

    def has(self, *, file_name: str | None = None, id: SupportsIndex | None = None) -> bool:
        """Tell whether there is an image of a file name or id.

        Parameters
        ----------
        file_name : str, optional
            Its name.
        id : int, optional
            Its id; where both are given, an image must have both.
        """
        if file_name is None and id is None:
            raise TypeError(f"{self._target}: a file_name or an id expected")
        with self._one_at_a_time:
            if file_name is None:
                return _checked_id(id, f"{self._target}: id") in self._ids
            if id is None:
                return hashed(file_name) in self._names
            number = _checked_id(id, f"{self._target}: id")
            return hashed(f"{number} {file_name}") in self._pairs

    def append(
        self,
        detections: Detections,
        file_name: str | None = None,
        image_shape: tuple[int, int] | None = None,
        image_id: SupportsIndex | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one image. One that is refused, or cannot be written, changes nothing.

        Parameters
        ----------
        detections : sv.Detections
            What was found, maybe nothing. Its mask may be a CompactMask of this package or of
            supervision, or dense.
        file_name : str, optional
            Name of the image.
        image_shape : tuple of int, optional
            ``(H, W)``; taken from the mask where there is one.
        image_id : int, optional
            Id of the image; the next free number where it is not given, which begins with the
            position.
        columns : mapping, optional
            Further values of the image by name.

        Raises
        ------
        TypeError
            Where something is of a kind that cannot be written.
        ShapeMismatchError
            Where lengths or image shapes disagree.
        InvalidMaskError
            Where a mask is not valid.
        FormatError
            Where the id exists, a class has two category ids, a value is nothing that JSON
            holds, a result has no score, or a mask would not come back from polygons.
        """
        with self._one_at_a_time:
            if self._closed:
                raise ValueError(f"{self._target}: the writer is closed")
            self._append(detections, file_name, image_shape, image_id, columns or {})

    def close(self) -> None:
        """Put the document together and in place. Closing twice is allowed.

        Raises
        ------
        FileExistsError
            Where a file was put there meanwhile, and must stay.
        FormatError
            Where the metadata is not JSON. The writer stays open.
        """
        with self._one_at_a_time:
            if self._closed:
                return
            with contextlib.suppress(FileNotFoundError):
                disk.remove(self._temporary)  # It may be a second name of a complete document.
            with open(self._temporary, "xb", WRITE_BYTES) as file:
                for part in self._document():
                    file.write(part)
            put_in_place(self._temporary, self._target, self._replace)
            self._closed = True
            self._spool.remove()

    def abandon(self) -> None:
        """Let go of it as it is, if it is not closed. Nothing takes the document's place."""
        if not self._closed and os.getpid() == self._pid:
            self._closed = True
            with contextlib.suppress(FileNotFoundError):
                disk.remove(self._temporary)
            if self._keep:
                self._spool.close()
            else:
                self._spool.remove()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.close()
        finally:
            self.abandon()

    def __del__(self) -> None:
        self.abandon()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"Writer({self._target!r}: {len(self)} images, {state})"

    def begin(self, classes: list[str]) -> None:
        """Begin with an empty spool."""
        self._spool.create(self._note())
        self._closed = False
        self.classes = classes

    def resume(self, classes: list[str]) -> None:
        """Go on with what waits in the spool."""
        for (note, _), own_lines in self._spool.resume(self._note()):
            if "classes" in note:
                self._noted_classes = note["classes"]
                self._metadata.update(note["metadata"])
            self._categories.keep([Category(*item) for item in note["categories"]])
            number, name = note["id"], note["file_name"]
            stated = [line.partition(b"\t")[0] for line in own_lines]
            if self._composer.style == "results":
                stated = [b""] * len(stated)
            self._keep_image(number, name, [int(own) if own else None for own in stated])
            masks, pixels, fields = note["loss"]
            self._add_loss(Loss(masks, pixels, frozenset(fields)))
        before = self._noted_classes or []
        common = min(len(before), len(classes))
        if before[:common] != classes[:common]:
            self._spool.close()
            raise FormatError(
                f"{self._target}: classes {classes}, those that are there are {before}: expected "
                "them to begin alike"
            )
        self._closed = False
        self.classes = classes if len(classes) > len(before) else before

    def _append(
        self,
        detections: Detections,
        file_name: str | None,
        image_shape: tuple[int, int] | None,
        image_id: SupportsIndex | None,
        columns: Mapping[str, Any],
    ) -> None:
        where = f"{self._target}: image {self._images}"
        if file_name is not None:
            if not isinstance(file_name, str):
                raise TypeError(f"{where}: file_name: str expected, not {type(file_name).__name__}")
            where += f" ({file_name!r})"
        number = (
            self._free_id() if image_id is None else _checked_id(image_id, f"{where}: image_id")
        )
        if number in self._ids:
            raise FormatError(f"{where}: the document has an image of id {number}")
        image = Image(number, file_name, image_shape, columns)
        composed = self._composer.compose(detections, image, self._categories, where)
        note: dict[str, Any] = {
            "id": number,
            "file_name": file_name,
            "categories": self._categories.new(composed.categories),
            "loss": [composed.loss.masks, composed.loss.pixels, sorted(composed.loss.fields)],
        }
        if self._noted_classes != self._classes:
            lines.text(self._metadata, f"{self._target}: metadata")
            note |= {"classes": self._classes, "metadata": self._metadata}
        self._spool.append(composed.lines, note, composed.entry)
        self._noted_classes = list(self._classes)
        self._categories.keep(composed.categories)
        self._keep_image(number, file_name, composed.ids)
        self._add_loss(composed.loss)

    def _keep_image(self, number: int, file_name: str | None, ids: Iterable[int | None]) -> None:
        self._ids.add(number)
        if file_name is not None:
            self._names.add(hashed(file_name))
            self._pairs.add(hashed(f"{number} {file_name}"))
        self._images += 1
        for own in ids:
            self._instances += 1
            known = self._annotation_ids
            if known is not None and (own is None or not known.add(own)):
                self._annotation_ids = None

    def _add_loss(self, more: Loss) -> None:
        self._loss = Loss(
            self._loss.masks + more.masks,
            self._loss.pixels + more.pixels,
            self._loss.fields | more.fields,
        )

    def _free_id(self) -> int:
        number = self._images
        while number in self._ids:
            number += 1
        return number

    def _note(self) -> dict[str, Any]:
        return {"style": self._composer.style, "polygons": self._composer.polygons}

    def _document(self) -> Iterator[bytes]:
        """Give the document in parts."""
        if self._composer.style == "results":
            yield b"["
            yield from _separated(b"{" + line[1:-1] for line in self._spool.lines())
            yield b"]\n"
            return
        yield b"{"
        for key, value in self._metadata.items():
            if key not in ("images", "annotations", "categories"):
                where = f"{self._target}: metadata[{key!r}]"
                yield f"{lines.text(key, where)}:{lines.text(value, where)},\n".encode()
        yield b'"images":['
        yield from _separated(record.entry.encode() for record in self._spool.records())
        yield b'],\n"annotations":['
        yield from _separated(self._annotations())
        yield b'],\n"categories":'
        yield lines.text(self._categories.objects(), f"{self._target}: categories").encode()
        yield b"}\n"

    def _annotations(self) -> Iterator[bytes]:
        """Give annotations with their ids, or with new ones where they are not unique."""
        for position, line in enumerate(self._spool.lines(), 1):
            number, _, members = line.partition(b"\t")
            if self._annotation_ids is None:
                number = b"%d" % position
            yield b'{"id":' + number + b"," + members[:-1]


def _separated(items: Iterable[bytes]) -> Iterator[bytes]:
    separator = b"\n"
    for item in items:
        yield separator
        yield item
        separator = b",\n"


def _checked_id(value: Any, where: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{where} {value!r}, an integer expected") from None
    if not -(1 << 63) <= number < 1 << 63:
        raise FormatError(f"{where} {number}, expected 64 bits")
    return number


def checked_names(names: Iterable[str], path: str) -> list[str]:
    """Give class names as a list of str."""
    if isinstance(names, str):
        raise TypeError(f"{path}: classes {names!r}, a list of names expected")
    found = list(names)
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"{path}: classes: {name!r}, str expected")
    return [str(name) for name in found]
