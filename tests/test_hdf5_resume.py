"""A file that is continued: after a close or a writer that died, at every stage, in every form."""

import itertools
import os

import effort
import h5py
import numpy as np
import pytest
import supervision as sv
from hdf5_samples import CODECS, assert_same, boxes, full
from hdf5_writing import assert_holds, in_pieces

import compactmask as cm
from compactmask.errors import CorruptFileError, FormatError
from compactmask.formats.hdf5 import journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


def close(out):
    out.close()


def abandon(out):
    out.abandon()


ENDS = [close, abandon]


def images(count):
    kinds = (lambda i: full(1 + i % 4, seed=i), lambda i: boxes(i % 3), lambda i: full(0))
    return {f"{i}.jpg": kinds[i % 3](i) for i in range(count)}


@pytest.mark.parametrize("compression", [None, *CODECS])
@pytest.mark.parametrize(("log_bytes", "every"), [(100, 1), (100, 5), (4000, 2), (1 << 20, 1)])
def test_a_file_is_continued_after_any_number_of_images_and_either_end(
    path, monkeypatch, log_bytes, every, compression
):
    in_pieces(monkeypatch, log_bytes)
    ends, seen = itertools.cycle([abandon, abandon, close]), {}
    out = cm.create(path, compression=compression)
    for i, (name, detections) in enumerate(images(effort.of(8, 12, 15)).items()):
        if i % every == 0:
            next(ends)(out)
            out = cm.create(path, "a")
            assert len(out) == len(seen)
            assert_holds(path, seen)
        out.append(detections, file_name=name)
        seen[name] = detections
    out.close()
    assert_holds(path, seen)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("end", ENDS)
def test_opening_and_closing_changes_nothing(path, monkeypatch, end):
    in_pieces(monkeypatch, 4000)
    wanted = images(6)
    out = cm.create(path, classes=["a"])
    out.metadata["x"] = 1
    for name, detections in wanted.items():
        out.append(detections, file_name=name)
    for _ in range(4):
        end(out)
        assert_holds(path, wanted)
        out = cm.create(path, "a")
        assert (out.classes, out.metadata) == (["a"], {"x": 1})
    out.close()
    assert_holds(path, wanted)


@pytest.mark.parametrize("size", range(1, 900, 61))
def test_a_record_that_is_torn_is_cut_off_and_written_anew(path, size):
    out = cm.create(path)
    out.append(full(1), file_name="a")
    log = path.with_name("some.h5.log")
    whole = log.stat().st_size
    out.append(full(2), file_name="b")
    out.abandon()
    with log.open("r+b") as file:
        file.truncate(whole + size)
    assert_holds(path, {"a": full(1)})
    with cm.create(path, "a") as out:
        assert log.stat().st_size == whole
        out.append(full(3), file_name="b")
        assert_holds(path, {"a": full(1), "b": full(3)})
    assert_holds(path, {"a": full(1), "b": full(3)})


@pytest.mark.parametrize("step", ["truncate", "write", "sync", "remove", "sync_folder"])
def test_a_checkpoint_that_was_stopped_is_completed_by_the_next_writer(path, monkeypatch, step):
    def stop(*arguments):
        raise OSError("stopped")

    wanted = images(5)
    out = cm.create(path)
    for name, detections in wanted.items():
        out.append(detections, file_name=name)
    apply = journal.Journal.apply

    def stopped(self, fd):
        if step in ("remove", "sync_folder"):
            apply(self, fd)
        monkeypatch.setattr(f"compactmask.formats.disk.{step}", stop)
        apply(self, fd)

    monkeypatch.setattr(journal.Journal, "apply", stopped)
    with pytest.raises(OSError, match="stopped"):
        out.close()
    monkeypatch.undo()
    assert path.with_name("some.h5.journal").exists()
    assert_holds(path, wanted)
    with cm.create(path, "a") as out:
        assert not path.with_name("some.h5.journal").exists()
        assert_holds(path, wanted)
        out.append(full(1), file_name="more")
    assert_holds(path, {**wanted, "more": full(1)})


def test_a_journal_that_is_torn_or_of_another_file_is_of_no_use(path):
    out = cm.create(path)
    out.append(full(2), file_name="a")
    out.abandon()
    beside = path.with_name("some.h5.journal")
    for content in (b"", b"CMKJRNL1" + bytes(5000)):
        beside.write_bytes(content)
        assert_holds(path, {"a": full(2)})
        with cm.create(path, "a"):
            assert not beside.exists()
        assert_holds(path, {"a": full(2)})


