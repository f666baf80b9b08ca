"""Files that are written as a whole: complete at their place or not there, whoever else writes."""

import contextlib
import errno
import os
import subprocess
import sys
import threading
import time

import pytest
from hdf5_samples import assert_same, boxes, full
from hdf5_writing import CALLS, DiskCalls, assert_holds, interrupt, write

import compactmask as cm
from compactmask.errors import BusyError, FormatError
from compactmask.formats import partial
from compactmask.formats.hdf5 import sealed

SAVES = """
import sys, numpy as np, supervision as sv, compactmask as cm
print("ready", flush=True)
input()
for number in range(30):
    rows = int(sys.argv[2]) + number
    cm.save(sv.Detections(xyxy=np.ones((rows, 4))), sys.argv[1])
"""
IMAGES = {f"{i}.jpg": full(8, seed=i) for i in range(12)}


@pytest.fixture
def src(tmp_path):
    """A file with a log, to be repacked or converted."""
    folder = tmp_path / "source"
    folder.mkdir()
    out = cm.create(folder / "src.h5", durability="process")
    for name, detections in IMAGES.items():
        out.append(detections, file_name=name)
    out.abandon()
    return folder / "src.h5"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.fixture
def dst(folder):
    return folder / "dst.h5"


@pytest.fixture
def in_parts(monkeypatch):
    """Let HDF5 write to the disk all the time, and not at the end alone."""
    monkeypatch.setattr(sealed, "KEPT_BYTES", 1)
    monkeypatch.setattr(sealed, "FLUSH_BYTES", 1)
    for name, size in (("CHUNK_ROWS", 16), ("TEXT_CHUNK_BYTES", 256)):
        monkeypatch.setattr(f"compactmask.formats.hdf5.schema.{name}", size)


def save(src, dst):
    cm.save(full(40), dst)


def convert(src, dst):
    cm.convert(src, dst, overwrite=True)


def repack(src, dst):
    cm.repack(src, dst, overwrite=True)


def repack_in_chunks(src, dst):
    cm.repack(src, dst, overwrite=True, compression="gzip")


AFTER_CREATE = [name for name in CALLS if name != "create"]
WAYS = [save, convert, repack, repack_in_chunks]


def assert_complete(dst, way):
    if way is save:
        assert_same(cm.load(dst), full(40))
    else:
        assert_holds(dst, IMAGES)
    assert os.listdir(dst.parent) == [dst.name]


def assert_as_before(dst, before):
    """The old file is there, or none is; and nothing else."""
    assert os.listdir(dst.parent) == [dst.name] * (before is not None)
    assert before is None or dst.read_bytes() == before


def no_space():
    return OSError(errno.ENOSPC, "No space left on device")


def old_file(dst, exists):
    if not exists:
        return None
    write(dst, boxes(3))
    return dst.read_bytes()


@pytest.mark.parametrize(
    ("exists", "kept_bytes", "stays"), [(True, 1, True), (False, 1 << 20, True), (True, 1, False)]
)
@pytest.mark.parametrize("way", WAYS)
def test_on_a_disk_that_is_full_at_any_moment_it_is_an_error_and_the_old_file_stays(
    src, dst, monkeypatch, in_parts, way, exists, kept_bytes, stays
):
    monkeypatch.setattr(sealed, "KEPT_BYTES", kept_bytes)
    before = old_file(dst, exists)
    calls = DiskCalls(monkeypatch)
    at, failures = 0, 0
    while True:
        effect = ("none", "half")[failures % 2]
        calls.fail(at, no_space(), only=("create", "write"), effect=effect, stays=stays)
        try:
            way(src, dst)
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017
        else:
            assert not calls.failed
            break
        assert_as_before(dst, before)
        failures += 1
        at += 1 + at // 2
    assert failures > 3
    assert_complete(dst, way)


@pytest.mark.parametrize("name", ["sync", "open_to_write", "replace", "truncate"])
@pytest.mark.parametrize("way", WAYS)
def test_an_error_at_the_end_is_told_and_the_old_file_stays(src, dst, monkeypatch, way, name):
    before = old_file(dst, exists=True)
    with monkeypatch.context() as patch:

        def fail(*arguments):
            raise no_space()

        patch.setattr(f"compactmask.formats.disk.{name}", fail)
        with pytest.raises(OSError, match="No space left on device"):
            way(src, dst)
    assert_as_before(dst, before)
    way(src, dst)
    assert_complete(dst, way)


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    """Mount a file system of that size."""
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(["mount", *options], capture_output=True)
    except OSError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("mounting is not permitted")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("kilobytes", [8, 16, 28])
@pytest.mark.parametrize("way", WAYS)
def test_on_a_real_disk_that_is_too_small_nothing_is_left(src, folder, dst, way, kilobytes):
    with small_disk(folder, kilobytes):
        with pytest.raises(OSError, match="No space left on device"):
            way(src, dst)
        assert os.listdir(folder) == []
    way(src, dst)
    assert_complete(dst, way)


