"""The structure of a file: its HDF5 tree, parsed once and then let go.

Nothing outside the file is ever opened, and no size that the file claims is believed before it
was compared with the bytes that the file has.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5l, h5o, h5p

from compactmask.errors import (
    CompactMaskError,
    CorruptFileError,
    FormatError,
    UnsupportedVersionError,
)

from . import filters, schema, superblock
from .extent import Extent, read_extent
from .handle import Handle
from .pages import Pages, access_plan, undisturbed

Tree = dict[str, Extent]
Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """What the structure of a file says."""

    version: Version
    """Of the format, major and minor."""
    uuid: bytes
    """Of the file, 16 bytes."""
    compression: str | None
    """Of the packed masks that a writer adds."""
    replaces: bytes | None
    """The uuid of the file whose place it took, if that had a log."""
    uses_space_again: bool
    """Whether HDF5 may put new things where old ones were."""
    tree: Tree
    """Its datasets."""


def read_layout(handle: Handle) -> Layout:
    """Read the structure of a file of this format.

    Raises
    ------
    FormatError
        Where it is no HDF5 file, or one of something else.
    UnsupportedVersionError
        Where it is of a later version.
    CorruptFileError
        Where it is empty, cut, damaged or unfinished.
    """
    _check_superblock(handle)
    if not handle.pages:
        return _read_layout(handle, os.fsencode(handle.path), h5p.DEFAULT)
    in_memory = access_plan(Pages(handle.fd, handle.size, handle.pages))
    return undisturbed(lambda: _read_layout(handle, b"pages", in_memory))


def _read_layout(handle: Handle, name: bytes, access: Any) -> Layout:
    walk = Walk(handle)
    try:
        # Closed in any case, with all that was opened in it.
        with h5py.File(h5f.open(name, h5f.ACC_RDONLY, access)) as file:
            root = h5g.open(file.id, b"/")
            about = _read_attributes(root, handle.path)
            strategy = file.id.get_create_plist().get_file_space_strategy()[0]
            uses_space_again = strategy != h5f.FSPACE_STRATEGY_NONE
            return Layout(*about, uses_space_again, walk.read(root))
    except CompactMaskError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise CorruptFileError(f"{handle.path}: /{walk.at}: damaged: {error}") from None


class Walk:
    """A walk over the objects that the format gives a name, and no others.

    Parameters
    ----------
    handle : Handle
        The file.
    """

    def __init__(self, handle: Handle) -> None:
        self._path = handle.path
        self._size = handle.size
        self._tree: Tree = {}
        self.at = ""
        """What is looked at."""

    def read(self, root: Any) -> Tree:
        """Note all datasets of the format."""
        groups = {"": self._list("", root)}
        for path in schema.DATASETS:
            parent, _, name = path.rpartition("/")
            if parent not in groups:
                groups[parent] = self._open_group(parent, groups[""])
            self._note(path, name, groups[parent])
        for path in schema.NAMED_GROUPS:
            parent, _, name = path.rpartition("/")
            group = self._open_group(path, groups[parent])
            if len(group[1]) > schema.MAX_COLUMNS:
                raise CorruptFileError(
                    f"{self._path}: /{path}: {len(group[1])} columns, "
                    f"at most {schema.MAX_COLUMNS} expected"
                )
            for raw in group[1]:
                name = self._name(path, raw)
                self._note(f"{path}/{name}", name, group)
        return self._tree

    def _note(self, path: str, name: str, group: Group) -> None:
        """Note a dataset, or the two of a group of text; what does not exist is left out."""
        item = self._open(path, name, group)
        if item is None:
            return
        if isinstance(item, h5d.DatasetID):
            self._note_dataset(path, item)
            return
        text = self._list(path, item)
        for name in schema.TEXT_DATASETS:
            part = self._open(f"{path}/{name}", name, text)
            if not isinstance(part, h5d.DatasetID):
                raise CorruptFileError(f"{self._path}: /{path}/{name}: expected a dataset")
            self._note_dataset(f"{path}/{name}", part)

    def _name(self, path: str, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise CorruptFileError(f"{self._path}: /{path}: name {raw!r} is not UTF-8") from None

    def _note_dataset(self, path: str, dataset: Any) -> None:
        self.at = path
        self._tree[path] = read_extent(dataset, path, self._size, f"{self._path}: /{path}")

    def _open_group(self, path: str, parent: Group) -> Group:
        item = self._open(path, path.rpartition("/")[2], parent)
        if item is None:
            return None, {}
        if not isinstance(item, h5g.GroupID):
            raise CorruptFileError(f"{self._path}: /{path}: expected a group")
        return self._list(path, item)

    def _open(self, path: str, name: str, group: Group) -> Any | None:
        """Open a dataset or group; None where it does not exist. No link is followed."""
        self.at = path
        kind = group[1].get(name.encode())
        if kind is None:
            return None
        if kind != h5l.TYPE_HARD:
            raise CorruptFileError(f"{self._path}: /{path}: a link, which is not followed")
        item = h5o.open(group[0], name.encode())
        if not isinstance(item, (h5d.DatasetID, h5g.GroupID)):
            raise CorruptFileError(f"{self._path}: /{path}: neither a dataset nor a group")
        return item

    def _list(self, path: str, group: Any) -> Group:
        """Give a group with the kinds of its links by name, in one call of HDF5."""
        self.at = path
        kinds: dict[bytes, int] = {}

        def note(name: bytes, info: Any) -> None:
            kinds[name] = info.type  # An error in here would not come out of HDF5.

        group.links.iterate(note, info=True)
        return group, kinds


Group = tuple[Any, dict[bytes, int]]
"""An open group, and the kinds of its links."""


def _check_superblock(handle: Handle) -> None:
    if handle.size == 0:
        raise CorruptFileError(f"{handle.path}: empty file, expected HDF5")
    head = handle.read(0, min(handle.size, superblock.SIZE))
    found = superblock.parse(head)
    if found is not None and found.is_held:
        raise CorruptFileError(
            f"{handle.path}: half way through a checkpoint, and there is no journal to complete it"
        )
    if not head.startswith(superblock.SIGNATURE):
        raise FormatError(
            f"{handle.path}: begins with {head[:8]!r}, expected HDF5's {superblock.SIGNATURE!r}"
        )
    if found is not None and found.is_open:
        raise CorruptFileError(
            f"{handle.path}: unfinished: its writer did not close it, or is still at work"
        )


def _read_attributes(root: Any, path: str) -> tuple[Version, bytes, str | None, bytes | None]:
    if not h5a.exists(root, b"format"):
        raise FormatError(f"{path}: an HDF5 file, but of something else: no attribute 'format'")
    found = _attribute(root, "format", path)
    if found != schema.FORMAT:
        raise FormatError(f"{path}: format {found!r}, expected {schema.FORMAT!r}")
    version = _attribute(root, "format_version", path)
    major, _, minor = version.partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise CorruptFileError(f"{path}: format_version {version!r}, expected like '1.0'")
    encoding = f"{_attribute(root, 'encoding', path)} {_attribute(root, 'encoding_version', path)}"
    ours = f"{schema.ENCODING} {schema.ENCODING_VERSION}"
    if int(major) != schema.FORMAT_VERSION[0] or encoding != ours:
        advice = ": install a newer one" if int(major) >= schema.FORMAT_VERSION[0] else ""
        raise UnsupportedVersionError(
            f"{path}: format_version {version} with masks in {encoding}, this release of "
            f"compactmask reads {schema.FORMAT_VERSION[0]}.x with {ours}{advice}"
        )
    order = _attribute(root, "order", path)
    if order != schema.ORDER:
        raise FormatError(f"{path}: order {order!r}, expected {schema.ORDER!r}")
    uuid = _uuid(root, "uuid", path)
    replaces = _uuid(root, "replaces", path) if h5a.exists(root, b"replaces") else None
    compression = None
    if h5a.exists(root, b"compression"):
        compression = _attribute(root, "compression", path)
        if compression not in filters.IDS:
            raise CorruptFileError(
                f"{path}: compression {compression!r}, expected one of {', '.join(filters.IDS)}"
            )
    return (int(major), int(minor)), uuid, compression, replaces


def _uuid(root: Any, name: str, path: str) -> bytes:
    value = _attribute(root, name, path)
    if len(value) != 32 or not set(value) <= set("0123456789abcdef"):
        raise CorruptFileError(f"{path}: {name} {value!r}, expected 32 hexadecimal digits")
    return bytes.fromhex(value)


def _attribute(root: Any, name: str, path: str) -> str:
    if not h5a.exists(root, name.encode()):
        raise CorruptFileError(f"{path}: attribute {name!r} is missing")
    attribute = h5a.open(root, name.encode())
    dtype = attribute.dtype
    if dtype.kind != "S" or attribute.shape != () or dtype.itemsize > 256:
        raise CorruptFileError(f"{path}: attribute {name!r}: {dtype}, expected a short string")
    value = np.empty((), dtype)
    attribute.read(value)
    return bytes(value.item()).decode()
