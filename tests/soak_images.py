"""Images whose content is a function of their number, and whether a dataset holds them."""

import numpy as np
import supervision as sv
from hdf5_samples import pixels

from compactmask import CompactMask

SHAPE = (60, 80)
PALETTE = CompactMask.from_dense(pixels(61), image_shape=SHAPE)
AREAS = PALETTE.area
CROPS = PALETTE.crops(range(len(PALETTE)))
MOST = 6


def image(number):
    """The detections of an image."""
    masks, instances = _masks([number]), np.arange(number % MOST)
    mask = PALETTE[masks]
    return sv.Detections(
        xyxy=mask.bbox_xyxy.astype(np.float32) + number % 1000,
        mask=mask,
        confidence=(instances / 8).astype(np.float32),
        class_id=masks,
        tracker_id=number * MOST + instances,
        data={"text": np.array([f"{number}:{i}" for i in instances.tolist()], object)},
        metadata={"number": number} if number % 10 == 0 else {},
    )


def file_name(number):
    """The file name of an image."""
    return f"{number:08}.jpg"


def check_detections(found, number):
    """Compare what was read as an image with what was appended as one."""
    expected = image(number)
    for field in ("xyxy", "confidence", "class_id", "tracker_id"):
        assert np.array_equal(getattr(found, field), getattr(expected, field)), (number, field)
    assert found.data["text"].tolist() == expected.data["text"].tolist(), number
    assert found.metadata == expected.metadata, number
    assert found.mask == expected.mask, number


def check_image(ds, number):
    """Compare one image of a dataset, read in two ways."""
    check_detections(ds[number], number)
    crops = ds.crops(range(*ds.detection_range(number)))
    for crop, mask in zip(crops, _masks([number]).tolist(), strict=True):
        assert np.array_equal(crop, CROPS[mask]), number


def check_columns(ds):
    """Compare the whole columns of a dataset."""
    numbers = np.arange(len(ds))
    assert np.array_equal(ds.images["id"], numbers)
    owners = np.repeat(numbers, numbers % MOST)
    if len(owners):
        starts = np.cumsum(numbers % MOST) - numbers % MOST
        instances = np.arange(len(owners)) - starts[owners]
        assert np.array_equal(ds.detections["tracker_id"], owners * MOST + instances)
        masks = _masks(numbers)
        assert np.array_equal(ds.detections["class_id"], masks)
        assert np.array_equal(ds.detections["area"], AREAS[masks])


def _masks(numbers):
    """The positions in the palette of all masks of images."""
    numbers = np.asarray(numbers)
    counts = numbers % MOST
    instances = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return (np.repeat(numbers, counts) * 7 + instances * 13) % len(PALETTE)
