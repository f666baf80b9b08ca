"""The writer: images in, commit by commit or as one complete file."""

from __future__ import annotations

import contextlib
import operator
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsIndex

from compactmask.errors import CompactMaskError, FormatError

from ..sink import Loss
from . import snapshot
from .about import About
from .catalog import Catalog
from .contents import Contents
from .journaled import LogLostError
from .rows import checked_text, make_rows
from .store import FittedRows, Store
from .target import Target

if TYPE_CHECKING:
    from supervision import Detections

OnDuplicate = Literal["raise", "skip", "replace", "keep"]


class Appended(NamedTuple):
    """An image that fits into the store."""

    fitted: FittedRows
    id: int
    file_name: str | None


class Writer:
    """A dataset that grows image by image.

    Use it in a ``with`` statement. What was appended is kept when the body raises. Threads may
    share it, processes may not. See :func:`create` for what a commit is, and what is left of a
    writer that was killed.

    Parameters
    ----------
    target : Target
        Where rows are left.
    store : Store
        Gathers them; it may hold what a file ends with.
    before : Contents, optional
        The file that is continued.
    commit_every, on_duplicate
        As of :func:`create`.
    """

    def __init__(
        self,
        target: Target,
        store: Store,
        before: Contents | None = None,
        *,
        commit_every: int = 1,
        on_duplicate: OnDuplicate = "raise",
    ) -> None:
        self.path = target.path
        self._target = target
        self._store = store
        self._catalog = Catalog()
        self._commit_every = commit_every
        self._on_duplicate = on_duplicate
        self._pending = 0
        self._closed = False
        self._one_at_a_time = threading.RLock()
        self._pid = os.getpid()
        self._about = About(self.path, store, before)
        if before is not None:
            self._catalog.fill(before)

    @property
    def classes(self) -> list[str]:
        """Class names, to which more may be added; ``class_id`` is the index into them."""
        return self._about.classes

    @classes.setter
    def classes(self, names: Iterable[str]) -> None:
        self._about.classes = names

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says about itself; must be JSON."""
        return self._about.metadata

    @metadata.setter
    def metadata(self, value: dict[str, Any]) -> None:
        self._about.metadata = value

    @property
    def loss(self) -> Loss:
        """What the format cannot hold: nothing; what it has no place for is refused."""
        return Loss()

    def __len__(self) -> int:
        """Give the number of images."""
        return self._store.images.rows - self._catalog.n_deleted

    def append(
        self,
        detections: Detections,
        file_name: str | None = None,
        image_shape: tuple[int, int] | None = None,
        image_id: SupportsIndex | None = None,
        columns: Mapping[str, Any] | None = None,
        on_duplicate: OnDuplicate | None = None,
    ) -> None:
        """Add one image. An image that is refused, or cannot be written, changes nothing.

        When this returns the image is committed, unless ``commit_every`` is more than 1.

        Parameters
        ----------
        detections : sv.Detections
            What was found, maybe nothing. Its mask may be a CompactMask of this package or of
            supervision, or dense. ``data`` may hold numbers, bools and text: arrays with a row
            for each instance, or lists; ``metadata`` must be JSON.
        file_name : str, optional
            Name of the image, not empty.
        image_shape : tuple of int, optional
            ``(H, W)``; taken from the mask where there is one.
        image_id : int, optional
            Id of the image. The next free number where it is not given, which begins with the
            position; that of the image whose name it has, where it replaces that one.
        columns : mapping, optional
            Further values of the image by name: a number, a bool or a str each.
        on_duplicate : {"raise", "skip", "replace", "keep"}, optional
            What is done where there is an image of that id or file name; as the writer was
            created by default.

        Raises
        ------
        TypeError
            Where something is of a kind that the format does not hold.
        ShapeMismatchError
            Where lengths or image shapes disagree.
        InvalidMaskError
            Where a mask is not valid.
        FormatError
            Where the id or the file name exists, or a value does not convert exactly to the
            dtype of its column, which is that of its first values.
        OSError
            Where it cannot be written, for example because the disk is full.
        CompactMaskError
            Where the file was removed or replaced by another program.
        """
        with self._alone():
            self._append(
                detections,
                file_name,
                image_shape,
                image_id,
                {} if columns is None else columns,
                checked_policy(on_duplicate or self._on_duplicate),
            )
            self._fold_when_due()

    def has(self, *, file_name: str | None = None, id: SupportsIndex | None = None) -> bool:
        """Tell whether there is an image of a file name or id, also one that is not committed yet.

        Parameters
        ----------
        file_name : str, optional
            Its name.
        id : int, optional
            Its id; where both are given, an image must have both.

        Examples
        --------
        >>> import supervision as sv, compactmask as cm
        >>> with cm.create(getfixture("tmp_path") / "run.h5") as out:
        ...     for name in ("a.jpg", "b.jpg", "a.jpg"):
        ...         if not out.has(file_name=name):
        ...             out.append(sv.Detections.empty(), file_name=name)
        ...     len(out)
        2
        """
        self._check_process()
        with self._one_at_a_time:
            return self._find(file_name, id) is not None

    def delete(self, *, file_name: str | None = None, id: SupportsIndex | None = None) -> None:
        """Delete an image. Its bytes stay in the file until it is repacked.

        Parameters
        ----------
        file_name : str, optional
            Its name.
        id : int, optional
            Its id; where both are given, an image must have both.

        Raises
        ------
        KeyError
            Where there is none.
        """
        with self._alone():
            image = self._find(file_name, id)
            if image is None:
                asked = {"file_name": file_name, "id": id}
                what = " and ".join(f"{name} {v!r}" for name, v in asked.items() if v is not None)
                raise KeyError(f"{self.path}: no image of {what}")
            self._change(None, [image])
            self._fold_when_due()

    def commit(self) -> None:
        """Commit what is not committed yet: images, deletions, classes and metadata.

        Raises
        ------
        TypeError
            Where ``classes`` or ``metadata`` cannot be stored.
        OSError
            Where it cannot be written; it is tried again with the next commit.
        """
        with self._alone():
            self._about.check()
            self._commit()
            self._fold_when_due()

    def close(self) -> None:
        """Commit what is left and complete the file. Closing twice is allowed.

        Raises
        ------
        TypeError
            Where ``classes`` or ``metadata`` cannot be stored. The writer stays open.
        OSError
            Where something could not be committed, and the writer stays open; or where the file
            could not be completed: everything is committed then, and the writer is closed.
        CompactMaskError
            Where another file has taken the place of this one.
        """
        self._check_process()
        with self._one_at_a_time:
            if not self._closed:
                self._about.check()
                self._finish()

    def abandon(self) -> None:
        """Close without a further commit; what was committed stays."""
        if not self._closed:
            self._closed = True
            if os.getpid() == self._pid:
                self._target.abandon()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            try:
                self.close()
            except (TypeError, FormatError):  # The last classes and metadata that can be stored.
                self._finish()
                raise
        except Exception:
            if error is None:  # Otherwise that one tells more.
                raise
        finally:
            self.abandon()

    def __del__(self) -> None:
        if hasattr(self, "_closed"):
            self.abandon()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"Writer({self.path!r}: {len(self)} images, {state})"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads out, and refuse a closed writer."""
        self._check_process()
        with self._one_at_a_time:
            self._check_open()
            yield

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self.path}: the writer is closed")

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise CompactMaskError(
                f"{self.path}: its writer belongs to process {self._pid}, not to this fork of it"
            )

    def _append(
        self,
        detections: Detections,
        file_name: str | None,
        image_shape: tuple[int, int] | None,
        image_id: SupportsIndex | None,
        columns: Mapping[str, Any],
        policy: OnDuplicate,
    ) -> None:
        where = f"{self.path}: image {len(self)}"
        if file_name is not None:
            where += f" ({file_name!r})"
            checked_text(file_name, where, "file_name")
            if not file_name:
                raise FormatError(f"{where}: file_name is empty, None stands for no name")
        number = None if image_id is None else _checked_id(image_id, f"{where}: image_id")
        same = self._same(number, file_name, policy, where)
        if same and policy == "skip":
            return
        if number is None:
            free = self._catalog.free_id
            number = self._id_of(same[0]) if same else free(self._store.images.rows)
        self._about.check_changes()
        if not isinstance(columns, Mapping):
            raise TypeError(f"{where}: columns: {type(columns).__name__}, a mapping expected")
        rows = make_rows(
            detections,
            image_id=number,
            file_name=file_name,
            image_shape=image_shape,
            columns=columns,
            where=where,
        )
        self._change(Appended(self._store.fit(rows, where), number, file_name), same)

    def _change(self, new: Appended | None, deleted: list[int]) -> None:
        """Change the store and commit when it is time; after an error it is as it was."""
        commits = self._target.commits  # At first: it waits for a checkpoint that is at work.
        images, mark = self._store.images.rows, self._store.mark()
        try:
            if new is not None:
                self._store.take(new.fitted)
                self._catalog.add(images, new.id, new.file_name)
            if deleted:
                self._store.delete(deleted)
                self._catalog.delete(deleted)
            if self._pending + 1 >= self._commit_every:
                self._give_and_commit()
            else:
                self._pending += 1
        except BaseException:
            if self._target.commits == commits:
                self._store.roll_back(mark)
                self._catalog.roll_back(images, deleted)
            raise

    def _commit(self) -> None:
        """Commit; after an error the store is as it was."""
        commits, mark = self._target.commits, self._store.mark()
        try:
            self._give_and_commit()
        except BaseException:
            if self._target.commits == commits:
                self._store.roll_back(mark)
            raise

    def _give_and_commit(self) -> None:
        self._about.give()
        self._target.commit(self._store)
        self._pending = 0

    def _fold_when_due(self) -> None:
        if not self._pending:  # What is not committed does not become visible.
            self._target.fold_when_due(self._store)

    def _finish(self) -> None:
        self._check_open()
        try:
            self._commit()
        except LogLostError:
            self._about.give()
        self._closed = True
        self._target.close(self._store)

    def _same(
        self, number: int | None, file_name: str | None, policy: OnDuplicate, where: str
    ) -> list[int]:
        """Give the images that have this id or name, or refuse where there are any."""
        by_name, by_id = self._catalog.find_name(file_name), self._catalog.find_id(number)
        if policy == "raise" and by_name is not None:
            raise FormatError(f"{where}: the file has an image of that name")
        if policy in ("raise", "keep") and by_id is not None:
            raise FormatError(f"{where}: the file has an image of id {number}")
        if policy == "keep":
            return []
        return sorted({image for image in (by_name, by_id) if image is not None})

    def _find(self, file_name: str | None, id: SupportsIndex | None) -> int | None:
        if file_name is None and id is None:
            raise TypeError(f"{self.path}: a file_name or an id expected")
        if file_name is not None:
            checked_text(file_name, self.path, "file_name")
        number = None if id is None else _checked_id(id, f"{self.path}: id")
        if number is None:
            return self._catalog.find_name(file_name)
        by_id = self._catalog.find_id(number)
        if file_name is None or by_id is None or self._catalog.is_named(by_id, file_name):
            return by_id
        return None

    def _id_of(self, image: int) -> int:
        """Give the id of an image, from memory or from the file."""
        stream = next(self._store.images.columns["id"].streams())
        if image >= stream.first:
            waiting = stream.since(image)[: stream.row_bytes]
            return int.from_bytes(waiting, "little", signed=True)
        column = snapshot.take(self.path).contents().columns["images/id"]
        return int(column.rows(image, image + 1)[0])


def _checked_id(value: SupportsIndex, where: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{where} {value!r}, an integer expected") from None
    if not -(1 << 63) <= number < 1 << 63:
        raise TypeError(f"{where} {number}, an integer of 64 bits expected")
    return number


def checked_policy(value: OnDuplicate) -> OnDuplicate:
    """Refuse what is no policy."""
    policies = ("raise", "skip", "replace", "keep")
    if value not in policies:
        raise ValueError(
            f"on_duplicate {value!r}, expected one of {', '.join(map(repr, policies))}"
        )
    return value
