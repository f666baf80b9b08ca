"""Files to write, a disk that fails, and what it means that a file holds images."""

import os
import signal

import numpy as np
from hdf5_samples import assert_same

import compactmask as cm
from compactmask.formats import disk
from compactmask.formats.dataset import SegmentationDataset
from compactmask.formats.hdf5 import journaled, schema

CALLS = ("create", "write", "truncate", "sync", "sync_folder", "replace", "link", "remove")


def write(path, *images, **options):
    """Write a file of images without names."""
    with cm.create(path, **options) as out:
        for detections in images:
            out.append(detections)


def in_pieces(monkeypatch, log_bytes=100):
    """Make chunks of a few rows, and a checkpoint whenever the log has so many bytes."""
    monkeypatch.setattr(journaled, "CHECKPOINT_BYTES", log_bytes)
    monkeypatch.setattr(schema, "CHUNK_ROWS", 3)
    monkeypatch.setattr(schema, "TEXT_CHUNK_BYTES", 16)
    monkeypatch.setattr(schema, "MASK_CHUNK_BYTES", 64)


def names(path):
    """Give the file names that a file has, in their order."""
    with cm.open(path) as ds:
        return ds.images["file_name"].tolist()


def assert_holds(source, expected):
    """A file, or an open dataset, has images of these names and contents and no others."""
    if not isinstance(source, SegmentationDataset):
        with cm.open(source) as ds:
            assert_holds(ds, expected)
        return
    assert source.images["file_name"].tolist() == [*expected]
    for found, detections in zip(source, expected.values(), strict=True):
        assert_same(found, detections)
    if "area" in source.detections:
        areas = [np.zeros(len(d)) if d.mask is None else d.mask.area for d in expected.values()]
        assert source.detections["area"].tolist() == np.concatenate(areas or [[]]).tolist()


class DiskCalls:
    """Notes every change of a file, and lets one of them fail.

    Parameters
    ----------
    monkeypatch : pytest.MonkeyPatch
        Puts it in the place of the disk.
    """

    def __init__(self, monkeypatch):
        self.seen = []
        self.failed = False
        self._fault = None
        for name in CALLS:
            monkeypatch.setattr(disk, name, self._watched(name, getattr(disk, name)))

    def count(self, name):
        """Tell how often a function was called."""
        return self.seen.count(name)

    def fail(self, at, error, *, only=CALLS, effect="none", stays=False):
        """Raise an error at a call of these functions, counted from now on.

        ``effect`` tells what the call has done by then: "none", "half" of a write, or "all".
        Where it stays, later calls fail too. ``error`` may be a function, which is called.
        """
        self.failed, self._fault = False, [at, error, only, effect, stays]

    def recover(self):
        """Fail no more."""
        self._fault = None

    def _is_due(self, name):
        if self._fault is None or name not in self._fault[2]:
            return False
        self._fault[0] -= 1
        return self._fault[0] == -1 or (self._fault[0] < 0 and self._fault[4])

    def _watched(self, name, work):
        def call(*arguments):
            self.seen.append(name)
            if not self._is_due(name):
                return work(*arguments)
            self.failed = True
            _, error, _, effect, _ = self._fault
            if effect == "half" and name == "write":
                fd, data, offset = arguments
                work(fd, memoryview(data)[: len(data) // 2], offset)
            if callable(error) and effect == "none":
                error()
                return work(*arguments)
            result = work(*arguments) if effect == "all" else None
            if callable(error):
                error()
                return result
            raise error

        return call


def interrupt():
    """Interrupt the program as Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)
