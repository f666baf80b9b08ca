"""The writer: images in, commit by commit or as one complete file."""

from __future__ import annotations

import errno
import json
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, SupportsIndex

from compactmask import __version__
from compactmask.errors import FormatError, UnsupportedVersionError

from ..partial import resolve
from . import filters, schema, snapshot
from .catalog import Catalog
from .contents import Compression, Contents
from .journaled import Durability, Journaled
from .resume import resumed
from .rows import checked_text, json_text, make_rows
from .sealed import Sealed
from .store import Store

if TYPE_CHECKING:
    from supervision import Detections

Mode = Literal["x", "w", "a"]
OnDuplicate = Literal["raise", "skip", "replace"]
WRITER = f"compactmask {__version__}"


class Target(Protocol):
    """Where a writer leaves its rows."""

    @property
    def path(self) -> str:
        """The file."""

    @property
    def commits(self) -> int:
        """Changes whenever a commit has succeeded."""

    def commit(self, store: Store) -> None:
        """Commit what the store was given."""

    def fold_when_due(self, store: Store) -> None:
        """Move rows from memory into the file where there are enough."""

    def close(self, store: Store) -> None:
        """Complete the file, and let go of it."""

    def abandon(self) -> None:
        """Let go of the file as it is."""


class Writer:
    """A dataset that grows image by image.

    Use it in a ``with`` statement. What was appended is kept when the body raises. See
    :func:`create` for what a commit is, and what is left of a writer that was killed.

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
        self._next_id = 0
        self._closed = False
        self._stored_classes: list[str] = []
        self._stored_metadata = "{}"
        self.classes = []
        self.metadata = {}
        if before is not None:
            self._catalog.fill(before)
            self._stored_classes = before.classes()
            self.classes = self._stored_classes
            self.metadata = before.metadata()
            self._stored_metadata = json_text(self._metadata, f"{self.path}: metadata")

    @property
    def classes(self) -> list[str]:
        """Class names, to which more may be added; ``class_id`` is the index into them."""
        return self._classes

    @classes.setter
    def classes(self, names: Iterable[str]) -> None:
        classes = _listed(names, self.path)
        self._good_classes = self._checked_classes(classes)
        self._classes = classes

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says about itself; must be JSON."""
        return self._metadata

    @metadata.setter
    def metadata(self, value: dict[str, Any]) -> None:
        self._good_metadata = _checked_metadata(value, self.path)
        self._metadata = value

    def __len__(self) -> int:
        """Give the number of images."""
        return len(self._catalog)

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
        on_duplicate : {"raise", "skip", "replace"}, optional
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
        self._check_open()
        where = f"{self.path}: image {len(self)}"
        if file_name is not None:
            where += f" ({file_name!r})"
            checked_text(file_name, where, "file_name")
            if not file_name:
                raise FormatError(f"{where}: file_name is empty, None stands for no name")
        number = None if image_id is None else _checked_id(image_id, f"{where}: image_id")
        policy = _checked_policy(on_duplicate or self._on_duplicate)
        same = self._same(number, file_name, policy, where)
        if same and policy == "skip":
            return
        if number is None:
            number = self._id_of(same[0]) if same else self._free_id()
        self._check_about()
        if columns is not None and not isinstance(columns, Mapping):
            raise TypeError(f"{where}: columns: {type(columns).__name__}, a mapping expected")
        rows = make_rows(
            detections,
            image_id=number,
            file_name=file_name,
            image_shape=image_shape,
            columns={} if columns is None else columns,
            where=where,
        )
        fitted = self._store.fit(rows, where)

        def take() -> None:
            self._store.take(fitted)
            if same:
                self._store.delete(same)

        def note() -> None:
            self._catalog.add(number, file_name)
            self._catalog.delete(same)

        self._change(take, note)

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
        self._check_open()
        image = self._find(file_name, id)
        if image is None:
            asked = {"file_name": file_name, "id": id}
            what = " and ".join(f"{name} {v!r}" for name, v in asked.items() if v is not None)
            raise KeyError(f"{self.path}: no image of {what}")
        found = [image]
        self._change(lambda: self._store.delete(found), lambda: self._catalog.delete(found))

    def commit(self) -> None:
        """Commit what is not committed yet: images, deletions, classes and metadata.

        Raises
        ------
        TypeError
            Where ``classes`` or ``metadata`` cannot be stored.
        OSError
            Where it cannot be written; it is tried again with the next commit.
        """
        self._check_open()
        self._check_all_about()
        self._commit()
        self._target.fold_when_due(self._store)

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
        if not self._closed:
            self._check_all_about()
            self._finish()

    def abandon(self) -> None:
        """Close without a further commit; what was committed stays."""
        if not self._closed:
            self._closed = True
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
            except TypeError:  # The last classes and metadata that can be stored.
                self._finish()
                raise
        except Exception:
            if error is None:  # Otherwise that one tells more.
                raise
        finally:
            self.abandon()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"Writer({self.path!r}: {len(self)} images, {state})"

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self.path}: the writer is closed")

    def _check_about(self) -> None:
        """Check classes and metadata where they have changed."""
        try:
            same = self._classes == self._good_classes and self._metadata == self._good_metadata
        except ValueError:  # Arrays do not compare.
            same = False
        if not same:
            self._check_all_about()

    def _check_all_about(self) -> None:
        self._good_classes = self._checked_classes(self._classes)
        self._good_metadata = _checked_metadata(self._metadata, self.path)

    def _checked_classes(self, classes: list[str]) -> list[str]:
        names = [checked_text(each, self.path, f"classes[{i}]") for i, each in enumerate(classes)]
        if names[: len(self._stored_classes)] != self._stored_classes:
            raise FormatError(
                f"{self.path}: classes {names}, expected to begin with those that the file has: "
                f"{self._stored_classes}"
            )
        return names

    def _change(self, take: Callable[[], None], note: Callable[[], None]) -> None:
        """Change the store and commit when it is time; after an error it is as it was."""
        mark, commits = self._store.mark(), self._target.commits
        try:
            take()
            if self._pending + 1 >= self._commit_every:
                self._commit()
            else:
                self._pending += 1
        except BaseException:
            if self._target.commits == commits:
                self._store.roll_back(mark)
            else:
                note()
            raise
        note()
        self._target.fold_when_due(self._store)

    def _commit(self) -> None:
        mark, commits = self._store.mark(), self._target.commits
        text = json_text(self._good_metadata, f"{self.path}: metadata")
        try:
            new = self._good_classes[len(self._stored_classes) :]
            if new:
                self._store.name_classes(new)
            if text != self._stored_metadata:
                self._store.describe(text)
            self._target.commit(self._store)
        except BaseException:
            if self._target.commits == commits:
                self._store.roll_back(mark)
                raise
            self._committed(text)
            raise
        self._committed(text)

    def _committed(self, metadata: str) -> None:
        self._stored_classes, self._stored_metadata = self._good_classes, metadata
        self._pending = 0

    def _finish(self) -> None:
        self._check_open()
        self._commit()
        self._closed = True
        self._target.close(self._store)

    def _same(
        self, number: int | None, file_name: str | None, policy: OnDuplicate, where: str
    ) -> list[int]:
        """Give the images that have this id or name, or refuse where there are any."""
        by_name = None if file_name is None else self._catalog.find_name(file_name)
        by_id = None if number is None else self._catalog.find_id(number)
        if policy == "raise" and by_name is not None:
            raise FormatError(f"{where}: the file has an image of that name")
        if policy == "raise" and by_id is not None:
            raise FormatError(f"{where}: the file has an image of id {number}")
        return sorted({image for image in (by_name, by_id) if image is not None})

    def _find(self, file_name: str | None, id: SupportsIndex | None) -> int | None:
        if file_name is None and id is None:
            raise TypeError(f"{self.path}: a file_name or an id expected")
        if file_name is not None:
            checked_text(file_name, self.path, "file_name")
        number = None if id is None else _checked_id(id, f"{self.path}: id")
        by_name = None if file_name is None else self._catalog.find_name(file_name)
        by_id = None if number is None else self._catalog.find_id(number)
        if file_name is None:
            return by_id
        return by_name if number is None or by_name == by_id else None

    def _free_id(self) -> int:
        self._next_id = max(self._next_id, self._store.images.rows)
        while self._catalog.find_id(self._next_id) is not None:
            self._next_id += 1
        return self._next_id

    def _id_of(self, image: int) -> int:
        """Give the id of an image, from memory or from the file."""
        stream = next(self._store.images.columns["id"].streams())
        if image >= stream.first:
            waiting = stream.since(image)[: stream.row_bytes]
            return int.from_bytes(waiting, "little", signed=True)
        column = snapshot.take(self.path).contents().columns["images/id"]
        return int(column.rows(image, image + 1)[0])


