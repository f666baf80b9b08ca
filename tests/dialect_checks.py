"""What the tests of the COCO dialects compare: columns, masks, whole datasets."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from dialect_masks import Mask, nothing

import compactmask as cm
from compactmask.formats.dataset import SegmentationDataset

Array = npt.NDArray[Any]


def same_columns(one: Mapping[str, Array], other: Mapping[str, Array]) -> None:
    """Assert that there are the same columns with the same values; JSON may be spelt otherwise."""
    assert sorted(one) == sorted(other)
    for name in one:
        a, b = one[name], other[name]
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        if name.endswith(":json"):
            assert parsed(a) == parsed(b), name
        else:
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), name


def parsed(column: Array) -> list[Any]:
    """Give the values of a column of JSON texts; "" (no value) as it is."""
    assert all(type(text) is str for text in column)
    return [json.loads(text) if text else "" for text in column]


def same_masks(ds: SegmentationDataset, expected: Sequence[Sequence[Mask]]) -> None:
    """Assert that each image has these masks, bit for bit, and that crops and areas are theirs."""
    assert len(ds) == len(expected)
    k = 0
    for i, masks in enumerate(expected):
        assert ds.detection_range(i) == (k, k + len(masks))
        found = ds[i].mask
        if not masks:
            assert found is None or len(found) == 0
            continue
        assert found is not None
        assert np.array_equal(found.to_dense(), np.stack(masks)), f"image {i}"
        for mask in masks:
            instance = ds.instance(k)
            assert instance.image == i
            frame = nothing(mask.shape)
            (x, y), (height, width) = instance.offset, instance.crop.shape
            frame[y : y + height, x : x + width] = instance.crop
            assert np.array_equal(frame, mask), f"instance {k}"
            k += 1
    areas = [int(mask.sum()) for masks in expected for mask in masks]
    assert ds.detections["area"].tolist() == areas


def same_datasets(one: SegmentationDataset, other: SegmentationDataset) -> None:
    """Assert that two datasets say the same of images and instances, their masks aside."""
    assert one.classes == other.classes
    assert one.metadata == other.metadata
    same_columns(one.images, other.images)
    same_columns(one.detections, other.detections)


def read_all(path: str | os.PathLike[str]) -> None:
    """Open a dataset and read whatever is in it."""
    with cm.open(path) as ds:
        for columns in (ds.images, ds.detections):
            for name in columns:
                _ = columns[name]
        for detections in ds:
            if detections.mask is not None:
                detections.mask.to_dense()
