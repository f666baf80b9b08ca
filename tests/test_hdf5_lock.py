"""One writer at a time: in this process, in another, in a fork; and files that go astray."""

import contextlib
import errno
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from hdf5_samples import assert_same, boxes, full
from hdf5_writing import assert_holds, names, write

import compactmask as cm
from compactmask.errors import BusyError, CompactMaskError, FormatError

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
START = """
import os, signal, sys, time
import numpy as np, supervision as sv, compactmask as cm
out = cm.create(sys.argv[1], "a")
out.append(sv.Detections(xyxy=np.ones((2, 4))), file_name="theirs")
"""
WAIT = "print('ready', flush=True)\ninput()\n"
LEAVE_A_CHILD = """
if os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(60)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


def started(path, script):
    return subprocess.Popen(
        [sys.executable, "-c", START + script, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def tell_of_another_process(path):
    """Give the error of a writer in another process."""
    script = "import sys, compactmask as cm\ncm.create(sys.argv[1], 'a')\n"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
    return done.stderr.splitlines()[-1].rpartition("errors.")[2]


@contextlib.contextmanager
def other_process_that_holds(lock):
    """Let another process lock a file, as a writer does."""
    script = (
        "import fcntl, sys\n"
        "file = open(sys.argv[1], 'w')\n"
        "fcntl.lockf(file, fcntl.LOCK_EX)\n"
        "print('ready', flush=True)\ninput()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", script, lock], **pipes) as other:
        assert other.stdout.readline() == "ready\n"
        yield
        other.stdin.write("\n")


@pytest.mark.parametrize("mode", ["w", "a"])
def test_a_second_writer_of_this_process_is_refused(path, mode):
    with cm.create(path) as out:
        out.append(full(1))
        with pytest.raises(BusyError, match=r"some\.h5: another writer of this process has it op"):
            cm.create(path, mode)
        out.append(full(2))
    assert len(cm.open(path)) == 2
    assert os.listdir(path.parent) == [path.name]
    write(path, full(3), mode=mode)


def test_a_writer_of_another_process_is_told_with_its_host_and_readers_are_let_in(path):
    with started(path, WAIT) as other:
        assert other.stdout.readline() == "ready\n"
        message = f"another writer has it open: process {other.pid} on {socket.gethostname()}"
        for use in (lambda: cm.create(path, "a"), lambda: cm.save(boxes(1), path)):
            with pytest.raises(BusyError, match=re.escape(f"{path}: {message}")):
                use()
        assert names(path) == ["theirs"]
        other.stdin.write("\n")
    with cm.create(path, "a") as out:
        out.append(full(1), file_name="mine")
    assert names(path) == ["theirs", "mine"]
    assert os.listdir(path.parent) == [path.name]


@needs_fork
def test_a_killed_writer_is_followed_at_once_although_its_child_lives(path):
    with started(path, LEAVE_A_CHILD) as other:
        child = int(other.stdout.readline())
        try:
            other.kill()
            other.wait()
            assert os.path.exists(f"{path}.lock")
            with cm.create(path, "a") as out:
                out.append(full(1), file_name="mine")
        finally:
            os.kill(child, signal.SIGKILL)
    assert names(path) == ["theirs", "mine"]
    assert os.listdir(path.parent) == [path.name]


def in_child(work):
    """Run work in a fork; tell the errors that it met, one a line."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        for each in work:
            try:
                each()
                os.write(into, b"fine\n")
            except BaseException as error:
                os.write(into, f"{type(error).__name__}: {error}\n".encode())
        os._exit(0)
    os.close(into)
    os.waitpid(pid, 0)
    with os.fdopen(out) as lines:
        return lines.read().splitlines()


@needs_fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_fork_may_not_use_the_writer_and_does_it_no_harm(path):
    with cm.create(path, commit_every=2) as out:
        out.append(full(1), file_name="a")
        told = in_child(
            [
                lambda: out.append(full(2), file_name="b"),
                lambda: out.delete(file_name="a"),
                out.commit,
                out.close,
                out.abandon,
                lambda: cm.create(path, "a"),
            ]
        )
        message = f"its writer belongs to process {os.getpid()}, not to this fork of it"
        assert told[:4] == [f"CompactMaskError: {path}: {message}"] * 4
        assert told[4] == "fine"
        assert told[5].startswith(f"BusyError: {path}: another writer has it open: process ")
        out.append(full(3), file_name="c")
    assert_holds(path, {"a": full(1), "c": full(3)})


def test_without_lock_there_is_none(path):
    with cm.create(path, lock=False) as out:
        out.append(full(1))
        assert not os.path.exists(f"{path}.lock")
    with cm.create(path, "a"):
        cm.create(path, "a", lock=False).abandon()
    assert_same(cm.load(path), full(1))


