"""What a writer leaves behind when it is killed, or the power fails, at any of its system calls."""

import random
import shutil

import crash_disk
import pytest
from crash_disk import Disk, Recorder
from crash_history import IS_FULL, History, apply, assert_survived, changes, use_tiny_chunks

import compactmask as cm
from compactmask.errors import CompactMaskError
from compactmask.formats import disk

KINDS = [
    ("commit", None),
    ("process", None),
    ("commit", "gzip"),
]
NAME = "some.h5"
FIRST, LATER = 9, 5
"""Changes by the writer that creates the file, and by the one that goes on with it."""
POWER_LOSSES = 1000 if IS_FULL else 60


@pytest.fixture(params=KINDS, ids=["-".join(map(str, kind)) for kind in KINDS])
def kind(request):
    return request.param


class Replay:
    """Recorded operations, and a look at what any of them leaves behind."""

    def __init__(self, recorder, history, folder, *, survives_power=True):
        self.recorder, self.history = recorder, history
        self.survives_power = survives_power
        self._folder = folder
        self._seen = set()
        self.states = 0

    def check(self, progress, found, *, low=None):
        """A state of the disk is right, at this progress."""
        low = progress.acknowledged if low is None else low
        visible = found.visible()
        key = low, progress.begun, progress.is_created, tuple(visible.items())
        if hash(key) in self._seen:
            return
        self._seen.add(hash(key))
        self.states += 1
        put(visible, self._folder)
        absent = not progress.is_created
        assert_survived(self._folder / NAME, self.history, low, progress.begun, may_be_absent=absent)


def put(visible, folder):
    """Make a folder hold certain files, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in visible.items():
        (folder / name).write_bytes(data)


def write(out, recorder, history, start, stop):
    for number in range(start, stop):
        recorder.note(begun=number + 1)
        apply(history.changes[number], out)
        recorder.note(acknowledged=number + 1)


def record(folder, durability, compression):
    """Record a writer that creates a file and changes it, and one that goes on with it."""
    history = History(changes(FIRST + LATER, seed=1))
    assert {change.kind for change in history.changes} == {"append", "replace", "delete"}
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(patch)
        out = cm.create(folder / NAME, compression=compression, durability=durability)
        recorder.note(is_created=True)
        write(out, recorder, history, 0, FIRST)
        out.close()
        out = cm.create(folder / NAME, "a", durability=durability)
        write(out, recorder, history, FIRST, len(history))
        out.close()
        recorder.end()
    return recorder, history


@pytest.fixture
def replay(tmp_path, kind, monkeypatch):
    use_tiny_chunks(monkeypatch.setattr, 3000)
    durability, compression = kind
    recorder, history = record(tmp_path / "recorded", durability, compression)
    monkeypatch.setattr(disk, "sync", lambda fd: None)
    monkeypatch.setattr(disk, "sync_folder", lambda path: None)
    survives = durability == "commit"
    return Replay(recorder, history, tmp_path / "replayed", survives_power=survives)


def test_the_recorded_operations_make_the_files_that_are_there(replay, tmp_path):
    *_, (progress, last) = crash_disk.prefixes(replay.recorder)
    assert last.visible() == Disk.of(tmp_path / "recorded").visible()
    assert progress == (True, FIRST + LATER, FIRST + LATER, FIRST + LATER)
    folds = sum(before.folded != after.folded for before, after in pairs(replay.recorder.reached))
    assert folds >= 4


def pairs(items):
    return zip(items, items[1:], strict=False)


def test_a_process_killed_between_two_calls_loses_nothing_that_was_acknowledged(replay):
    for progress, found in sampled(crash_disk.prefixes(replay.recorder), 0.25):
        replay.check(progress, found)
    assert replay.states > (150 if IS_FULL else 30)


def test_a_write_cut_anywhere_loses_nothing_that_was_acknowledged(replay):
    for progress, found in sampled(crash_disk.torn(replay.recorder), 0.05):
        replay.check(progress, found)
    assert replay.states > (600 if IS_FULL else 30)


def test_a_power_failure_loses_nothing_that_was_on_the_disk(replay):
    recorder, rng = replay.recorder, random.Random(2)
    for _ in range(POWER_LOSSES):
        count = rng.randrange(len(recorder.operations) + 1)
        progress = recorder.reached[count]
        found = crash_disk.after_power_loss(recorder, count, rng)
        replay.check(progress, found, low=None if replay.survives_power else progress.folded)
    assert replay.states > POWER_LOSSES // 3


def sampled(states, share):
    """Give all of some states in the whole run, and a share of them otherwise."""
    rng = random.Random(3)
    return (state for state in states if IS_FULL or rng.random() < share)