def test_an_older_copy_of_the_file_is_refused_while_the_log_of_the_newer_one_is_there(path):
    with cm.create(path) as out:
        out.append(full(1), file_name="a")
    older = path.read_bytes()
    with cm.create(path, "a") as out:
        out.append(full(2), file_name="b")
    out = cm.create(path, "a")
    out.append(full(3), file_name="c")
    out.abandon()
    path.write_bytes(older)
    for use in (cm.open, lambda path: cm.create(path, "a")):
        with pytest.raises(CorruptFileError, match="an older copy of the file has taken its place"):
            use(path)


# columns that begin late, and those that nobody gave a row yet


def column(value, count):
    detections = boxes(count)
    detections.data["x"] = value
    return detections


LATE = {
    "numbers": np.array([1.5, 2.5]),
    "bools": np.array([True, False]),
    "text": np.array(["ä", "bc"]),
    "a list": [[1, 2], [3, 4]],
    "rows": np.arange(12, dtype=np.int16).reshape(2, 2, 3),
}


@pytest.mark.parametrize("log_bytes", [100, 1 << 20])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", LATE)
def test_a_column_may_begin_late_at_every_stage(path, monkeypatch, kind, end, log_bytes):
    in_pieces(monkeypatch, log_bytes)
    wanted = {"0": boxes(4), "1": boxes(1), "2": column(LATE[kind], 2), "3": boxes(5)}
    wanted["4"] = column(LATE[kind], 2)
    for name, detections in wanted.items():
        out = cm.create(path, "a")
        out.append(detections, file_name=name, columns={f"c{name}": int(name)})
        end(out)
    assert_holds(path, wanted)
    with cm.open(path) as ds:
        assert ds.images["c2"].tolist() == [0, 0, 2, 0, 0]
        assert not any(ds.detections["x"][:5].ravel().tolist())


@pytest.mark.parametrize("log_bytes", [100, 1 << 20])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", LATE)
@pytest.mark.parametrize("first", [np.empty(0, np.int8), np.array([], "<U1"), []])
def test_a_column_without_rows_stays_open_until_it_has_some(
    path, monkeypatch, first, kind, end, log_bytes
):
    in_pieces(monkeypatch, log_bytes)
    for name, detections in (("0", column(first, 0)), ("1", boxes(2)), ("2", column(first, 0))):
        out = cm.create(path, "a")
        out.append(detections, file_name=name)
        end(out)
    out = cm.create(path, "a")
    out.append(column(LATE[kind], 2), file_name="3")
    end(out)
    out = cm.create(path, "a")
    wrong = "no" if kind not in ("text",) else 7
    with pytest.raises(FormatError, match="data/x: "):
        out.append(column([wrong, wrong], 2), file_name="4")
    out.close()
    with cm.open(path) as ds:
        assert_same(ds[3], column(LATE[kind], 2))
        assert len(ds[0].data["x"]) == len(ds[2].data["x"]) == 0
        assert "x" not in ds[1].data
    with h5py.File(path) as file:
        item = file["detections/data/x"]
        held = item["bytes"] if isinstance(item, h5py.Group) else item
        assert "open" not in held.attrs


@pytest.mark.parametrize("end", ENDS)
def test_masks_may_begin_late(path, monkeypatch, end):
    in_pieces(monkeypatch)
    wanted = {"0": boxes(4), "1": boxes(3), "2": full(2), "3": boxes(1), "4": full(3, seed=1)}
    for name, detections in wanted.items():
        out = cm.create(path, "a")
        out.append(detections, file_name=name)
        end(out)
    assert_holds(path, wanted)


def test_boxes_are_of_any_dtype_until_the_first_one_is_stored(path, monkeypatch):
    in_pieces(monkeypatch)
    wide = sv.Detections(xyxy=np.array([[0.1, 0.2, 0.3, 0.4]]))
    for name, detections in (("0", sv.Detections.empty()), ("1", wide)):
        with cm.create(path, "a") as out:
            out.append(detections, file_name=name)
    with cm.open(path) as ds:
        assert_same(ds[1], wide)
