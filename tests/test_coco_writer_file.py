"""The file of a COCO document: modes, what waits beside it, what stays, what is gone on with."""

import errno
import os

import fresh
import pytest
from coco_writing import CLASSES, document, found, hdf5, one
from hdf5_samples import boxes
from hdf5_writing import DiskCalls

import compactmask as cm
from compactmask.errors import CorruptFileError, FormatError
from compactmask.formats import coco

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PARTS = ("annotations", "images")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.json"


@pytest.fixture
def dataset(tmp_path):
    with hdf5(tmp_path / "in.h5", {"a": found(4, 1, 100), "b": boxes(0), "c": found(3)}) as ds:
        yield ds


def divide_after(out):
    """Append an image, and raise."""
    out.append(one(), "a.jpg")
    return 1 / 0


def test_a_file_that_exists_stays_unless_it_is_overwritten(path, dataset):
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite is not set"):
        coco.write(dataset, path)
    with pytest.raises(FileExistsError, match="overwrite is not set"):
        coco.write([], path)
    with pytest.raises(FileExistsError, match="exists"):
        coco.create(path)
    assert path.read_text() == "mine"
    coco.write(dataset, path, overwrite=True)
    assert len(document(path)["images"]) == 3


def test_the_source_itself_is_no_place_to_write_to(tmp_path, path):
    coco.write([one()], path)
    with cm.open(path) as ds, pytest.raises(FormatError, match="it is the source itself"):
        coco.write(ds, path, overwrite=True)


@pytest.mark.parametrize("mode", ["x", "w"])
def test_an_error_leaves_what_was_there_and_what_waits(path, mode):
    if mode == "w":
        path.write_text("before")
    with pytest.raises(ZeroDivisionError), coco.create(path, mode) as out:
        divide_after(out)
    waiting = {f"{path.name}.annotations.partial", f"{path.name}.images.partial"}
    assert {*os.listdir(path.parent)} == waiting | ({path.name} if mode == "w" else set())
    if mode == "w":
        assert path.read_text() == "before"
    with coco.create(path, "a") as out:
        assert out.has(file_name="a.jpg")
        out.append(one(), "b.jpg")
    assert [image["file_name"] for image in document(path)["images"]] == ["a.jpg", "b.jpg"]
    assert os.listdir(path.parent) == [path.name]


def test_going_on_has_ids_categories_loss_classes_and_metadata(path):
    out = coco.create(path, classes=CLASSES)
    out.metadata["info"] = {"year": 2014}
    out.append(found(2, 1, 5, id=[1, 2]), "a.jpg", image_id=3)
    out.abandon()
    with coco.create(path, "a") as out:
        assert (out.classes, out.metadata) == (CLASSES, {"info": {"year": 2014}})
        assert (len(out), out.instances, out.loss.fields) == (1, 2, {"id"})
        with pytest.raises(FormatError, match="has an image of id 3"):
            out.append(found(1), image_id=3)
        clash = found(1, 1, 6)
        clash.data["category_id"][:] = 77
        clash.class_id[:] = found(2, 1, 5).class_id[0]
        with pytest.raises(FormatError, match=r"class \d has category_id \d+ and 77"):
            out.append(clash)
        out.append(found(2, 2, 50))
    written = document(path)
    assert [own["id"] for own in written["annotations"]][:2] == [5, 6]
    assert written["info"] == {"year": 2014}


def test_ids_that_were_used_before_going_on_are_known(path):
    out = coco.create(path)
    out.append(found(2, 1, 5))
    out.abandon()
    with coco.create(path, "a") as out:
        out.append(found(2, 1, 6))
    assert [own["id"] for own in document(path)["annotations"]] == [1, 2, 3, 4]


def test_going_on_begins_where_nothing_is(path):
    with coco.create(path, "a") as out:
        out.append(one())
    assert len(document(path)["images"]) == 1


def test_a_complete_document_is_not_appended_to(path):
    coco.write([one()], path)
    with pytest.raises(FileExistsError, match="is complete, and nothing is appended") as caught:
        coco.create(path, "a")
    assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, str(path))


