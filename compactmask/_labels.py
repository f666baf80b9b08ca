"""Masks of label images, and the label image of masks."""

from __future__ import annotations

from compactmask._storage import StoredMask


class Labels(StoredMask):
    """The constructors from label images and the export to them."""

    __slots__ = ()
