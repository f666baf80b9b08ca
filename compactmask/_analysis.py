"""What masks are made of and where they lie."""

from __future__ import annotations

from compactmask._storage import StoredMask


class Analysis(StoredMask):
    """The methods that take masks apart and measure them."""

    __slots__ = ()