def test_a_lock_file_that_was_left_is_no_lock(path):
    path.with_name("some.h5.lock").write_text("1 elsewhere\n")
    write(path, full(1))
    assert os.listdir(path.parent) == [path.name]


def test_a_file_system_without_locks_is_told(path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*arguments):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with pytest.raises(OSError, match=r"the file system has no locks; .* pass lock=False"):
        cm.create(path)
    assert os.listdir(path.parent) == []
    write(path, full(1), lock=False)
    assert_same(cm.load(path), full(1))


def test_a_lock_that_cannot_name_its_holder_on_a_full_disk_is_a_lock(path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        out = cm.create(path)
    out.append(full(1))
    assert tell_of_another_process(path).endswith("another writer has it open: process ? on ?")
    out.close()
    assert os.listdir(path.parent) == [path.name]


def test_a_symbolic_link_in_the_place_of_the_lock_is_not_followed(path):
    precious = path.with_name("precious")
    precious.write_text("data")
    write(path, full(1))
    path.with_name("some.h5.lock").symlink_to(precious)
    for use in (lambda: cm.create(path, "a"), lambda: cm.save(full(2), path)):
        with pytest.raises(OSError, match="symbolic links"):
            use()
    assert precious.read_text() == "data"
    assert_same(cm.load(path), full(1))


@pytest.mark.parametrize("way", ["removed", "replaced"])
def test_a_file_that_is_removed_or_replaced_under_a_writer_is_told(path, way):
    out = cm.create(path)
    out.append(full(1), file_name="a")
    there = path
    if way == "replaced":
        there.with_name("other").write_bytes(there.read_bytes())
        os.replace(there.with_name("other"), there)
    else:
        there.unlink()
    for change in (lambda: out.append(full(2), file_name="b"), lambda: out.delete(file_name="a")):
        with pytest.raises(CompactMaskError, match="removed or replaced by another program while"):
            change()
    with pytest.raises(CompactMaskError, match="removed or replaced by another program while"):
        out.close()
    out.abandon()


@pytest.mark.parametrize("way", ["removed", "replaced", "written to"])
def test_a_log_that_is_lost_under_a_writer_is_told_and_costs_nothing(path, way):
    out = cm.create(path, classes=["cat"])
    out.append(full(1), file_name="a")
    log = path.with_name("some.h5.log")
    if way == "written to":
        with open(log, "ab") as file:
            file.write(b"x")
    else:
        log.unlink()
        if way == "replaced":
            log.write_text("something else")
    out.classes.append("dog")
    with pytest.raises(CompactMaskError, match=r"some\.h5\.log: removed or changed by anoth"):
        out.append(full(2), file_name="b")
    out.close()
    assert_holds(path, {"a": full(1)})
    assert cm.open(path).classes == ["cat", "dog"]
    assert sorted(os.listdir(path.parent)) == [path.name, log.name][: 1 + (way == "replaced")]


def test_a_lock_that_the_process_has_lost_is_taken_again(path):
    lock = path.with_name("some.h5.lock")
    with cm.create(path) as out:
        for lose in (lock.read_bytes, lock.unlink):
            lose()  # Closing any descriptor of its file ends a record lock.
            out.append(full(1))
            assert tell_of_another_process(path).startswith("BusyError")
    assert len(cm.open(path)) == 2
    assert os.listdir(path.parent) == [path.name]


def test_a_writer_that_lost_its_lock_to_another_one_is_told(path):
    out = cm.create(path)
    out.append(full(1))
    lock = path.with_name("some.h5.lock")
    lock.unlink()
    with other_process_that_holds(lock), pytest.raises(BusyError, match="another writer has it o"):
        out.append(full(2))
    out.append(full(2))
    out.close()
    assert len(cm.open(path)) == 2


def test_a_file_with_a_second_name_is_not_continued(path):
    write(path, full(1))
    os.link(path, path.with_name("other.h5"))
    with pytest.raises(FormatError, match=r"has a second name \(a hard link\), under which"):
        cm.create(path, "a")
    os.rename(path.with_name("other.h5"), f"{path}.01234567.partial")
    cm.create(path, "a").close()
    assert os.listdir(path.parent) == [path.name]


def test_a_writer_that_nobody_holds_any_more_lets_others_in(path):
    out = cm.create(path)
    out.append(full(1), file_name="a")
    del out
    with cm.create(path, "a") as out:
        out.append(full(2), file_name="b")
    assert_holds(path, {"a": full(1), "b": full(2)})
