"""A process that writes a COCO document, killed at random moments, and one that goes on."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from coco_writing import document, found
from fresh import PATHS

import compactmask as cm
from compactmask.formats import coco

IMAGES = 400
SCRIPT = """
import sys
from coco_writing import found
from compactmask.formats import coco
path, mode, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
with coco.create(path, mode) as out:
    print("open", flush=True)
    for number in range(400):
        if not out.has(id=number, file_name=f"{number}.jpg"):
            out.append(found(3, number % 7, 10 * number + 1), f"{number}.jpg", image_id=number)
            print(number, flush=True)
print("done", flush=True)
"""

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")


class Process:
    """A process that writes, and says how far it is."""

    def __init__(self, path, mode):
        paths = os.pathsep.join(map(str, PATHS))
        self._process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(path), mode, "0"],
            env={**os.environ, "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def kill(self, seconds):
        """Kill it, and give what it said."""
        time.sleep(seconds)
        self._process.send_signal(signal.SIGKILL)
        return self.wait()

    def wait(self):
        """Wait for its end, and give what it said."""
        said = self._process.stdout.read().split()
        self._process.stdout.close()
        self._process.wait()
        return said


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "whole.json"
    with coco.create(path) as out:
        for number in range(IMAGES):
            out.append(found(3, number % 7, 10 * number + 1), f"{number}.jpg", image_id=number)
    return path.read_bytes()


def waiting(path):
    """Give the images that wait beside a document."""
    out = coco.create(path, "a")
    numbers = [number for number in range(IMAGES) if out.has(id=number)]
    assert numbers == [*range(len(out))]
    out.abandon()
    return len(numbers)


@pytest.mark.parametrize("before", [None, b"before"])
def test_what_a_killed_process_left_is_gone_on_with(tmp_path, expected, before):
    path = tmp_path / "out.json"
    if before:
        path.write_bytes(before)
    chance, kills, hits, mode = random.Random(1), 0, 0, "w"
    while True:
        process = Process(path, mode)
        said = process.kill(chance.random() * 0.2) if kills < 12 else process.wait()
        kills += 1
        if "done" in said or (path.exists() and path.read_bytes() != before):
            break
        acknowledged = [int(number) for number in said if number.isdigit()]
        left = [name for name in os.listdir(tmp_path) if name.endswith(".images.partial")]
        mode = "a" if left else "w"
        if acknowledged:
            hits += 1
            assert waiting(path) > acknowledged[-1]
    assert path.read_bytes() == expected
    assert hits >= 2
    with cm.open(path) as ds:
        assert len(ds) == IMAGES


@pytest.mark.parametrize("call", ["create", "write", "sync", "replace", "sync_folder", "remove"])
def test_a_process_that_dies_at_any_call_leaves_the_old_document_or_the_new(tmp_path, call):
    script = f"""
import os, sys
from coco_writing import found
from compactmask.formats import coco, disk
count = [int(sys.argv[2])]
work = disk.{call}
def dying(*arguments):
    count[0] -= 1
    if count[0] < 0:
        os._exit(9)
    return work(*arguments)
disk.{call} = dying
with coco.create(sys.argv[1], "w") as out:
    for number in range(3):
        out.append(found(2, number, 10 * number + 1), image_id=number)
"""
    folder = tmp_path / "whole"
    folder.mkdir()
    status, at = 9, 0
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PATHS))}
    while status == 9:
        path = tmp_path / f"{at}.json"
        path.write_text("before")
        status = subprocess.run(
            [sys.executable, "-c", script, str(path), str(at)], env=environment
        ).returncode
        text = path.read_text()
        if text != "before":
            assert [image["id"] for image in document(path)["images"]] == [0, 1, 2]
        at += 1
        if status == 9 and os.path.exists(f"{path}.images.partial"):
            with coco.create(path, "a") as out:
                for number in range(len(out), 3):
                    out.append(found(2, number, 10 * number + 1), image_id=number)
            assert len(document(path)["annotations"]) == 6
            assert [name for name in os.listdir(tmp_path) if name.startswith(path.name)] == [
                path.name
            ]
    assert status == 0
    assert at > 1
