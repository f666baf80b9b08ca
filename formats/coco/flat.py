"""The instances of a whole dataset as columns, as annotations of them would have the values."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask.errors import FormatError

from ..dataset import SegmentationDataset
from . import checked
from .boxes import EXACT, POWERS, extent
from .categories import Categories, Pair

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]

KINDS = checked.OWN | checked.DATA
"""The columns that COCO knows, and what their values must be."""


class Flat:
    """Columns of all instances of a dataset, made when they are asked for.

    An HDF5 file has zeros where an image lacks a column that another one has. Here these are
    told from values. What :func:`coco.write` refuses in a column is refused here, too.

    Parameters
    ----------
    dataset : SegmentationDataset
        Any.
    indptr : ndarray, shape (images + 1,)
        Where the instances of each image begin, and the end.
    """

    def __init__(self, dataset: SegmentationDataset, indptr: Array) -> None:
        self._path = dataset.path
        self._source = dataset._source
        self._columns = dataset.detections
        self._indptr = indptr

    def __len__(self) -> int:
        return int(self._indptr[-1])

    def ids(self) -> Array:
        """Give ``annotation_id`` where all have one of their own, else numbers from 1."""
        stated, there = self._stated("annotation_id")
        if not there.all() or (stated == -1).any() or len(np.unique(stated)) < len(stated):
            return np.arange(1, len(self) + 1)
        return stated

    def areas(self) -> Array:
        """Give the annotated areas; where there is none the pixels, without a mask the box's."""
        stated, there = self._stated("area", "data/area")
        if there.all() and not np.isnan(stated).any():
            return stated
        stated = np.where(there, stated, np.nan)
        return np.where(np.isnan(stated), self.mask_areas(), stated)

    def mask_areas(self) -> Array:
        """Give the pixels of each mask, without one the area of the box."""
        has_mask = self._has_mask
        areas = self.box_areas() if not has_mask.all() else np.zeros(len(self))
        return np.where(has_mask, self._columns["area"], areas) if has_mask.any() else areas

    def box_areas(self) -> npt.NDArray[np.float64]:
        """Give the areas of the boxes."""
        boxes = np.asarray(self._columns["xyxy"], np.float64)
        return extents(boxes[:, 0], boxes[:, 2]) * extents(boxes[:, 1], boxes[:, 3])

    def crowds(self) -> Array:
        """Give ``iscrowd``, 0 where nothing is said of it."""
        return self._stated("iscrowd")[0].astype(np.int64)

    def category_ids(self, categories: Categories) -> Array:
        """Decide the categories of all classes, and give that of each instance.

        Raises
        ------
        FormatError
            Where a class has two ids or an id two classes, or some instances have a class and
            some have none.
        """
        classes, has_class = self._stated("class_id")
        stated, has_stated = self._stated("category_id")
        code = _codes(classes, has_class)
        codes = _codes(stated, has_stated)
        code = code * (int(codes.max(initial=0)) + 1) + codes
        _, firsts, which = np.unique(code, return_index=True, return_inverse=True)
        ids = np.empty(len(firsts), np.int64)
        for number in np.argsort(firsts).tolist():
            row = firsts[number]
            class_id = int(classes[row]) if has_class[row] else None
            pair: Pair = class_id, int(stated[row]) if has_stated[row] else None
            names = {}
            if class_id is not None and class_id >= len(categories.classes):
                names = self._name(class_id, int(row), classes)
            found = categories.find([pair], names, self._path)
            categories.keep(found.values())
            ids[number] = found[pair].id
        return ids[which]

    def _name(self, class_id: int, row: int, classes: Array) -> dict[int, str]:
        """Give the name that the image of a row has for a class that the dataset does not list."""
        texts, there = self._names
        if not there[row]:
            return {}
        image = int(np.searchsorted(self._indptr, row, side="right")) - 1
        own = np.arange(self._indptr[image], self._indptr[image + 1])
        return {class_id: str(texts[own[classes[own] == class_id][-1]])}

    @cached_property
    def _names(self) -> tuple[Array, Bools]:
        return self._stated("class_name")

    @cached_property
    def _has_mask(self) -> Bools:
        there = self._there("mask", "crop_shapes")
        if there.any():
            there &= self._columns["crop_shapes"][:, 0] > 0
        stated, says = self._stated("has_mask")
        return there & (stated.astype(np.bool_) | ~says)

    def _stated(self, name: str, column: str | None = None) -> tuple[Array, Bools]:
        """Give a column, zeros without one, and which instances are of images that have it."""
        column = name if column is None else column
        if column not in self._columns:
            return np.zeros(len(self), np.int64), np.zeros(len(self), np.bool_)
        there = self._there(name, column)
        return self._checked(self._columns[column], there, name), there

    def _checked(self, values: Array, there: Bools, name: str) -> Array:
        """Give a column as COCO needs it, zeros where there is none."""
        kinds = KINDS.get(name)
        if kinds is None:
            return values
        try:
            own = checked.column(values[there], kinds, name)
        except FormatError:
            self._check_images(values, there, name)  # one by one, to name the image
            raise
        result = np.zeros(len(self), own.dtype)
        result[there] = own
        return result

    def _check_images(self, values: Array, there: Bools, name: str) -> None:
        for image, (start, stop) in enumerate(pairwise(self._indptr.tolist())):
            try:
                checked.column(values[start:stop][there[start:stop]], KINDS[name], name)
            except FormatError as error:
                raise FormatError(f"{self._path}: image {image}: {error}") from None

    def _there(self, name: str, column: str) -> Bools:
        if column not in self._columns:
            return np.zeros(len(self), np.bool_)
        return np.repeat(self._source.having(name), np.diff(self._indptr))


def extents(starts: Array, ends: Array) -> npt.NDArray[np.float64]:
    """Give what :func:`~.boxes.extent` gives for each pair."""
    differences = ends - starts
    found = np.full(len(starts), np.nan)
    left = np.arange(len(starts))
    for power in POWERS:
        scaled = differences[left] * power
        shorter = np.floor(scaled + 0.5) / power
        is_exact = np.abs(scaled) < EXACT
        is_found = is_exact & (starts[left] + shorter == ends[left])
        found[left[is_found]] = shorter[is_found]
        left = left[is_exact & ~is_found]
    for row in np.flatnonzero(np.isnan(found)).tolist():
        found[row] = extent(float(starts[row]), float(ends[row]))
    return found


def _codes(values: Array, there: Bools) -> npt.NDArray[np.int64]:
    """Give the number of each distinct value, from 1; 0 for what is not there."""
    codes: npt.NDArray[np.int64] = np.unique(values, return_inverse=True)[1] + 1
    return np.where(there, codes, 0)