def test_x_refuses_what_waits_and_w_replaces_it(path):
    coco.create(path).abandon()
    with pytest.raises(FileExistsError, match="is not complete: mode 'a' goes on with it"):
        coco.create(path)
    with coco.create(path, "w") as out:
        assert len(out) == 0
    assert document(path)["images"] == []


@pytest.mark.parametrize("options", [{"style": "results"}, {"polygons": True}])
def test_what_waits_is_not_continued_in_another_style(path, options):
    out = coco.create(path)
    out.append(found(1))
    out.abandon()
    with pytest.raises(FormatError, match=r"images\.partial: begun with .* expected"):
        coco.create(path, "a", **options)
    with coco.create(path, "a") as out:
        assert len(out) == 1


def test_what_waits_is_not_continued_with_other_classes(path):
    out = coco.create(path, classes=["cat"])
    out.append(one())
    out.abandon()
    with pytest.raises(FormatError, match=r"classes \['dog'\], those that are there are \['cat'\]"):
        coco.create(path, "a", classes=["dog"])
    with coco.create(path, "a", classes=["cat", "dog"]) as out:
        assert out.classes == ["cat", "dog"]


@pytest.mark.parametrize("ending", PARTS)
def test_what_is_torn_is_cut_off(path, ending):
    out = coco.create(path)
    for number in range(3):
        out.append(found(2, number), f"{number}.jpg")
    out.abandon()
    partial = path.with_name(f"{path.name}.{ending}.partial")
    whole = partial.read_bytes()
    for size in range(0, len(whole), 7 if ending == "images" else 61):
        partial.write_bytes(whole[:size])
        out = coco.create(path, "a")
        names = [number for number in range(3) if out.has(file_name=f"{number}.jpg")]
        assert names == [*range(len(out))]
        assert len(out) < 3
        beside = [path.with_name(f"{path.name}.{part}.partial") for part in PARTS]
        lines = [file.read_bytes().count(b"\n") for file in beside]
        assert lines == [2 * len(out), len(out) + 1]
        out.abandon()
        with coco.create(path, "a") as out:
            for number in range(len(out), 3):
                out.append(found(2, number), f"{number}.jpg")
        assert [own["file_name"] for own in document(path)["images"]] == [
            "0.jpg",
            "1.jpg",
            "2.jpg",
        ]
        assert len(document(path)["annotations"]) == 6
        path.unlink()
        out = coco.create(path)
        for number in range(3):
            out.append(found(2, number), f"{number}.jpg")
        out.abandon()


def test_annotations_that_a_power_failure_lost_end_what_is_continued(path):
    out = coco.create(path)
    for number in range(3):
        out.append(found(2, number))
    out.abandon()
    lines = path.with_name(f"{path.name}.annotations.partial")
    data = bytearray(lines.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 9] = bytes(9)
    lines.write_bytes(data)
    with coco.create(path, "a") as out:
        assert len(out) == 1


def records_of(path):
    """Leave two images that wait; give the file of their records, and its lines."""
    out = coco.create(path)
    for number in range(2):
        out.append(found(2, number), f"{number}.jpg")
    out.abandon()
    records = path.with_name(f"{path.name}.images.partial")
    return records, records.read_bytes().splitlines(keepends=True)


DAMAGED = {
    "no keys": (
        b"{}\t\n",
        r"the record at byte \d+ is \{\}, expected an object with 'end' and 'crc'",
    ),
    "a number": (b"5\t\n", r"the record at byte \d+ is 5, expected an object"),
    "no CRC": (b'{"end":5}\t\n', r"the record at byte \d+ is \{'end': 5\}, expected"),
    "no integer": (
        b'{"end":0.5,"crc":0}\t\n',
        r"the record at byte \d+ is \{'end': 0\.5, 'crc': 0",
    ),
    "no image": (b'{"end":0,"crc":0}\t\n', r"the record of image 0 is damaged: KeyError\('id'\)"),
    "classes": (
        b'{"end":0,"crc":0,"classes":5,"metadata":{}}\t\n',
        "the record of image 0 is damaged: TypeE",
    ),
}


