"""The file of an index: a header in JSON, and arrays, each with a checksum."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from io import BufferedReader
from typing import Any

import numpy as np

from .. import disk, partial
from ..positional import open_to_read
from .compact import Array

MAGIC = b"compactmask COCO index\n"
DIGEST_SIZE = 16
LENGTH_SIZE = 8
DTYPES = frozenset({"|u1", "|i1", "<i2", "<i4", "<i8", "<f8"})


def write(path: str, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write an index beside its place, and put it there when it is complete.

    Parameters
    ----------
    path : str
        Where it shall be; an index that is there is replaced.
    header : mapping
        What it says, as JSON has it; ``arrays`` is added to it.
    arrays : mapping
        Of integers or floats, by name.

    Raises
    ------
    FileExistsError
        Where a file is there that is no index.
    OSError
        Where it cannot be written.
    ValueError
        Where it holds something that an index has no place for.
    """
    if not _is_free(path):
        raise FileExistsError(f"{path}: it is no index, and stays")
    stored = {name: _little(array) for name, array in arrays.items()}
    expect(all(array.dtype.str in DTYPES for array in stored.values()))
    listed = [
        [name, array.dtype.str, list(array.shape), _digest(_octets(array))]
        for name, array in stored.items()
    ]
    text = json.dumps({**header, "arrays": listed}).encode()
    head = [MAGIC, len(text).to_bytes(LENGTH_SIZE, "little"), bytes.fromhex(_digest(text)), text]
    temporary = partial.beside(path)
    fd = disk.create(temporary)
    try:
        try:
            disk.write_all(fd, [*head, *(_octets(array).data for array in stored.values())])
        finally:
            os.close(fd)
        partial.put_in_place(temporary, path, overwrite=True)
    except BaseException:
        with contextlib.suppress(OSError):
            disk.remove(temporary)
        raise


def read_header(file: BufferedReader) -> dict[str, Any]:
    """Read the header of an index that is open at its beginning.

    Raises
    ------
    ValueError
        Where it is no index, or damaged.
    """
    expect(file.read(len(MAGIC)) == MAGIC)
    length = int.from_bytes(file.read(LENGTH_SIZE), "little")
    digest = file.read(DIGEST_SIZE).hex()
    expect(length <= os.fstat(file.fileno()).st_size)
    text = file.read(length)
    expect(len(text) == length and _digest(text) == digest)
    header: dict[str, Any] = json.loads(text)
    return header


def read_arrays(file: BufferedReader, header: Mapping[str, Any]) -> dict[str, Array]:
    """Read the arrays behind the header.

    Raises
    ------
    ValueError
        Where they are not those that the header lists, or there is more.
    """
    arrays: dict[str, Array] = {}
    left = os.fstat(file.fileno()).st_size - file.tell()
    for name, dtype, shape, digest in header["arrays"]:
        expect(dtype in DTYPES and name not in arrays)
        rows, columns = shape if len(shape) == 2 else (*shape, 1)
        expect(type(rows) is int and type(columns) is int and rows >= 0 and columns >= 1)
        size = rows * columns * np.dtype(dtype).itemsize
        expect(size <= left)
        left -= size
        array = np.empty(shape, dtype)
        octets = _octets(array)
        expect(file.readinto(octets.data) == size)
        expect(_digest(octets) == digest)
        arrays[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
    expect(left == 0)
    return arrays


def expect(condition: bool) -> None:
    """Raise ValueError where what an index says is not so."""
    if not condition:
        raise ValueError("the index is damaged")


def _is_free(path: str) -> bool:
    """Tell whether there is nothing, or an index, or the beginning of one."""
    try:
        fd = open_to_read(path)
    except FileNotFoundError:
        return True
    with os.fdopen(fd, "rb") as file:
        return MAGIC.startswith(file.read(len(MAGIC)))


def _little(array: Array) -> Array:
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))


def _octets(array: Array) -> Array:
    octets: Array = array.reshape(-1).view(np.uint8)
    return octets


def _digest(data: Any) -> str:
    return hashlib.blake2b(data, digest_size=DIGEST_SIZE).hexdigest()
