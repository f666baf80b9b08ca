"""The masks of a document's instances, from the segmentations that stand in it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from compactmask.errors import FormatError, InvalidMaskError
from compactmask.packed import Packed

from .compact import Array
from .file import Bytes
from .images import Images
from .instances import Instances, Rows
from .parse import loads
from .segmentation import pack

NOTHING = b"null"
BATCH = 1 << 22
"""Bytes that are read at once where segmentations stand close to each other."""


class MaskReader(Protocol):
    """Reads the masks of instances."""

    @property
    def bytes_read(self) -> int:
        """Bytes read since it was made."""

    @property
    def some_lack_one(self) -> bool:
        """Whether an image with masks has an instance without."""

    def is_masked(self, i: int) -> bool:
        """Tell whether any instance of an image has a mask."""

    def has_mask(self, rows: Rows) -> Array:
        """Tell which instances have one."""

    def pack(self, i: int, start: int, stop: int) -> Packed:
        """Pack the masks of instances ``start`` to ``stop``, which are of image ``i``."""

    def of(self, instances: Instances) -> MaskReader:
        """Give what reads the masks of fewer instances."""


class JsonMasks:
    """Masks whose segmentations are JSON: each is parsed when it is used.

    Parameters
    ----------
    file : Bytes
        The document.
    instances : Instances
        Where they stand.
    images : Images
        Their images.
    """

    def __init__(self, file: Bytes, instances: Instances, images: Images) -> None:
        self._file = file
        self._instances = instances
        self._images = images
        assert instances.segmentations is not None
        self._places = instances.segmentations
        there = self._places.lengths != 0
        if instances.order is not None:
            there = there[instances.order]
        starts, sizes = instances.indptr[:-1], np.diff(instances.indptr)
        per_image = np.zeros(len(sizes), np.int32)
        if len(there):
            per_image[sizes > 0] = np.add.reduceat(there, starts[sizes > 0], dtype=np.int32)
        self._masked = per_image > 0
        self.some_lack_one = bool((self._masked & (per_image < sizes)).any())

    @property
    def bytes_read(self) -> int:
        """Bytes read from the document since it was indexed."""
        return self._file.bytes_read

    def is_masked(self, i: int) -> bool:
        """Tell whether any instance of an image has a mask."""
        return bool(self._masked[i])

    def has_mask(self, rows: Rows) -> Array:
        """Tell which instances have one."""
        there: Array = self._places.lengths[rows] != 0
        return there

    def pack(self, i: int, start: int, stop: int) -> Packed:
        """Pack the masks of some instances of an image.

        Raises
        ------
        InvalidMaskError
            Where one is not valid; the message names the document and the annotation.
        """
        segmentations = self.segmentations(i, start, stop)
        try:
            return pack(segmentations, self._images.shape(i))
        except InvalidMaskError as error:
            if stop - start > 1:  # one by one, to name the annotation
                for k in range(start, stop):
                    self.pack(i, k, k + 1)
            raise InvalidMaskError(f"{self._instances.name(start)}: {error}") from None

    def of(self, instances: Instances) -> JsonMasks:
        """Give what reads the masks of fewer instances."""
        return JsonMasks(self._file, instances, self._images)

    def segmentations(self, i: int, start: int, stop: int) -> list[Any]:
        """Parse the segmentations of some instances of an image; None for none.

        Raises
        ------
        FormatError
            Where one is not JSON.
        """
        self._file.check(i)
        bounds = self._places.bounds(self._instances.rows(start, stop))
        first = min((a for a, b in bounds if b > a), default=0)
        last = max((b for a, b in bounds), default=0)
        if len(bounds) > 1 and last - first <= min(BATCH, 2 * sum(b - a for a, b in bounds)):
            data = self._file.read(i, first, last)
            texts = [data[a - first : b - first] or NOTHING for a, b in bounds]
        else:
            texts = [self._file.read(i, a, b) if b > a else NOTHING for a, b in bounds]
        try:
            parsed: list[Any] = loads(b"[%b]" % b",".join(texts))
            if len(parsed) == len(texts):
                return parsed
        except ValueError:
            pass  # one by one, to name the annotation
        return [self._parsed(text, start + at) for at, text in enumerate(texts)]

    def _parsed(self, text: bytes, k: int) -> Any:
        try:
            return loads(text)
        except ValueError as error:
            name = self._instances.name(k)
            raise FormatError(f"{name}: segmentation is not JSON: {error}") from None
