"""One writer of a COCO document at a time: races, threads of one process, forks, interrupts."""

import json
import os
import signal
import sys

import numpy as np
import pytest
import supervision as sv
from coco_writing import document, found, one
from hdf5_samples import boxes
from test_coco_crash import Process

from compactmask.errors import BusyError, CompactMaskError, FormatError
from compactmask.formats import coco, disk
from compactmask.formats.coco import spool

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.json"


def names(path):
    return [image["file_name"] for image in document(path)["images"]]


class Other:
    """A process that has a writer with one image, and closes it when it is told."""

    def __init__(self, path):
        asks, self._tell = os.pipe()
        said, says = os.pipe()

        def work(_):
            with coco.create(path, "a") as out:
                out.append(one(), "other.jpg")
                os.write(says, b".")
                os.read(asks, 1)

        self._process = Process(work)
        os.read(said, 1)

    def end(self):
        os.write(self._tell, b".")
        assert self._process.wait()[1] == 0


def test_one_that_waits_for_the_lock_does_not_replace_what_was_completed(path, monkeypatch):
    other, lock = Other(path), spool.Spool._lock

    def late(self):
        monkeypatch.setattr(spool.Spool, "_lock", lock)
        other.end()
        lock(self)

    monkeypatch.setattr(spool.Spool, "_lock", late)
    with pytest.raises(FileExistsError, match="is complete, and nothing is appended"):
        coco.create(path, "a")
    assert names(path) == ["other.jpg"]
    assert os.listdir(path.parent) == [path.name]


def test_one_that_begins_when_another_ends_does_not_replace_it(path, monkeypatch):
    other, create = Other(path), disk.create
    monkeypatch.setattr(spool.Spool, "open", lambda self: False)

    def late(name):
        monkeypatch.setattr(disk, "create", create)
        other.end()
        return create(name)

    monkeypatch.setattr(disk, "create", late)
    with pytest.raises(FileExistsError, match="is complete, and nothing is appended"):
        coco.create(path, "a")
    assert names(path) == ["other.jpg"]
    assert os.listdir(path.parent) == [path.name]


def test_one_that_began_with_nothing_does_not_replace_what_appears(path):
    out = coco.create(path, "a")
    out.append(one())
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="made meanwhile"):
        out.close()
    out.abandon()
    assert path.read_text() == "mine"


@pytest.mark.parametrize("mode", ["w", "a"])
def test_a_process_writes_a_document_once_at_a_time(path, mode):
    with coco.create(path, mode) as out:
        out.append(one(), "a.jpg")
        with pytest.raises(BusyError, match="another writer is at work on it"):
            coco.create(path, mode)
        out.append(one(), "b.jpg")
    assert names(path) == ["a.jpg", "b.jpg"]
    coco.create(path, "w").abandon()
    with pytest.raises(FormatError, match="begun with"):
        coco.create(path, "a", style="results")
    with coco.create(path, "a") as out:
        assert len(out) == 0


def test_a_fork_cannot_close_what_its_parent_writes(path):
    errors = []

    def work(say):
        for act in (out.close, lambda: out.append(one()), lambda: out.__exit__(None, None, None)):
            try:
                act()
            except CompactMaskError as error:
                errors.append(str(error))
        out.abandon()
        say(sum("belongs to process" in error for error in errors))

    with coco.create(path) as out:
        out.append(one(), "a.jpg")
        said, status = Process(work).wait()
        assert (said, status) == (["3"], 0)
        assert not path.exists()
        out.append(one(), "b.jpg")
    assert names(path) == ["a.jpg", "b.jpg"]


class Interrupt(BaseException):
    """What stands for KeyboardInterrupt."""


def test_an_interrupt_anywhere_leaves_each_image_once(path, monkeypatch):
    files = ("writer.py", "spool.py", "register.py", "seen.py", "categories.py", "disk.py")
    at = count = 0

    def trace(frame, event, _):
        nonlocal count
        if not frame.f_code.co_filename.endswith(files):
            return None
        if event == "line" and frame.f_code.co_name != "compose":
            count += 1
            if count == at:
                sys.settrace(None)
                raise Interrupt
        return trace

    with coco.create(path, classes=["a", "b", "c"]) as out:
        for number in range(1000):
            at, count = number, 0
            detections = found(2, number, 10 * number)
            detections.data["category_id"] = detections.class_id + 1
            sys.settrace(trace)
            try:
                out.append(detections, f"{number}.jpg", image_id=number)
                if at and count < at:
                    break
            except Interrupt:
                pass
            finally:
                sys.settrace(None)
            if not out.has(id=number):
                out.append(detections, f"{number}.jpg", image_id=number)
        assert 50 < number < 999
        assert len(out) == number + 1
        assert out.instances == 2 * len(out)
    written = document(path)
    assert [image["id"] for image in written["images"]] == [*range(number + 1)]
    ids = [own["id"] for own in written["annotations"]]
    assert ids == [10 * i + k for i in range(number + 1) for k in range(2)]


