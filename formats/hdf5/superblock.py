"""The first bytes of an HDF5 file, which tell whether it is whole and where it ends."""

from __future__ import annotations

import struct
from dataclasses import dataclass

SIGNATURE = b"\x89HDF\r\n\x1a\n"
HELD = b"\x89CMK\r\n\x1a\n"
"""Stands there while a checkpoint is applied, so that nobody takes the file for whole.

The two differ in three bytes only; whatever else is in these is one that is half written.
"""
SIZE = 48
_FIELDS = struct.Struct("<8sBBBBQQQQI")


@dataclass(frozen=True, slots=True)
class Superblock:
    """What the format needs of the superblock, of version 2 or 3 as HDF5 names it."""

    raw: bytes
    is_held: bool
    is_open: bool
    """Whether the HDF5 library has it open for writing, or died while it had."""
    end: int
    """The end of the file, which grows with every checkpoint and so tells one from another."""


def parse(raw: bytes) -> Superblock | None:
    """Read a superblock; None where it is none of version 2 or 3.

    Parameters
    ----------
    raw : bytes
        The first ``SIZE`` bytes of the file, or fewer where it is shorter.
    """
    if len(raw) < SIZE:
        return None
    signature, version, offsets, lengths, flags, _, _, end, _, _ = _FIELDS.unpack(raw)
    common = signature[:1] + signature[4:]
    if common != SIGNATURE[:1] + SIGNATURE[4:] or version not in (2, 3):
        return None
    if (offsets, lengths) != (8, 8):
        return None
    is_open = version == 3 and bool(flags & 1)
    return Superblock(raw, signature != SIGNATURE, is_open, end)
