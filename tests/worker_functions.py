"""What other processes do with a dataset, in a module that they can import."""

import numpy as np


def plain(value):
    """A value as what compares with ==, dtype and all."""
    if not isinstance(value, np.ndarray) or value.dtype == object:
        return type(value).__name__, None if value is None else list(value)
    return str(value.dtype), value.shape, value.tobytes()


def sample(detections):
    """Everything that an image holds as plain values, its masks as pixels."""
    fields = ("xyxy", "confidence", "class_id", "tracker_id")
    return (
        {field: plain(getattr(detections, field)) for field in fields},
        {name: plain(value) for name, value in detections.data.items()},
        detections.metadata,
        None if detections.mask is None else plain(np.asarray(detections.mask)),
    )


def seen(ds):
    """Everything that is seen of a dataset, by each way to read it."""
    return (
        ds.classes,
        {name: plain(ds.images[name]) for name in ("id", "file_name")},
        plain(ds.detections["area"]),
        [sample(detections) for detections in ds],
        [plain(crop) for crop in ds.crops(range(len(ds.detections["xyxy"])))],
    )


def send_seen(ds, pipe):
    """Send everything that is seen of a dataset."""
    pipe.send(seen(ds))


def send_private_memory(ds, seed, pipe):
    """Go through a dataset in order, then at random; send the unshared bytes of the process.

    They are told after a tenth of the way, at its middle and at its end; then how many pixels
    were decoded.
    """
    order = np.random.default_rng(seed).permutation(len(ds)).tolist()
    way = [*range(len(ds)), *order]
    told, pixels = [], 0
    for step, i in enumerate(way, 1):
        pixels += np.asarray(ds[i].mask).size
        if step in (len(way) // 10, len(ds), len(way)):
            told.append(private_memory())
    pipe.send((*told, pixels))


def private_memory():
    """The bytes of this process that it shares with no other."""
    with open("/proc/self/smaps_rollup") as lines:
        return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Private_"))


def as_tensors(images):
    """Collate images of any number of instances: a list of dicts of tensors."""
    import torch

    return [
        {
            "boxes": torch.from_numpy(image.xyxy),
            "labels": torch.from_numpy(image.class_id),
            "masks": torch.from_numpy(np.asarray(image.mask)),
        }
        for image in images
    ]