@pytest.mark.parametrize("effect", ["none", "all"])
@pytest.mark.parametrize("way", WAYS)
def test_after_ctrl_c_the_old_file_or_the_complete_new_one_is_there_and_nothing_else(
    src, dst, monkeypatch, in_parts, way, effect
):
    before = old_file(dst, exists=True)
    calls = DiskCalls(monkeypatch)
    at, stopped = 0, 0
    while True:
        calls.fail(at, interrupt, only=AFTER_CREATE, effect=effect)
        try:
            way(src, dst)
        except KeyboardInterrupt:
            stopped += 1
        if not calls.failed:
            break
        if dst.read_bytes() == before:
            assert_as_before(dst, before)
        else:
            assert_complete(dst, way)
            dst.write_bytes(before)
        at += 1 + at // 2
    assert stopped > 8
    assert_complete(dst, way)


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_right_after_the_partial_file_is_created_removes_it(src, dst, monkeypatch, way):
    calls = DiskCalls(monkeypatch)
    calls.fail(0, interrupt, only=("create",), effect="all")
    with pytest.raises(KeyboardInterrupt):
        way(src, dst)
    assert os.listdir(dst.parent) == []


# others that write


def test_threads_that_save_onto_one_path_all_succeed_and_the_last_one_wins(dst):
    errors = []

    def work(start):
        try:
            for rows in range(start, start + 10):
                cm.save(boxes(rows), dst)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(100 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(cm.load(dst)) in [100 * i + 9 for i in range(4)]
    assert os.listdir(dst.parent) == [dst.name]


def test_processes_that_save_onto_one_path_all_succeed_and_the_last_one_wins(dst):
    def started(start):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        arguments = [sys.executable, "-c", SAVES, dst, str(start)]
        return subprocess.Popen(arguments, text=True, **pipes)

    others = [started(100), started(200)]
    for other in others:
        assert other.stdout.readline() == "ready\n"
    for other in others:
        other.stdin.write("\n")
        other.stdin.flush()
    told = [other.communicate()[1] for other in others]
    assert told == ["", ""]
    assert len(cm.load(dst)) in (129, 229)
    assert os.listdir(dst.parent) == [dst.name]


@pytest.mark.parametrize("way", WAYS)
def test_a_writer_is_waited_for_and_then_told(src, dst, monkeypatch, way):
    monkeypatch.setattr(sealed, "PATIENCE", 0.05)
    with cm.create(dst) as out:
        out.append(boxes(1), file_name="a")
        calls = DiskCalls(monkeypatch)
        started = time.monotonic()
        with pytest.raises(BusyError, match=r"dst\.h5: another writer of this process has it open"):
            way(src, dst)
        assert time.monotonic() - started >= 0.05
        assert calls.seen == []
        out.append(boxes(2), file_name="b")
    assert_holds(dst, {"a": boxes(1), "b": boxes(2)})
    assert os.listdir(dst.parent) == [dst.name]


@pytest.mark.parametrize("way", WAYS)
def test_a_writer_that_closes_soon_is_waited_for(src, dst, way):
    out = cm.create(dst)
    out.append(boxes(1))
    closing = threading.Timer(0.05, out.close)
    closing.start()
    way(src, dst)
    closing.join()
    assert_complete(dst, way)


@pytest.mark.parametrize("way", WAYS)
def test_no_writer_gets_in_while_the_new_file_takes_its_place(src, dst, monkeypatch, way):
    put_in_place, met = partial.put_in_place, []

    def meanwhile(*arguments):
        with pytest.raises(BusyError, match="another writer of this process has it open"):
            cm.create(dst, "a")
        met.append(arguments)
        put_in_place(*arguments)

    old_file(dst, exists=True)
    monkeypatch.setattr(partial, "put_in_place", meanwhile)
    way(src, dst)
    assert len(met) == 1
    assert_complete(dst, way)


@pytest.mark.parametrize("way", WAYS)
def test_a_writer_that_begins_while_the_new_file_is_written_is_told_at_the_end(
    src, dst, monkeypatch, way
):
    old_file(dst, exists=True)
    monkeypatch.setattr(sealed, "PATIENCE", 0.02)
    complete, writers = sealed.Sealed._complete, []

    def meanwhile(self, store):
        complete(self, store)
        writers.append(cm.create(dst, "a"))
        writers[0].append(boxes(1))

    monkeypatch.setattr(sealed.Sealed, "_complete", meanwhile)
    with pytest.raises(BusyError, match="another writer of this process has it open"):
        way(src, dst)
    writers[0].close()
    assert len(cm.open(dst)) == 2
    assert os.listdir(dst.parent) == [dst.name]


@pytest.mark.parametrize("way", WAYS)
def test_where_the_file_system_has_no_locks_it_is_written_without(src, dst, monkeypatch, way):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    way(src, dst)
    assert_complete(dst, way)


@pytest.mark.parametrize("ending", [".log", ".journal", ".lock", ".01234567.partial"])
def test_a_name_of_what_stands_beside_a_file_is_refused_and_the_file_stays(src, folder, ending):
    name = f"{src}{ending}"
    before = {each: (src.parent / each).read_bytes() for each in os.listdir(src.parent)}
    uses = (
        lambda: cm.create(name),
        lambda: cm.create(name, "w"),
        lambda: cm.create(name, "a"),
        lambda: cm.save(boxes(1), name),
        lambda: cm.convert(src, name, overwrite=True),
        lambda: cm.repack(src, name, overwrite=True),
    )
    for use in uses:
        with pytest.raises(FormatError, match=r": a name of what stands beside a file, expected"):
            use()
    assert before == {each: (src.parent / each).read_bytes() for each in os.listdir(src.parent)}
    link = folder / "link.h5"
    link.symlink_to(name)
    with pytest.raises(FormatError, match=r": a name of what stands beside a file, expected"):
        cm.save(boxes(1), link)