def killed(path, act):
    """Append and change something in a process that is killed; give the writer that goes on."""

    def work(say):
        out = coco.create(path, "a")
        act(out)
        os.kill(os.getpid(), signal.SIGKILL)

    assert Process(work).wait()[1] == -signal.SIGKILL
    return coco.create(path, "a")


def test_classes_and_metadata_survive_a_kill_whenever_they_were_set(path):
    def before(out):
        out.classes = ["cat"]
        out.metadata = {"info": 1}

    with killed(path, before) as out:
        assert (out.classes, out.metadata, len(out)) == (["cat"], {"info": 1}, 0)
        out.abandon()

    def later(out):
        out.append(one(), "a.jpg")
        out.metadata["info"] = {"a": [2]}
        out.classes.append("dog")
        out.append(one(), "b.jpg")
        out.metadata = {"info": 3}

    with killed(path, later) as out:
        assert (out.classes, out.metadata, len(out)) == (["cat", "dog"], {"info": 3}, 2)
    assert document(path)["info"] == 3
    assert names(path) == ["a.jpg", "b.jpg"]


def test_what_was_changed_last_survives_an_error(path):
    out = coco.create(path, classes=["cat"])
    out.append(one())
    out.metadata["info"] = 2
    out.classes.append("dog")
    out.abandon()
    with coco.create(path, "a") as out:
        assert (out.classes, out.metadata) == (["cat", "dog"], {"info": 2})
        out.metadata["info"] = {3: 4}
        out.abandon()
    with coco.create(path, "a") as out:
        assert (out.metadata, len(out)) == ({"info": 2}, 1)


@pytest.mark.parametrize("bad", [{1: 2}, {"a": {None: 3}}, {"a": (1, 2)}, {"a": np.ones(2)}])
def test_metadata_that_does_not_come_back_is_refused_when_it_is_set(path, bad):
    with coco.create(path) as out:
        out.metadata = {"good": 1}
        with pytest.raises(FormatError, match="metadata: "):
            out.metadata = bad
        assert out.metadata == {"good": 1}
        out.metadata.update(bad)
        with pytest.raises(FormatError, match="metadata: "):
            out.append(one())
        with pytest.raises(FormatError, match="metadata: "):
            out.close()
        out.metadata = {"good": 2}
        out.append(one())
    assert document(path)["good"] == 2


# ids that are text


def text_id(text):
    return {"id:json": json.dumps(text)}


@pytest.mark.parametrize("style", ["dataset", "results"])
def test_ids_that_are_text_are_unique_and_all_text(path, style):
    with coco.create(path, style=style) as out:
        out.append(boxes(0), "a", columns=text_id("x"))
        with pytest.raises(FormatError, match=r"image 1 \('b'\): .* an image of id 'x'"):
            out.append(boxes(0), "b", columns=text_id("x"))
        with pytest.raises(FormatError, match=r"image 1 \('b'\): id 5, expected texts as before"):
            out.append(boxes(0), "b", image_id=5)
        out.abandon()
    with coco.create(path, "a", style=style) as out:
        with pytest.raises(FormatError, match="an image of id 'x'"):
            out.append(boxes(0), "b", columns=text_id("x"))
        out.append(boxes(0), "b", columns=text_id("y"))
    with coco.create(path, "w", style=style) as out:
        out.append(boxes(0), "a")
        with pytest.raises(FormatError, match=r"image 1 \('b'\): id 'x', expected integers"):
            out.append(boxes(0), "b", columns=text_id("x"))


# what results do not say


def test_results_count_names_of_classes_and_metadata(path):
    detections = sv.Detections(np.zeros((2, 4)), class_id=np.arange(2), confidence=np.ones(2))
    with coco.create(path, style="results", classes=["1", "2"]) as out:
        out.append(detections)
        assert not out.loss
        out.metadata = {"categories": [{"id": 1, "name": "1"}, {"id": 2, "name": "2"}]}
        assert not out.loss
        out.metadata["info"] = {"year": 2014}
        assert out.loss.fields == {"metadata"}
        out.classes.append("3")
        assert out.loss.fields == {"metadata", "classes"}
    with coco.create(path, "w", style="results", classes=["cat", "dog"]) as out:
        out.append(detections)
        assert out.loss.fields == {"classes"}
    assert len(document(path)) == 2