@pytest.mark.parametrize(("line", "problem"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_whole_line_that_is_no_record_is_refused_and_nothing_cut_off(path, line, problem):
    records, lines = records_of(path)
    damaged = b"".join([lines[0], line, *lines[1:]])
    records.write_bytes(damaged)
    for _ in range(2):
        with pytest.raises(CorruptFileError, match=rf"out\.json\.images\.partial: {problem}"):
            coco.create(path, "a")
    assert records.read_bytes() == damaged
    with coco.create(path, "w") as out:
        assert len(out) == 0


@pytest.mark.parametrize(
    "line", [b"[" * 100000 + b"\t\n", b'{"end":-5,"crc":0}\t\n', b'{"end":%d,"crc":0}\t\n' % 10**30]
)
def test_what_can_be_no_record_of_the_lines_that_are_there_ends_what_is_continued(path, line):
    records, lines = records_of(path)
    records.write_bytes(b"".join([*lines[:2], line, *lines[2:]]))
    with coco.create(path, "a") as out:
        assert len(out) == 1
    assert len(document(path)["images"]) == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"5\t\n", "begun with 5, expected an object"),
        (
            b'{"version":2,"style":"dataset","polygons":false,"found":5}\t\n',
            "found is 5, expected a size and a time",
        ),
    ],
)
def test_a_first_line_that_begins_nothing_is_refused(path, line, problem):
    records, lines = records_of(path)
    records.write_bytes(b"".join([line, *lines[1:]]))
    for _ in range(2):
        with pytest.raises(CorruptFileError, match=rf"out\.json\.images\.partial: {problem}"):
            coco.create(path, "a")


def test_a_disk_that_is_full_leaves_a_writer_that_goes_on(path, monkeypatch):
    calls = DiskCalls(monkeypatch)
    with coco.create(path) as out:
        out.append(found(1, 1), "a.jpg")
        for at, effect in ((0, "half"), (1, "half"), (0, "none"), (1, "none")):
            calls.fail(at, OSError(errno.ENOSPC, "full"), only=("write",), effect=effect)
            with pytest.raises(OSError, match="full"):
                out.append(found(5, 2), "a long name that is torn")
        calls.recover()
        assert len(out) == 1
        out.append(found(1, 3), "b")
    written = document(path)
    assert [image["file_name"] for image in written["images"]] == ["a.jpg", "b"]
    assert len(written["annotations"]) == 2


def test_a_disk_that_fails_while_it_is_put_in_place_leaves_what_waits(path, monkeypatch):
    path.write_text("before")
    calls = DiskCalls(monkeypatch)
    out = coco.create(path, "w")
    out.append(found(1))
    calls.fail(0, OSError(errno.EIO, "bad"), only=("sync", "replace"))
    with pytest.raises(OSError, match="bad"):
        out.close()
    calls.recover()
    assert path.read_text() == "before"
    out.close()
    assert len(document(path)["annotations"]) == 1
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("at", [2, 3])
def test_what_waited_and_cannot_be_removed_keeps_no_other_writer_out(path, monkeypatch, at):
    calls = DiskCalls(monkeypatch)
    out = coco.create(path)
    out.append(found(1), "a.jpg")
    calls.fail(at, OSError(errno.EIO, "bad"), only=("remove",))
    with pytest.raises(OSError, match="bad"):
        out.close()
    assert calls.failed
    calls.recover()
    assert len(document(path)["images"]) == 1
    with coco.create(path, "w") as out:
        out.append(one(), "b.jpg")
    assert document(path)["images"][0]["file_name"] == "b.jpg"
    assert os.listdir(path.parent) == [path.name]


def test_a_second_name_of_a_complete_document_is_not_written_to(path, monkeypatch):
    calls = DiskCalls(monkeypatch)
    out = coco.create(path)
    out.append(found(1))
    calls.fail(0, OSError(errno.EIO, "bad"), only=("sync_folder",))
    with pytest.raises(OSError, match="bad"):
        out.close()
    calls.recover()
    complete = path.read_bytes()
    out.abandon()
    os.link(path, f"{path}.partial")
    out = coco.create(path, "a")
    calls.fail(0, OSError(errno.EIO, "bad"), only=("sync",))
    with pytest.raises(OSError, match="bad"):
        out.close()
    assert path.read_bytes() == complete
    out.abandon()


def test_a_file_that_is_made_meanwhile_stays(path):
    out = coco.create(path)
    out.append(one())
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="made meanwhile"), out:
        pass
    assert path.read_text() == "mine"
    path.unlink()
    with coco.create(path, "a") as out:
        assert len(out) == 1