def _listed(names: Iterable[str], path: str) -> list[str]:
    if isinstance(names, str):
        raise TypeError(f"{path}: classes: {names!r}, expected an iterable of names")
    return [*names]


def _checked_metadata(value: Any, path: str) -> dict[str, Any]:
    """Give a copy that changes no more."""
    copy: dict[str, Any] = json.loads(json_text(value, f"{path}: metadata"))
    return copy


def _checked_id(value: SupportsIndex, where: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{where} {value!r}, an integer expected") from None
    if not -(1 << 63) <= number < 1 << 63:
        raise TypeError(f"{where} {number}, an integer of 64 bits expected")
    return number


def _checked_policy(value: OnDuplicate) -> OnDuplicate:
    if value not in ("raise", "skip", "replace"):
        raise ValueError(f"on_duplicate {value!r}, expected 'raise', 'skip' or 'replace'")
    return value


def create(
    path: str | os.PathLike[str],
    mode: Mode = "x",
    classes: Iterable[str] | None = None,
    compression: Compression = None,
    commit_every: int = 1,
    durability: Durability = "commit",
    on_duplicate: OnDuplicate = "raise",
    lock: bool = True,
) -> Writer:
    """Create a dataset to append to, or go on with one.

    Every image is committed before :meth:`Writer.append` returns: it is a record in a log beside
    the file, ``<path>.log``. From time to time, and at the end, the log is folded into the file
    under a journal, ``<path>.journal``. A process may be killed at any moment and the power may
    fail: what was committed is read by :func:`compactmask.open`, and mode "a" goes on from it.
    The file may be read by any number of processes meanwhile. File and log belong together until
    the writer is closed; then the file stands alone.

    Parameters
    ----------
    path : path-like
        File to write. Symbolic links are followed.
    mode : {"x", "w", "a"}
        As h5py has it: "x" refuses a file that exists, "w" replaces it at once, "a" goes on with
        it.
    classes : iterable of str, optional
        Class names; ``class_id`` is the index into them. With "a" they must begin with those
        that the file has.
    compression : {"gzip", "zstd"}, optional
        Compress the packed masks too: some percent smaller, and slower to read at random. "zstd"
        needs the extra of that name. With "a", what the file has.
    commit_every : int
        Commit after so many images, and at the end. What is not committed is lost with the
        process, and readers do not see it.
    durability : {"commit", "process"}
        "commit" waits for the disk, so that a commit survives a power failure; "process" leaves
        that to the system: a commit survives the process, and after a power failure the file is
        whole, but may lack the last commits.
    on_duplicate : {"raise", "skip", "replace"}
        What :meth:`Writer.append` does where there is an image of that id or file name.
    lock : bool
        Keep other writers out by a lock on ``<path>.lock``. Turn it off only where the file
        system has no locks, and nobody else writes.

    Returns
    -------
    Writer
        To be used in a ``with`` statement.

    Raises
    ------
    FileExistsError
        Where the file exists, with "x".
    BusyError
        Where another writer has it open.
    FormatError
        Where the file to go on with is none of this format, or damaged.

    Examples
    --------
    >>> import numpy as np, supervision as sv, compactmask as cm
    >>> path = getfixture("tmp_path") / "people.h5"
    >>> mask = np.zeros((1, 6, 8), dtype=bool)
    >>> mask[0, 2:4, 3:7] = True
    >>> found = sv.Detections(
    ...     xyxy=np.array([[3.0, 2, 7, 4]]), mask=mask, class_id=np.array([0])
    ... )
    >>> with cm.create(path, classes=["person"]) as out:
    ...     out.append(found, file_name="a.jpg")
    >>> with cm.create(path, "a", on_duplicate="skip") as out:
    ...     for name in ("a.jpg", "b.jpg"):
    ...         out.append(sv.Detections.empty(), file_name=name, image_shape=(6, 8))
    >>> with cm.open(path) as ds:
    ...     print(len(ds), ds.images["file_name"], len(ds[0]), len(ds[1]))
    2 ['a.jpg' 'b.jpg'] 1 0
    """
    if mode not in ("x", "w", "a"):
        raise ValueError(f"mode {mode!r}, expected 'x', 'w' or 'a'")
    _check_compression(compression)
    if durability not in ("commit", "process"):
        raise ValueError(f"durability {durability!r}, expected 'commit' or 'process'")
    _checked_policy(on_duplicate)
    if operator.index(commit_every) < 1:
        raise ValueError(f"commit_every {commit_every}, expected at least 1")
    real = resolve(path)
    if mode == "x" and os.path.lexists(real):
        raise FileExistsError(errno.EEXIST, "exists", real)
    names = [] if classes is None else _listed(classes, real)
    for i, name in enumerate(names):
        checked_text(name, real, f"classes[{i}]")
    target = Journaled(real, WRITER, durability, has_lock=lock)
    try:
        before = None
        if mode == "a" and os.path.lexists(real):
            found = snapshot.take(real)
            before = found.contents()
            _check_continuable(before, compression)
            store = resumed(before)
            target.resume(found, store)
        else:
            store = Store(compression)
            target.create(compression, replace=mode == "w")
        writer = Writer(target, store, before, commit_every=commit_every, on_duplicate=on_duplicate)
        if names:
            writer.classes = names
            writer.commit()
        return writer
    except BaseException:
        target.abandon()
        raise


def create_sealed(
    path: str | os.PathLike[str], compression: Compression = None, *, replace: bool
) -> Writer:
    """Create a dataset that nobody sees before it is complete.

    Parameters
    ----------
    path : path-like
        File to write.
    compression : {"gzip", "zstd"}, optional
        As of :func:`create`.
    replace : bool
        Whether a file that is there is replaced.
    """
    _check_compression(compression)
    return Writer(Sealed(resolve(path), WRITER, compression, replace=replace), Store(compression))


def _check_compression(compression: Compression) -> None:
    if compression not in (None, "gzip", "zstd"):
        raise ValueError(f"compression {compression!r}, expected None, 'gzip' or 'zstd'")
    filters.require(compression)


def _check_continuable(before: Contents, compression: Compression) -> None:
    if before.version > schema.FORMAT_VERSION:
        raise UnsupportedVersionError(
            f"{before.path}: format_version {'.'.join(map(str, before.version))} may hold "
            f"what would be lost, this release of compactmask continues "
            f"{'.'.join(map(str, schema.FORMAT_VERSION))}: install a newer one"
        )
    if compression not in (None, before.compression):
        raise FormatError(
            f"{before.path}: compression {compression!r}, the file has {before.compression!r}: "
            "repack it to change that"
        )
    filters.require(before.compression)
