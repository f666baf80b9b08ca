"""Readers beside a writer that stops after each of its system calls."""

import os
import random
import re
import shutil
import subprocess
import sys

import crash_traced
import effort
import pytest
from crash_history import APPENDS, MIXED, History, changes, detections
from crash_victim import Victim
from fresh import PATHS
from hdf5_samples import assert_same

import compactmask as cm
from compactmask.formats.hdf5.chunks import ChunkCache

COUNT = 12
SHARE = effort.of(0.02, 0.05, 1)
"""Of the system calls, those after which readers look."""
RUNS = [
    pytest.param(APPENDS, {"durability": "commit"}, id="appends"),
    pytest.param(MIXED, {"durability": "process"}, id="changes"),
    pytest.param(MIXED, {"durability": "commit", "compression": "gzip"}, id="changes-gzip"),
]


@pytest.fixture(scope="module")
def victim():
    victim = Victim()
    yield victim
    victim.close()


class Onlooker:
    """Readers of a file, each of which knows what it must see."""

    def __init__(self, path, history):
        self.path, self.history = path, history
        self.looks = self.refusals = 0
        self._growing = None
        self._last, self._last_plain = 0, 0
        self._old = []
        self._lazy = []

    def look(self, low, high):
        """Every reader sees what it must, now that some changes are done and one may be."""
        self.looks += 1
        moment = self.keep(low, high)
        self._look_plainly(high)
        if self._growing is None:
            self._growing = cm.open(self.path)
        self._growing.refresh()
        seen = self.history.moment(self._growing, low, high)
        assert self._last <= seen == moment
        self._last = seen

    def keep(self, low, high):
        """Open the file, and keep that reader; nothing is read before it is opened once more."""
        self._old.append((cm.open(self.path), cm.open(self.path)))
        moment = self.history.moment(self._old[-1][0], low, high)
        self._old[-1] = self._old[-1][1], moment
        return moment

    def _look_plainly(self, high):
        plain = self.history.plain_moment(self.path)
        if plain is None:
            self.refusals += 1
        else:
            assert self._last_plain <= plain <= high
            self._last_plain = plain

    def look_back(self, count, rng):
        """Readers that were opened earlier, and never refreshed, see what they saw then."""
        for ds, moment in rng.sample(self._old, min(count, len(self._old))):
            self.history.assert_shows(ds, moment)
        for found, serial in self._lazy:
            assert_same(found, detections(serial))
        ds, moment = self._old[-1]
        if len(ds):
            self._lazy = [*self._lazy[-2:], (ds[-1], self.history.shown[moment][-1].serial)]


@pytest.mark.parametrize(("kinds", "options"), RUNS)
def test_readers_beside_a_writer_see_all_that_was_acknowledged_after_each_system_call(
    victim, tmp_path, monkeypatch, kinds, options
):
    monkeypatch.setattr(ChunkCache, "put", lambda *arguments: None)  # What is read comes from disk.
    history = History(changes(COUNT, 21, kinds))
    path, rng = tmp_path / "some.h5", random.Random(22)
    onlooker = Onlooker(path, history)
    victim.start("step", path=str(path), done=history.changes, checkpoint_bytes=5000, **options)
    is_created, low, high, calls = False, 0, 0, []
    while "ended" not in (said := victim.hear()):
        assert "error" not in said, said
        if "call" in said:
            calls.append(said["call"])
            if rng.random() < SHARE and (is_created or path.exists()):
                onlooker.look(low, high)
                onlooker.look_back(5 if effort.IS_ALL else 2, rng)
            victim.go_on()
        elif said.get("begin", "create") not in ("create", "close"):
            high += 1
        elif said.get("did", "close") != "close":
            low, is_created = (low + 1, True) if is_created else (0, True)
    victim.reap()
    onlooker.look(COUNT, COUNT)
    onlooker.look_back(len(history) * 100, rng)
    assert {"create", "write", "truncate", "sync", "sync_folder", "remove"} <= {*calls}
    assert onlooker.looks > SHARE * 300
    assert onlooker.refusals > 0


CALL = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<arguments>.*)")
CHANGING_CALLS = re.compile(
    r"p?write|truncate|fallocate|rename|link|symlink|mkdir|rmdir|mknod|chmod|chown|utime|xattr"
    r"|copy_file_range|sendfile|splice|io_uring|creat$"
)
IRRELEVANT = re.compile(r"readlink|getxattr|listxattr|utimes?$")


def changing_calls(trace, folder):
    """Give the system calls that change files of a folder, and whether each is between marks."""
    inside = set()
    for line in trace.splitlines():
        call = CALL.match(line)
        if call is None:
            continue
        thread, name, arguments = call.group("thread", "name", "arguments")
        if crash_traced.BEGIN in arguments:
            inside.add(thread)
        elif crash_traced.END in arguments:
            inside.discard(thread)
        elif str(folder) in arguments and _changes(name, arguments):
            yield line, thread in inside


def _changes(name, arguments):
    if name.startswith("open"):
        return re.search("O_(WRONLY|RDWR|CREAT|TRUNC)", arguments)
    if name == "mmap":
        return "PROT_WRITE" in arguments and "MAP_SHARED" in arguments
    return CHANGING_CALLS.search(name) and not IRRELEVANT.search(name)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_system_call_changes_a_file_of_a_writer_but_through_the_one_place(tmp_path):
    trace = tmp_path / "trace"
    folder = tmp_path / "traced"
    folder.mkdir()
    strace = ["strace", "-f", "-y", "-s", "0", "-o", str(trace), "-e", "trace=%file,%desc"]
    done = subprocess.run(
        [*strace, sys.executable, crash_traced.__file__, str(folder / "some.h5")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PATHS))},
        capture_output=True,
        text=True,
    )
    if "ptrace" in done.stderr:
        pytest.skip(f"processes cannot be traced here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    calls = [*changing_calls(trace.read_text(), folder)]
    outside = [line for line, is_inside in calls if not is_inside and ".lock" not in line]
    assert outside == []
    assert len([line for line, is_inside in calls if is_inside]) > 500
    assert any("O_CREAT" in line for line, is_inside in calls if not is_inside)  # That of the lock.