def waiting(path, mode="x"):
    """Leave an image that waits."""
    out = coco.create(path, mode)
    out.append(one(), "a.jpg")
    out.abandon()


def test_going_on_does_not_replace_what_was_made_meanwhile(path):
    waiting(path)
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="made meanwhile, or changed; the images that wait"):
        coco.create(path, "a")
    assert path.read_text() == "mine"
    path.unlink()
    with coco.create(path, "a") as out:
        assert out.has(file_name="a.jpg")


def test_going_on_replaces_what_was_to_be_replaced_unless_it_was_changed(path):
    for text, is_replaced in (("before", True), ("changed", False)):
        path.write_text("before")
        waiting(path, "w")
        if not is_replaced:
            path.write_text(text)
            with pytest.raises(FileExistsError, match="made meanwhile, or changed"):
                coco.create(path, "a")
            assert path.read_text() == text
        else:
            coco.create(path, "a").close()
            assert len(document(path)["images"]) == 1


def test_w_does_not_replace_what_was_changed_while_it_was_written(path):
    path.write_text("before")
    out = coco.create(path, "w")
    out.append(one())
    path.write_text("changed")
    with pytest.raises(FileExistsError, match="made meanwhile, or changed"):
        out.close()
    out.abandon()
    assert path.read_text() == "changed"


def test_what_is_in_place_already_is_gone_on_with(path, monkeypatch):
    calls = DiskCalls(monkeypatch)
    out = coco.create(path)
    out.append(found(3), "a.jpg")
    calls.fail(0, OSError(errno.EIO, "bad"), only=("sync_folder",))
    with pytest.raises(OSError, match="bad"):
        out.close()
    calls.recover()
    out.abandon()
    with coco.create(path, "a") as out:
        assert len(out) == 1
        out.append(found(1), "b.jpg")
    assert len(document(path)["images"]) == 2
    assert os.listdir(path.parent) == [path.name]


def test_files_in_which_nothing_was_begun_are_nothing(path):
    for mode in ("x", "a", "w"):
        for part in PARTS:
            path.with_name(f"{path.name}.{part}.partial").write_bytes(b"")
        with coco.create(path, mode) as out:
            out.append(one())
        assert os.listdir(path.parent) == [path.name]
        if mode == "x":
            path.unlink()
            continue
        for part in PARTS:
            path.with_name(f"{path.name}.{part}.partial").write_bytes(b"")
        assert coco.creation.is_complete(path)
        with pytest.raises(FileExistsError, match="is complete"):
            coco.create(path, "a")


def test_a_closed_writer_is_closed(path):
    with coco.create(path) as out:
        assert repr(out) == f"Writer({str(path)!r}: 0 images, open)"
    out.close()
    out.abandon()
    assert repr(out).endswith("closed)")
    with pytest.raises(ValueError, match="the writer is closed"):
        out.append(one())


def test_two_processes_do_not_write_the_same_document(path):
    pytest.importorskip("fcntl")

    script = f"""
from compactmask.errors import BusyError
from compactmask.formats import coco
for mode in ("w", "a"):
    try:
        coco.create({str(path)!r}, mode)
    except BusyError as error:
        print(error)
"""
    with coco.create(path) as out:
        out.append(one())
        said = fresh.run(script)
    assert said.count("another writer is at work on it") == 2
    assert len(document(path)["images"]) == 1


def test_memory_does_not_grow_with_the_annotations(tmp_path):

    set_up = f"""
import numpy as np, supervision as sv, compactmask as cm
from compactmask.formats import coco
mask = cm.CompactMask.from_dense(np.random.default_rng(0).random((20, 60, 80)) < 0.5)
found = sv.Detections(np.zeros((20, 4)), mask=mask, class_id=np.zeros(20, int))
def write(path, images):
    with coco.create(path, "w") as out:
        for i in range(images):
            out.append(found, file_name=str(i))
write({str(tmp_path / "small.json")!r}, 10)
"""
    work = f"write({str(tmp_path / 'large.json')!r}, 800)"
    assert fresh.peak_growth(set_up, work) < 8 << 20
    assert (tmp_path / "large.json").stat().st_size > 20 << 20
