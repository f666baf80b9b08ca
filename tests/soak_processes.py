"""A writer that never rests, and readers that look at its file in any way and at any time."""

import ctypes
import gc
import time

import numpy as np
from soak_images import check_columns, check_detections, check_image, file_name, image

import compactmask as cm
from compactmask.formats.hdf5 import journal, journaled

CHECKPOINT_BYTES = 25_000
DURABILITIES = ("commit", "process")


def memory():
    """The resident bytes of this process that are no file's; 0 where the system does not tell."""
    gc.collect()
    getattr(ctypes.CDLL(None), "malloc_trim", bool)(0)
    try:
        with open("/proc/self/status") as lines:
            return next(1024 * int(line.split()[1]) for line in lines if "RssAnon" in line)
    except OSError:
        return 0


class Growth:
    """How a process has grown since a tenth of its time had passed."""

    def __init__(self, seconds):
        self._from = time.monotonic() + seconds / 10
        self._first = None

    def note(self):
        """Look at the memory where it is time and that was not done yet."""
        if self._first is None and time.monotonic() > self._from:
            self._first = memory()

    def bytes(self):
        """Give the bytes."""
        return memory() - self._first


def write(path, compression, seconds, seed):
    """Append images until time is over, in sessions; tell what that took.

    A file `<path>.done` says that it is over, whether all went well or not.
    """
    try:
        return Appending(path, compression, seconds, seed).run()
    finally:
        done(path).touch()


def done(path):
    """Give the file that says that a writer has ended."""
    return path.with_suffix(".done")


class Appending:
    """One writer process."""

    def __init__(self, path, compression, seconds, seed):
        self.path, self.compression, self.seconds = path, compression, seconds
        self.rng = np.random.default_rng(seed)
        self.images = self.sessions = self.checkpoints = 0
        self.longest = 0.0
        self.commits = dict.fromkeys(DURABILITIES, 0)
        self.taken = dict.fromkeys(DURABILITIES, 0.0)

    def run(self):
        """Go on until time is over."""
        journaled.CHECKPOINT_BYTES = CHECKPOINT_BYTES
        self._count_checkpoints()
        growth = Growth(self.seconds)
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            self._session(min(end, time.monotonic() + self.rng.exponential(0.4)))
            growth.note()
        return {
            "images": self.images,
            "sessions": self.sessions,
            "checkpoints": self.checkpoints,
            "longest append, s": self.longest,
            "commits": self.commits,
            "commits a second": {
                kind: self.commits[kind] / self.taken[kind] for kind in self.taken
            },
            "growth": growth.bytes(),
        }

    def _count_checkpoints(self):
        write = journal.write

        def counted(*arguments):
            write(*arguments)
            self.checkpoints += 1

        journal.write = counted

    def _session(self, end):
        """Open the file, append at least one image, and close it or leave its log."""
        durability = DURABILITIES[self.sessions % 2]
        commit_every = int(self.rng.choice([1, 1, 1, 5]))
        options = {"durability": durability, "commit_every": commit_every}
        if self.sessions:
            out = cm.create(self.path, "a", **options)
        else:
            out = cm.create(self.path, compression=self.compression, **options)
        assert len(out) == self.images
        self.sessions += 1
        before = self.images
        while True:
            found = image(self.images)
            begin = time.perf_counter()
            out.append(found, file_name=file_name(self.images), image_id=self.images)
            took = time.perf_counter() - begin
            self.images += 1
            self.taken[durability] += took
            self.longest = max(self.longest, took)
            if time.monotonic() >= end:
                break
        self.commits[durability] += -(-(self.images - before) // commit_every)
        if self.rng.random() < 0.5:
            out.close()
        else:
            out.commit()
            out.abandon()


def read(path, seconds, seed):
    """Look at a file until its writer has ended, and once more at all of it; tell what was seen."""
    while not path.exists():
        assert not done(path).exists(), "the writer has failed"
        time.sleep(0.001)
    return Reading(path, seconds, seed).run()


class Reading:
    """One reader process."""

    def __init__(self, path, seconds, seed):
        self.path, self.seconds = path, seconds
        self.rng = np.random.default_rng(seed)
        self.shown = 0
        """The most images that were shown: there can never be fewer again."""
        self.checked = 0
        """All images below were compared."""
        self.compared = 0
        """How many were compared in all."""
        self.ds = cm.open(path)
        self.old = cm.open(path)
        self.old_length = len(self.old)

    def run(self):
        """Go on until the writer has ended."""
        growth = Growth(self.seconds)
        ways = [self.open, self.refresh, self.follow, self.keep]
        looks = dict.fromkeys([way.__name__ for way in ways], 0)
        while not done(self.path).exists():
            way = ways[self.rng.choice(len(ways), p=[0.2, 0.5, 0.2, 0.1])]
            way()
            looks[way.__name__] += 1
            growth.note()
        grown = growth.bytes()
        self.complete()
        return {"images": self.checked, "compared": self.compared, "looks": looks, "growth": grown}

    def open(self):
        """Open the file anew, and look at all columns now and then."""
        self.ds = cm.open(self.path)
        self._look(self.ds)
        if self.rng.random() < 0.2:
            check_columns(self.ds)

    def refresh(self):
        """Look whether there is more."""
        self.ds.refresh()
        self._look(self.ds)

    def follow(self):
        """Take images as they come, for some time or number."""
        most = int(self.rng.integers(1, 300))
        for record in self.ds.follow(
            start=min(self.checked, len(self.ds)), timeout=0.02, poll=0.001
        ):
            if record.image < self.checked:
                continue
            assert record.image == record.id == self.checked
            assert record.file_name == file_name(self.checked)
            assert record.image_shape == image(0).mask.shape[1:]
            check_detections(record.detections, self.checked)
            self.checked += 1
            self.compared += 1
            most -= 1
            if not most:
                break
        self._note(len(self.ds))

    def keep(self):
        """Compare what a dataset shows that was not refreshed for long; keep another one."""
        assert len(self.old) == self.old_length
        self._sample(self.old, 20)
        self.old = cm.open(self.path)
        self.old_length = len(self.old)
        self._note(self.old_length)

    def complete(self):
        """Compare all images that were not yet, and the columns of them all."""
        self.refresh()
        self._compare(self.ds, len(self.ds))
        with cm.open(self.path) as ds:
            self._note(len(ds))
            check_columns(ds)
            self._sample(ds, 200)

    def _note(self, length):
        assert length >= self.shown, f"{length} images, there were {self.shown}"
        self.shown = length

    def _look(self, ds):
        """Compare the last image, some of those that are new, and a few of all."""
        self._note(len(ds))
        self._compare(ds, min(len(ds), self.checked + 200))
        self._sample(ds, 5)
        if len(ds):
            check_image(ds, len(ds) - 1)

    def _compare(self, ds, stop):
        for number in range(self.checked, stop):
            check_image(ds, number)
            self.compared += 1
        self.checked = max(self.checked, stop)

    def _sample(self, ds, count):
        for number in self.rng.integers(0, len(ds), count).tolist() if len(ds) else ():
            check_image(ds, number)
            self.compared += 1
