"""Masks of polygons, and the polygons of masks."""

from __future__ import annotations

from compactmask._storage import StoredMask


class Polygons(StoredMask):
    """The constructor from polygons and the export to them."""

    __slots__ = ()
