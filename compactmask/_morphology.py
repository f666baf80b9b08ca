"""Masks grown, shrunk and rid of holes and specks."""

from __future__ import annotations

from compactmask._storage import StoredMask


class Morphology(StoredMask):
    """The methods that change the outline of masks."""

    __slots__ = ()
