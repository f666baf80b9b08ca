"""What a checkpoint wrote stays where it is, whatever later ones write."""

import numpy as np
import pytest
from hdf5_places import assert_still_there, places, tree

from compactmask.formats.hdf5 import base, layout
from compactmask.formats.hdf5.handle import Handle
from compactmask.formats.hdf5.stream import Stream

CHUNK = 64
CODECS = [None, "gzip"]
RUNS = {
    "constant rows, whose chunks take the same space": lambda rng, n: np.full(n, 7),
    "random rows": lambda rng, n: rng.integers(-(1 << 62), 1 << 62, n),
}


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "some.h5")
    base.create(path, "tests", None, None, replace=False)
    return path


def numbers(codec):
    return Stream("images/id", np.dtype("<i8"), chunk_rows=CHUNK, codec=codec)


def others(codec):
    return Stream("masks/bytes", np.dtype("u1"), chunk_rows=CHUNK, codec=codec)


def fold(path, *streams):
    """Do a checkpoint as a writer does, journal and all."""
    file = base.Base(path, layout.read_layout(Handle(path)).uuid)
    file.fold(streams)
    file.close()
    base.journal.remove(path)
    for stream in streams:
        stream.settle()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("step", [1, 5, 64, 100])
def test_what_a_checkpoint_wrote_is_not_written_over_by_later_ones(path, codec, run, step):
    rng = np.random.default_rng(0)
    stream, known = numbers("gzip"), {}
    masks = others(codec)
    for number in range(40):
        # At times one dataset alone grows, so that what it replaces is the last of the file;
        # not the one without codec, which grows within its chunk, and never alone in a writer.
        if number % 3 != 1 or codec is None:
            stream.append(RUNS[run](rng, step).astype("<i8"))
        if number % 3 != 2:
            masks.append(RUNS[run](rng, step).astype("u1"))
        fold(path, stream, masks)
        assert_still_there(path, known)
        known.update(places(path))
    found = tree(path)
    assert (found["images/id"].shape[0], found["masks/bytes"].shape[0]) == (stream.rows, masks.rows)


def test_a_dataset_that_cannot_grow_is_written_anew_and_then_grows(path):
    rows = np.arange(10 * CHUNK, dtype="<i8")
    stream = numbers("gzip")
    stream.append(rows)
    fold(path, stream)
    continued = Stream("images/id", np.dtype("<i8"), chunk_rows=CHUNK // 2)
    continued.rows = continued.folded = continued.first = 10 * CHUNK
    continued.append(rows[:3])
    fold(path, continued)
    extent = tree(path)["images/id"]
    assert (extent.shape, extent.chunk_rows) == ((10 * CHUNK + 3,), CHUNK // 2)
