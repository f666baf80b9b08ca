"""What a writer leaves behind when it is killed, or the power fails, at any of its system calls."""

import random
import shutil

import crash_disk
import effort
import pytest
from crash_disk import Disk, Recorder
from crash_history import History, apply, assert_survived, changes, use_tiny_chunks

import compactmask as cm
from compactmask.formats import disk
from compactmask.formats.hdf5 import journaled

KINDS = [("commit", None), ("process", None), ("commit", "gzip")]
NAME = "some.h5"
FIRST, LATER = 9, 5
"""Changes by the writer that creates the file, and by the one that goes on with it."""
STATES = effort.of(8, 20, 20)
"""What is looked at where it is not all of them."""
POWER_LOSSES = effort.of(8, 20, 1000)
REPAIRS = effort.of(1, 2, 10)


class Replay:
    """Recorded operations, and a look at what any of them leaves behind."""

    def __init__(self, recorder, history, folder, *, survives_power=True):
        self.recorder, self.history, self.folder = recorder, history, folder
        self.states = 0
        self._survives_power = survives_power
        self._seen = set()

    def check_all(self, states, count=STATES):
        """All of some states are right, or about so many of them where not all are wanted."""
        share = 1 if effort.IS_ALL else count / len(self.recorder.operations)
        rng = random.Random(3)
        for progress, found in states:
            if rng.random() < share:
                self._check(progress, found, progress.acknowledged)

    def check_power_loss(self, rng):
        """What is left by a power failure at any moment is right; give that, too."""
        count = self._moment(rng)
        progress = self.recorder.reached[count]
        found = crash_disk.after_power_loss(self.recorder, count, rng)
        low = progress.acknowledged if self._survives_power else progress.folded
        return found, self._check(progress, found, low)

    def _moment(self, rng):
        """Draw a number of operations, more often where something is synced, renamed or cut."""
        operations = self.recorder.operations
        turns = [i for i, done in enumerate(operations) if not isinstance(done, crash_disk.Write)]
        some = rng.choice([turns, range(len(operations))])
        return rng.choice(some) + rng.randrange(2)

    def _check(self, progress, found, low):
        visible = found.visible()
        state = hash((progress, low, *visible.items()))
        if state in self._seen:
            return None
        self._seen.add(state)
        self.states += 1
        put(visible, self.folder)
        return assert_survived(
            self.folder / NAME,
            self.history,
            low,
            progress.begun,
            may_be_absent=not progress.is_created,
        )


def put(visible, folder):
    """Make a folder hold certain files, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in visible.items():
        (folder / name).write_bytes(data)


def write(out, recorder, history, start, stop):
    """Make the changes of a range, note how far it has come, and close."""
    for number in range(start, stop):
        recorder.note(begun=number + 1)
        apply(history.changes[number], out)
        recorder.note(acknowledged=number + 1)
    out.close()


def record(folder, durability, compression):
    """Record a writer that creates a file and changes it, and one that goes on with it."""
    history = History(changes(FIRST + LATER, seed=1))
    assert {change.kind for change in history.changes} == {"append", "replace", "delete"}
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        use_tiny_chunks(patch.setattr, 3000)
        recorder = Recorder(patch)
        out = cm.create(folder / NAME, compression=compression, durability=durability)
        recorder.note(is_created=True)
        write(out, recorder, history, 0, FIRST)
        write(cm.create(folder / NAME, "a", durability=durability), recorder, history, FIRST, 14)
        recorder.end()
    return recorder, history


@pytest.fixture(params=KINDS, ids=["-".join(map(str, kind)) for kind in KINDS])
def replay(tmp_path, request, monkeypatch):
    durability, compression = request.param
    recorder, history = record(tmp_path / "recorded", durability, compression)
    use_tiny_chunks(monkeypatch.setattr, journaled.CHECKPOINT_BYTES)
    monkeypatch.setattr(disk, "sync", lambda fd: None)
    monkeypatch.setattr(disk, "sync_folder", lambda path: None)
    survives = durability == "commit"
    return Replay(recorder, history, tmp_path / "replayed", survives_power=survives)


def test_the_recorded_operations_make_the_files_that_are_there(replay, tmp_path):
    *_, (progress, last) = crash_disk.prefixes(replay.recorder)
    assert last.visible() == Disk.of(tmp_path / "recorded").visible()
    assert progress == (True, *(3 * [FIRST + LATER]))
    assert len({progress.folded for progress in replay.recorder.reached}) > 5


def test_a_process_killed_between_two_calls_loses_nothing_that_was_acknowledged(replay):
    replay.check_all(crash_disk.prefixes(replay.recorder))
    assert replay.states > (600 if effort.IS_ALL else STATES // 2)


def test_a_write_cut_anywhere_loses_nothing_that_was_acknowledged(replay):
    replay.check_all(crash_disk.torn(replay.recorder), STATES // 4)
    assert replay.states > (2000 if effort.IS_ALL else STATES // 2)


def test_a_power_failure_loses_nothing_that_was_on_the_disk(replay):
    rng = random.Random(2)
    while replay.states < POWER_LOSSES:
        replay.check_power_loss(rng)


def test_a_crash_while_a_crash_is_repaired_loses_nothing(replay, tmp_path):
    rng = random.Random(5)
    repairs = 0
    while repairs < REPAIRS:
        found, moment = replay.check_power_loss(rng)
        if moment is not None and len(found.names) > 1:
            repairs += 1
            put(found.visible(), tmp_path / "repaired")
            again = repair(tmp_path / "repaired", replay.history.then(moment))
            again.folder = replay.folder
            again.check_all(crash_disk.prefixes(again.recorder), 8)
            for _ in range(50 if effort.IS_ALL else 2):
                again.check_power_loss(rng)


def repair(folder, history):
    """Record a writer that goes on after a crash, with the last change of a history."""
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(patch, Disk.of(folder))
        before = len(history) - 1
        recorder.note(is_created=(folder / NAME).exists(), acknowledged=before, begun=before)
        write(cm.create(folder / NAME, "a"), recorder, history, before, before + 1)
        recorder.end()
    return Replay(recorder, history, folder)
