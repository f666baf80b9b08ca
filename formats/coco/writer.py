"""The writer of a COCO document: images in, one complete file out."""

from __future__ import annotations

import contextlib
import errno
import operator
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

from compactmask.errors import CompactMaskError, CorruptFileError, FormatError

from .. import disk
from ..partial import put_in_place
from ..sink import Loss
from . import assembling
from .about import About, checked_metadata, checked_names
from .categories import Categories, Category
from .composing import Composer, Image
from .register import Added, Register
from .spool import Spool, Stamp, stamp_of
from .values import text

if TYPE_CHECKING:
    from supervision import Detections

WRITE_BYTES = 1 << 20


class Waiting(NamedTuple):
    """An image that is given to the spool, to be counted when that has it."""

    ends: tuple[int, int]
    """Those of the spool without it."""
    added: Added
    categories: list[Category]
    loss: Loss
    """With that of this image."""


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
        Whether any file that is there is replaced.
    keep : bool
        Whether images that wait stay for another writer, where this one is not closed. Then no
        file is replaced but the one that was there when they began to wait.
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
        self._about = About(target)
        self._categories = Categories(self._about.classes, self._about.metadata)
        self._loss = Loss()
        self._register = Register()
        self._waiting: Waiting | None = None
        self._one_at_a_time = threading.RLock()

    @property
    def path(self) -> str:
        """The document's place, where it is when it is complete."""
        return self._target

    @property
    def classes(self) -> list[str]:
        """Class names, to which more may be added; ``class_id`` is the index into them."""
        return self._about.classes

    @classes.setter
    def classes(self, names: Iterable[str]) -> None:
        self._about.classes[:] = checked_names(names, self._target)
        self._note_about()

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says about itself; must be JSON."""
        return self._about.metadata

    @metadata.setter
    def metadata(self, value: Mapping[str, Any]) -> None:
        checked_metadata(value, self._target)
        own, new = self._about.metadata, dict(value)
        own.clear()
        own.update(new)
        self._note_about()

    @property
    def loss(self) -> Loss:
        """What could not be held so far."""
        self._settle()
        if self._composer.style == "dataset":
            own = assembling.OWN & self.metadata.keys()
            is_held = own == {"categories"} and self._categories.are_listed
            said = {"metadata": bool(own) and not is_held}
        else:
            said = {
                "classes": not self._categories.are_named_by_ids,
                "metadata": bool(self.metadata.keys() - {"categories"}),
            }
        fields = self._loss.fields | {name for name, lost in said.items() if lost}
        return Loss(self._loss.masks, self._loss.pixels, fields)

    @property
    def instances(self) -> int:
        """Number of instances appended."""
        self._settle()
        return self._register.instances

    def __len__(self) -> int:
        """Give the number of images."""
        self._settle()
        return self._register.images

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
        if file_name is not None:
            _check_name(file_name, self._target)
        number = None if id is None else _checked_id(id, f"{self._target}: id")
        with self._one_at_a_time:
            self._settle()
            return self._register.has(file_name, number)

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
        self._check_process()
        with self._one_at_a_time:
            if self._closed:
                raise ValueError(f"{self._target}: the writer is closed")
            self._append(
                detections, file_name, image_shape, image_id, {} if columns is None else columns
            )

    def close(self) -> None:
        """Put the document together and in place. Closing twice is allowed.

        Raises
        ------
        FileExistsError
            Where a file was put there or changed meanwhile, and must stay.
        FormatError
            Where the metadata is not JSON. The writer stays open.
        CompactMaskError
            In a fork of the process that the writer belongs to.
        """
        with self._one_at_a_time:
            if self._closed:
                return
            self._check_process()
            self._note_about()
            with contextlib.suppress(FileNotFoundError):
                disk.remove(self._temporary)  # It may be a second name of a complete document.
            with open(self._temporary, "xb", WRITE_BYTES) as file:
                for part in self._document():
                    file.write(part)
            put_in_place(self._temporary, self._target, self._may_replace())
            self._closed = True
            self._spool.remove()

    def abandon(self) -> None:
        """Let go of it as it is, if it is not closed. Nothing takes the document's place."""
        if not self._closed and os.getpid() == self._pid:
            with contextlib.suppress(FileNotFoundError):
                disk.remove(self._temporary)
            if self._keep:
                with contextlib.suppress(CompactMaskError, TypeError, OSError):
                    self._note_about()
            self._closed = True
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

    def begin(self, classes: list[str], found: Stamp | None) -> None:
        """Begin with an empty spool; ``found`` is what is at the document's place."""
        self._spool.create(self._note(), found)
        self._closed = False
        self.classes = classes

    def resume(self, classes: list[str]) -> None:
        """Go on with what waits in the spool, which is open."""
        try:
            for (note, _), own_lines in self._spool.resume(self._note()):
                try:
                    self._restore(note, own_lines)
                except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                    raise CorruptFileError(
                        f"{self._spool.images_path}: the record of image {self._register.images} "
                        f"is damaged: {error!r}"
                    ) from None
            before = list(self.classes)
            common = min(len(before), len(classes))
            if before[:common] != classes[:common]:
                raise FormatError(
                    f"{self._target}: classes {classes}, those that are there are {before}: "
                    "expected them to begin alike"
                )
            self._may_replace()
        except BaseException:
            self._spool.close()
            raise
        self._closed = False
        self.classes = classes if len(classes) > len(before) else before

    def _restore(self, note: dict[str, Any], own_lines: list[bytes]) -> None:
        """Take one record of the spool."""
        if "classes" in note:
            self._about.restore(note)
            return
        stated = [line.partition(b"\t")[0] for line in own_lines]
        ids = [int(own) if own else None for own in stated]
        number = note["id"]
        of_annotations, of_image = map(frozenset, note["keys"])
        self._register.add(
            self._register.with_image(
                number,
                note.get("own_id", number),
                note["file_name"],
                ids,
                (of_annotations, of_image),
            )
        )
        self._categories.keep([Category(*item) for item in note["categories"]])
        masks, pixels, fields = note["loss"]
        self._loss = _sum(self._loss, Loss(masks, pixels, frozenset(fields)))

    def _append(
        self,
        detections: Detections,
        file_name: str | None,
        image_shape: tuple[int, int] | None,
        image_id: SupportsIndex | None,
        columns: Mapping[str, Any],
    ) -> None:
        self._settle()
        where = f"{self._target}: image {self._register.images}"
        if file_name is not None:
            _check_name(file_name, where)
            where += f" ({file_name!r})"
            text(f"{where}: file_name", file_name)
        number = (
            self._register.free_id()
            if image_id is None
            else _checked_id(image_id, f"{where}: image_id")
        )
        _check_columns(columns, where)
        image = Image(number, file_name, image_shape, columns)
        self._register.check(number, image.own_id, where)
        composed = self._composer.compose(detections, image, self._categories, where)
        keys = self._register.new_keys(composed.keys, where)
        note: dict[str, Any] = {
            "id": number,
            "file_name": file_name,
            "keys": [sorted(own) for own in keys],
            "categories": self._categories.new(composed.categories),
            "loss": [composed.loss.masks, composed.loss.pixels, sorted(composed.loss.fields)],
        }
        if image.own_id != number:
            note["own_id"] = image.own_id
        self._note_about()
        self._waiting = Waiting(
            self._spool.ends,
            self._register.with_image(number, image.own_id, file_name, composed.ids, keys),
            composed.categories,
            _sum(self._loss, composed.loss),
        )
        self._spool.append(composed.lines, note, composed.entry)
        self._settle()

    def _settle(self) -> None:
        """Count the image that was appended last, where the spool has it: interrupts may come."""
        if self._waiting is None:
            return
        with self._one_at_a_time:
            waiting = self._waiting
            if waiting is not None and waiting.ends != self._spool.ends:
                self._register.add(waiting.added)
                self._categories.keep(waiting.categories)
                self._loss = waiting.loss
            self._waiting = None

    def _note_about(self) -> None:
        """Note classes and metadata, where they have changed."""
        with self._one_at_a_time:
            self._settle()
            note = self._about.changes()
            if note is not None and not self._closed and os.getpid() == self._pid:
                self._spool.append([], note, "")
                self._about.noted(note)

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise CompactMaskError(
                f"{self._target}: its writer belongs to process {self._pid}, not to this fork of it"
            )

    def _note(self) -> dict[str, Any]:
        return {"style": self._composer.style, "polygons": self._composer.polygons}

    def _may_replace(self) -> bool:
        """Tell whether there is something to replace; refuse what was not there at the beginning.

        Raises
        ------
        FileExistsError
            Where it is something else.
        """
        if not self._keep:
            return self._replace
        found = stamp_of(self._target)
        if found not in (None, self._spool.found):
            if not self._is_put_together():
                problem = "it was made meanwhile, or changed; the images that wait beside it stay"
                raise FileExistsError(errno.EEXIST, problem, self._target)
            self._spool.found = found
        return found is not None

    def _is_put_together(self) -> bool:
        """Tell whether what waits is in place already, by a writer that then was killed."""
        with open(self._target, "rb") as file:
            is_same = all(file.read(len(part)) == part for part in self._document())
            return is_same and not file.read(1)

    def _document(self) -> Iterator[bytes]:
        """Give the document in parts."""
        if self._composer.style == "results":
            return assembling.results(self._spool)
        return assembling.dataset(
            self._spool,
            self.metadata,
            self._categories,
            are_unique=self._register.are_unique,
            where=self._target,
        )


def _check_name(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{where}: file_name: str expected, not {type(value).__name__}")


def _check_columns(value: Any, where: str) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{where}: columns: a mapping expected, not {type(value).__name__}")
    for name in value:
        if not isinstance(name, str):
            raise TypeError(f"{where}: columns: {name!r}: a name expected")


def _checked_id(value: Any, where: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{where} {value!r}, an integer expected") from None
    if not -(1 << 63) <= number < 1 << 63:
        raise FormatError(f"{where} {number}, expected 64 bits")
    return number


def _sum(one: Loss, other: Loss) -> Loss:
    return Loss(one.masks + other.masks, one.pixels + other.pixels, one.fields | other.fields)
