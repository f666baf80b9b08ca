"""Changes of a dataset one after the other, and what a file may hold at any moment of them."""

import os
import random
from collections import Counter
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import reference
import supervision as sv
from hdf5_samples import SHAPE, assert_same, boxes, full

import compactmask as cm
from compactmask.formats.hdf5 import journaled, schema

FIRST_ID = 1000
LATER = 10_000
"""Serial number of the image that is appended after a crash."""
TINY = {"CHUNK_ROWS": 3, "TEXT_CHUNK_BYTES": 16, "MASK_CHUNK_BYTES": 64}
APPENDS = ("append",)
MIXED = ("append", "append", "append", "replace", "delete")


def use_tiny_chunks(set_attribute, checkpoint_bytes):
    """Make chunks, and the log before a checkpoint, so small that few images fill many."""
    for name, value in TINY.items():
        set_attribute(schema, name, value)
    set_attribute(journaled, "CHECKPOINT_BYTES", checkpoint_bytes)


class Change(NamedTuple):
    """What is done to a dataset; it is committed before the next one is begun."""

    serial: int
    """Tells its detections, which every field depends on."""
    kind: str
    name: str


class Row(NamedTuple):
    """An image."""

    id: int
    name: str
    serial: int


def changes(count, seed, kinds=MIXED, before=()):
    """Draw changes that follow others. None makes a dataset what it was before."""
    rng = random.Random(seed)
    living, result = _living(before), []
    for serial in range(len(before), len(before) + count):
        kind = rng.choice(kinds) if len(living) > 1 else "append"
        name = f"{serial}.jpg" if kind == "append" else rng.choice(living[:-1])
        result.append(Change(serial, kind, name))
        living = _living([*before, *result])
    return result


def _living(done):
    """Give the names of the images that are there, the newest at the end."""
    names = {}
    for change in done:
        names.pop(change.name, None)
        if change.kind != "delete":
            names[change.name] = change
    return [*names]


@cache
def detections(serial):
    """Give what an image holds: every field, or boxes only, or nothing."""
    kinds = (
        partial(full, serial % 4 + 1, seed=serial),
        partial(full, 2, seed=serial),
        partial(boxes, serial % 3),
        partial(full, serial % 2, seed=serial),
        sv.Detections.empty,
    )
    return kinds[serial % len(kinds)]()


def apply(change, out):
    """Make a writer do it; it is committed when this returns."""
    if change.kind == "delete":
        out.delete(file_name=change.name)
        return
    is_new = change.kind == "append"
    out.append(
        detections(change.serial),
        file_name=change.name,
        image_shape=SHAPE,
        image_id=FIRST_ID + change.serial if is_new else None,
        columns={"serial": change.serial},
        on_duplicate="raise" if is_new else "replace",
    )


class History:
    """What a dataset shows, and what its file stores, after each of some changes."""

    def __init__(self, done):
        self.changes = [*done]
        self.shown = [()]
        self.stored = [((), ())]
        for change in self.changes:
            self._add(change)

    def __len__(self):
        return len(self.changes)

    def _add(self, change):
        shown, (stored, deleted) = self.shown[-1], self.stored[-1]
        old = next((row for row in shown if row.name == change.name), None)
        if old is not None:
            shown = tuple(row for row in shown if row is not old)
            deleted = *deleted, stored.index(old)
        if change.kind != "delete":
            new = Row(
                FIRST_ID + change.serial if old is None else old.id, change.name, change.serial
            )
            shown, stored = (*shown, new), (*stored, new)
        self.shown.append(shown)
        self.stored.append((stored, tuple(sorted(deleted))))

    def then(self, moment):
        """Give the history that goes on from a moment with one more image."""
        later = Change(LATER + moment, "append", f"later {moment}.jpg")
        return History([*self.changes[:moment], later])

    def moment(self, ds, low, high):
        """Give the moment within a range that a dataset shows, in every field."""
        serials = ds.images["serial"].tolist() if len(ds) else []
        for moment in range(low, high + 1):
            if serials == [row.serial for row in self.shown[moment]]:
                self.assert_shows(ds, moment)
                return moment
        raise AssertionError(
            f"images {serials} are not those after {low} to {high} of {self.changes[:high]}"
        )

    def assert_shows(self, ds, moment):
        """A dataset shows a moment, in every field."""
        _assert_shows(ds, self.shown[moment])

    def plain_moment(self, path):
        """Give the moment whose stored rows plain h5py reads; None where it refuses the file."""
        try:
            file = h5py.File(path)
        except OSError:
            return None
        with file:
            found = _plain_images(file)
            for moment, (stored, deleted) in enumerate(self.stored):
                if found == ([row.serial for row in stored], [*deleted]):
                    _assert_stores(file, stored)
                    return moment
        raise AssertionError(f"plain h5py sees images, and deletions, {found}: {self.changes}")


