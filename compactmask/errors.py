"""The errors that this package raises of its own.

Ordinary misuse raises Python's own TypeError, IndexError and FileNotFoundError.
"""


class CompactMaskError(Exception):
    """Whatever goes wrong in this package, as one class to catch."""


class InvalidMaskError(CompactMaskError, ValueError):
    """A mask, its runs, its box or its packed bytes are not valid."""


class ShapeMismatchError(CompactMaskError, ValueError):
    """Two things that must have the same shape or length do not."""


class FormatError(CompactMaskError, ValueError):
    """A file or a document is not what its format says it must be."""


class UnsupportedVersionError(FormatError):
    """A file is of a version that this release does not read."""


class CorruptFileError(FormatError):
    """A file is damaged, unfinished or contradicts itself."""


class BusyError(CompactMaskError):
    """A file is in use: another writer has it, or it changed whenever it was read."""
