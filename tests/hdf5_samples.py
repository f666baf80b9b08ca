"""Detections to store, and what it means that they came back."""

from importlib.util import find_spec

import numpy as np
import supervision as sv

from compactmask import CompactMask

SHAPE = (60, 80)
CODECS = ["gzip", *["zstd"] * all(map(find_spec, ("zstandard", "hdf5plugin")))]
"""What masks can be compressed with here."""


def pixels(count, seed=0, shape=SHAPE):
    """Masks with holes, islands and single pixels."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, *shape), dtype=bool)
    for mask in masks:
        y, x = rng.integers(0, shape[0] - 12), rng.integers(0, shape[1] - 12)
        h, w = rng.integers(1, 12, 2)
        mask[y : y + h, x : x + w] = rng.random((h, w)) < 0.8
        mask[y, x] = True
    return masks


def full(count, seed=0, shape=SHAPE):
    """Detections that have every field, and every kind of data."""
    rng = np.random.default_rng(seed)
    names = [f"größe {i}" for i in range(count)]
    return sv.Detections(
        xyxy=rng.random((count, 4)).astype(np.float32),
        mask=CompactMask.from_dense(pixels(count, seed, shape), image_shape=shape),
        confidence=rng.random(count).astype(np.float32),
        class_id=rng.integers(0, 3, count),
        tracker_id=rng.integers(0, 2**40, count),
        data={
            "class_name": np.array(names, dtype="<U12"),
            "objects": np.array(names, dtype=object),
            "list of text": names,
            "list of floats": [float(i) / 3 for i in range(count)],
            "list of ints": list(range(count)),
            "list of bools": [i % 2 == 0 for i in range(count)],
            "list of lists": [[i, i + 1] for i in range(count)],
            "flags": rng.random(count) < 0.5,
            "key/points": rng.random((count, 17, 2)),
            "half": rng.random(count).astype(np.float16),
            "tiny": rng.integers(0, 255, count).astype(np.uint8),
            "area": rng.random(count),
        },
        metadata={"frame": 7, "camera": {"ü": [1.5, None, True]}},
    )


def boxes(count):
    """Detections with nothing but boxes."""
    return sv.Detections(xyxy=np.arange(4 * count, dtype=np.float32).reshape(count, 4))


def assert_same(found, expected):
    """Every field is equal, in value, dtype and container."""
    assert found.metadata == expected.metadata
    for field in ("xyxy", "confidence", "class_id", "tracker_id"):
        _assert_same_array(getattr(found, field), getattr(expected, field))
    assert found.data.keys() == expected.data.keys()
    for name, value in expected.data.items():
        _assert_same_array(found.data[name], value)
    assert (found.mask is None) == (expected.mask is None)
    if expected.mask is not None:
        assert found.mask.shape == expected.mask.shape
        assert np.array_equal(np.asarray(found.mask), np.asarray(expected.mask))


def _assert_same_array(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)
    elif expected is not None:
        assert [type(item) for item in found] == [type(item) for item in expected]
        assert found == expected