def _assert_shows(ds, rows):
    assert ds.images["id"].tolist() == [row.id for row in rows]
    assert ds.images["file_name"].tolist() == [row.name for row in rows]
    images = [detections(row.serial) for row in rows]
    for i, image in enumerate(images):
        assert_same(ds[i], image)
    areas = [n for image in images for n in _areas(image)]
    if "area" in ds.detections:
        assert ds.detections["area"].tolist() == areas
    else:
        assert not any(areas)


def _areas(image):
    return [0] * len(image) if image.mask is None else image.mask.area.tolist()


def _plain_images(file):
    """Read the serial numbers of the stored images, and which of them are deleted."""
    if "images" not in file:
        return [], []
    images = file["images"]
    serials = images["columns/serial"][:].tolist() if "columns" in images else []
    assert len(images["id"]) == len(serials)
    return serials, sorted(images["deleted"][:].tolist()) if "deleted" in images else []


def _assert_stores(file, rows):
    """Stored images are right, as someone reads them who has the specification only."""
    if not rows:
        return
    images = [detections(row.serial) for row in rows]
    assert file["images/id"][:].tolist() == [row.id for row in rows]
    assert _plain_texts(file["images/file_name"]) == [row.name for row in rows]
    counts = [len(image) for image in images]
    assert np.diff(file["detections/indptr"][:]).tolist() == counts
    assert np.array_equal(file["detections/xyxy"][:], np.concatenate([i.xyxy for i in images]))
    if "masks" in file:
        expected = [crop for image in images for crop in _crops(image)]
        for found, crop in zip(_plain_crops(file["masks"]), expected, strict=True):
            assert np.array_equal(found, crop)
    names = [image.data.get("class_name", [""] * len(image)) for image in images]
    if "detections/data/class_name" in file:
        assert _plain_texts(file["detections/data/class_name"]) == [t for row in names for t in row]
        scores = [i.data.get("key/points", np.zeros((len(i), 17, 2))) for i in images]
        assert np.array_equal(file["detections/data/key%2Fpoints"][:], np.concatenate(scores))


def _crops(image):
    if image.mask is None:
        return [np.zeros((0, 0), bool)] * len(image)
    return image.mask.crops()


def _plain_texts(group):
    data, bounds = group["bytes"][:].tobytes(), group["indptr"][:]
    return [data[a:b].decode() for a, b in pairwise(bounds)]


def _plain_crops(masks):
    data, bounds = masks["bytes"][:].tobytes(), masks["indptr"][:]
    for start, stop, shape in zip(bounds[:-1], bounds[1:], masks["crop_shapes"][:], strict=True):
        yield _decoded(data[start:stop], *shape.tolist())


@cache
def _decoded(data, h, w):
    return reference.decode(data, h, w) if h else np.zeros((0, 0), bool)


def assert_survived(path, history, low, high, *, may_be_absent=False):
    """A file shows what was committed, refuses plain h5py or shows it no nonsense, and goes on.

    Parameters
    ----------
    path : Path
        The file, which nobody has open.
    history : History
        What was, or would have been, done to it.
    low, high : int
        How many changes it must have at least, and may have at most.
    may_be_absent : bool
        Whether its creation may not have come so far.

    Returns
    -------
    int
        How many changes it has.
    """
    plain = history.plain_moment(path)
    assert plain is None or plain <= high
    found = 0
    if path.exists():
        with cm.open(path) as ds:
            found = history.moment(ds, low, high)
    else:
        assert may_be_absent, f"{path} is gone, {low} changes were committed"
    _assert_goes_on(path, history.then(found))
    return found


def _assert_goes_on(path, history):
    with cm.create(path, "a") as out:
        apply(history.changes[-1], out)
        _assert_is_at_the_end(path, history)
    _assert_is_at_the_end(path, history)
    assert history.plain_moment(path) == len(history)
    kinds = Counter(Path(name).suffix for name in os.listdir(path.parent))
    assert kinds.pop(".partial", 0) <= 1
    assert kinds == {path.suffix: 1}


def _assert_is_at_the_end(path, history):
    with cm.open(path) as ds:
        history.moment(ds, len(history), len(history))
