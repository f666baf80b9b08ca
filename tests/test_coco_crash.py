"""Processes that write a COCO document, killed at any moment, and those that go on."""

import contextlib
import os
import random
import signal
import time

import pytest
from coco_writing import document, found

from compactmask.formats import coco, disk

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded"),
]

IMAGES = 150
KILLS = 25
SAMPLES = [found(3, seed, 1) for seed in range(7)]


def append(out, number):
    detections = SAMPLES[number % 7]
    detections.data["annotation_id"][:] = range(10 * number, 10 * number + 3)
    out.append(detections, f"{number}.jpg", image_id=number)


class Process:
    """A fork that does something with a pipe to write to, and may be killed."""

    def __init__(self, work):
        read, write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            with contextlib.suppress(BaseException):
                work(lambda text: os.write(write, f"{text}\n".encode()))
            os._exit(0)
        os.close(write)
        self._pipe = open(read)  # noqa: SIM115
        self._said = []

    def hear(self):
        """Wait for what it says first, or for its end."""
        self._said += self._pipe.readline().split()

    def kill(self):
        os.kill(self._pid, signal.SIGKILL)

    def wait(self):
        """Wait for its end; give what it said, and its status."""
        with self._pipe as pipe:
            said = self._said + pipe.read().split()
        return said, os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "whole.json"
    with coco.create(path) as out:
        for number in range(IMAGES):
            append(out, number)
    return path.read_bytes()


@pytest.mark.parametrize("before", [None, b"before"])
def test_what_a_killed_process_left_is_gone_on_with(tmp_path, expected, before):
    path = tmp_path / "out.json"

    def work(say):
        with coco.create(path, "a" if os.path.exists(f"{path}.images.partial") else "w") as out:
            for number in range(IMAGES):
                if not out.has(id=number, file_name=f"{number}.jpg"):
                    append(out, number)
                    say(number)
                    time.sleep(0.001)

    if before:
        path.write_bytes(before)
    chance, hits, last = random.Random(1), 0, -1
    for kill in range(KILLS + 1):
        process = Process(work)
        if kill < KILLS:
            if kill % 2:
                process.hear()
            time.sleep(chance.random() * 0.06)
            process.kill()
        said, status = process.wait()
        if path.exists() and path.read_bytes() != before:
            break  # It was killed after the document took its place, or not at all.
        assert path.exists() == bool(before)
        last = int(said[-1]) if said else last
        hits += bool(said)
        if last >= 0:
            out = coco.create(path, "a")
            assert len(out) in (last + 1, last + 2)
            assert all(out.has(id=number) for number in range(len(out)))
            out.abandon()
            last = len(out) - 1
    assert path.read_bytes() == expected
    assert status or os.listdir(tmp_path) == [path.name]
    assert hits


CALLS = ["create", "write", "sync", "link", "replace", "sync_folder", "remove"]


@pytest.mark.parametrize("before", [None, "before"])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("is_done", [False, True])
def test_a_process_that_dies_at_any_call_leaves_the_old_document_or_the_new(
    tmp_path, call, before, is_done, monkeypatch
):
    real = getattr(disk, call)
    count = 0

    def dying(*arguments):
        nonlocal count
        count -= 1
        if count < 0:
            if is_done:
                real(*arguments)
            os._exit(9)
        return real(*arguments)

    def work(say):
        monkeypatch.setattr(disk, call, dying)
        with coco.create(path, "w" if before else "x") as out:
            for number in range(3):
                append(out, number)

    status, at = 9, 0
    while status == 9:
        path, count = tmp_path / f"{at}.json", at
        if before:
            path.write_text(before)
        _, status = Process(work).wait()
        is_new = path.exists() and path.read_text() != before
        assert is_new or path.exists() == bool(before)
        if is_new:
            assert [image["id"] for image in document(path)["images"]] == [0, 1, 2]
        waiting = tmp_path / f"{path.name}.images.partial"
        if status == 9 and waiting.exists():
            is_begun = waiting.stat().st_size > 0  # Else it is not told that it was to replace.
            with coco.create(path, "a" if is_begun or not before else "w") as out:
                assert len(out) == 3 or not is_new
                for number in range(len(out), 3):
                    append(out, number)
                if is_new:
                    assert len(document(path)["annotations"]) == 9
            assert len(document(path)["annotations"]) == 9
            beside = [name for name in os.listdir(tmp_path) if name.startswith(path.name)]
            assert beside == [path.name]
        at += 1
    assert status == 0
    assert at > 1 or (call == "link" and before) or (call == "replace" and not before)
