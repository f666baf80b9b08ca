"""Readers beside a writer: follow gives images as they come, refresh reads what is new."""

import os
import pickle
import threading
import time

import numpy as np
import pytest
from hdf5_samples import SHAPE, assert_same, boxes, full
from hdf5_writing import assert_holds, in_pieces, names, write

import compactmask as cm
from compactmask.errors import BusyError, CompactMaskError
from compactmask.formats import disk
from compactmask.formats.hdf5 import log, snapshot
from compactmask.formats.hdf5.handle import open_beside


@pytest.fixture(params=[100, 1 << 20])
def path(request, tmp_path, monkeypatch):
    in_pieces(monkeypatch, request.param)
    return tmp_path / "some.h5"


def followed(ds, **options):
    """Give what is there now: positions and names."""
    return [(record.image, record.file_name) for record in ds.follow(timeout=0, **options)]


def test_new_images_come_in_order_with_all_that_is_known_of_them(path):
    with cm.create(path) as out, cm.open(path) as ds:
        for i in range(5):
            out.append(full(i, seed=i), file_name=f"{i}.jpg", image_id=10 + i)
            (record,) = ds.follow(timeout=0)
            assert record[:4] == (i, 10 + i, f"{i}.jpg", SHAPE)
            assert_same(record.detections, full(i, seed=i))
        out.append(boxes(2), image_id=99)
        (record,) = ds.follow(timeout=0)
        assert record[:4] == (5, 99, "", (0, 0))
        assert followed(ds) == []


def test_what_is_shown_already_is_not_given_unless_it_is_asked_for(path):
    with cm.create(path) as out:
        for i in range(4):
            out.append(boxes(1), file_name=str(i))
        ds = cm.open(path)
        out.append(boxes(1), file_name="4")
        for start, first in ((0, 0), (3, 3), (4, 4)):
            with cm.open(path) as fresh:
                assert followed(fresh, start=start) == [(i, str(i)) for i in range(first, 5)]
        assert followed(ds) == [(4, "4")]


@pytest.mark.parametrize("start", [-1, 3])
def test_a_start_beyond_the_images_is_refused(path, start):
    write(path, boxes(1), boxes(1))
    with cm.open(path) as ds, pytest.raises(IndexError, match=f"start {start} is out of range: th"):
        next(ds.follow(start=start))


def test_following_ends_when_nothing_came_for_so_long(path):
    write(path, boxes(1))
    with cm.open(path) as ds:
        began = time.monotonic()
        assert list(ds.follow(timeout=0.2, poll=0.01)) == []
        assert 0.2 <= time.monotonic() - began < 5


def test_it_waits_for_a_writer_that_is_slow(path):
    def work(out):
        for i in range(6):
            time.sleep(0.03)
            out.append(full(2, seed=i), file_name=str(i))

    with cm.create(path) as out, cm.open(path) as ds:
        thread = threading.Thread(target=work, args=(out,))
        thread.start()
        records = ds.follow(poll=0.005)
        found = [next(records) for _ in range(6)]
        thread.join()
    assert [record.file_name for record in found] == [str(i) for i in range(6)]
    for i, record in enumerate(found):
        assert_same(record.detections, full(2, seed=i))


def test_images_that_are_deleted_meanwhile_are_left_out_and_none_is_given_twice(path):
    with cm.create(path) as out, cm.open(path) as ds:
        for name in "abc":
            out.append(boxes(1), file_name=name)
        out.delete(file_name="b")
        assert followed(ds) == [(0, "a"), (1, "c")]
        out.delete(file_name="a")
        assert followed(ds) == []
        out.append(boxes(2), file_name="c", on_duplicate="replace")
        out.append(boxes(1), file_name="d")
        assert followed(ds) == [(0, "c"), (1, "d")]


def test_following_goes_on_after_the_writer_has_closed_and_another_has_begun(path):
    with cm.create(path) as out:
        out.append(boxes(1), file_name="a")
    with cm.open(path) as ds:
        for name in "bcd":
            with cm.create(path, "a") as out:
                out.append(boxes(1), file_name=name)
            assert [name for _, name in followed(ds)] == [name]


@pytest.mark.parametrize("count", [1, 5])
def test_another_file_in_its_place_ends_it(path, count):
    write(path, boxes(1), boxes(1), boxes(1))
    with cm.open(path) as ds:
        records = ds.follow(start=0, poll=0.001)
        for _ in range(3):
            next(records)
        path.unlink()
        write(path, *[boxes(1)] * count)
        with pytest.raises(CompactMaskError, match=r"some\.h5: another file has taken its place"):
            next(records)


def test_a_refresh_between_two_images_skips_none_and_repeats_none(path):
    write(path, *[boxes(i) for i in range(8)])
    with cm.open(path) as ds, cm.create(path, "a") as out:
        records = ds.follow(start=3, timeout=0)
        found = [len(next(records).detections)]
        for gone in (0, 1, 5):
            out.delete(id=gone)
            ds.refresh()
            found.append(len(next(records).detections))
        found += [len(record.detections) for record in records]
    assert found == [3, 4, 5, 6, 7]


def test_iterating_stops_where_images_are_deleted_meanwhile(path):
    write(path, *[boxes(i) for i in range(5)])
    with cm.open(path) as ds, cm.create(path, "a") as out:
        found = []
        for detections in ds:
            found.append(len(detections))
            if len(found) == 3:
                out.delete(id=4)
                ds.refresh()
    assert found == [0, 1, 2, 3]


def test_a_file_that_vanishes_ends_it(path):
    write(path, boxes(1))
    with cm.open(path) as ds:
        path.unlink()
        with pytest.raises(FileNotFoundError, match=r"some\.h5"):
            list(ds.follow(timeout=0))


# refresh


def test_refresh_reads_only_the_new_records(tmp_path, monkeypatch):
    path = tmp_path / "some.h5"
    read = []

    class Counted:
        def __init__(self, *arguments):
            self.file = open_beside(*arguments)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def read(self, *size):
            data = self.file.read(*size)
            read.append(len(data))
            return data

        def __getattr__(self, name):
            return getattr(self.file, name)

    with cm.create(path) as out:
        for i in range(30):
            out.append(full(5, seed=i))
        ds = cm.open(path)
        before = os.path.getsize(f"{path}.log")
        monkeypatch.setattr(snapshot, "open_beside", Counted)
        ds.refresh()
        assert sum(read) <= log.HEADER.size + log.RECORD.size
        read.clear()
        out.append(full(1, seed=99))
        bytes_read = ds.bytes_read
        ds.refresh()
        new = os.path.getsize(f"{path}.log") - before
        assert sum(read) == new + log.HEADER.size + log.RECORD.size
        assert ds.bytes_read == bytes_read
    assert_same(ds[30], full(1, seed=99))


def test_masks_given_out_before_stay_what_they_were(path):
    wanted = {str(i): full(3, seed=i) for i in range(3)}
    kept = []
    with cm.create(path) as out:
        for name, detections in wanted.items():
            out.append(detections, file_name=name)
        with cm.open(path) as ds:
            kept += list(ds)
            for i in range(12):
                out.append(full(4, seed=20 + i), file_name=f"more {i}")
                ds.refresh()
                assert len(ds) == 4 + i
                kept.append(ds[-1])
            out.delete(file_name="0")
            ds.refresh()
            kept.append(ds[0])
    expected = [*wanted.values(), *(full(4, seed=20 + i) for i in range(12)), wanted["1"]]
    for found, detections in zip(kept, expected, strict=True):
        assert_same(found, detections)


def test_refresh_shows_classes_metadata_columns_and_deletions(path):
    with cm.create(path, classes=["a"]) as out, cm.open(path) as ds:
        out.append(full(2), file_name="x", columns={"n": 7})
        out.classes.append("b")
        out.metadata["year"] = 2014
        out.commit()
        assert (len(ds), ds.classes, ds.metadata, len(ds.images["id"])) == (0, ["a"], {}, 0)
        ds.refresh()
        assert (ds.classes, ds.metadata) == (["a", "b"], {"year": 2014})
        assert ds.images["n"].tolist() == [7]
        out.delete(file_name="x")
        ds.refresh()
        assert len(ds) == len(ds.detections["xyxy"]) == 0


def test_a_pickled_dataset_shows_the_last_commit_where_it_is_opened(path):
    with cm.create(path) as out:
        out.append(full(1), file_name="a")
        ds = cm.open(path)
        out.append(full(2), file_name="b")
        copied = pickle.loads(pickle.dumps(ds))
        assert_holds(copied, {"a": full(1), "b": full(2)})
        assert_holds(ds, {"a": full(1)})
        (record,) = ds.follow(timeout=0)
        again = pickle.loads(pickle.dumps(record))
        assert again[:4] == (1, 1, "b", SHAPE)
        assert_same(again.detections, full(2))


def test_a_mask_of_the_log_is_read_without_the_file(path):
    with cm.create(path) as out:
        out.append(full(3), file_name="a")
        with cm.open(path) as ds:
            detections = ds[0]
    assert np.array_equal(np.asarray(detections.mask), np.asarray(full(3).mask))


@pytest.mark.parametrize("durability", ["commit", "process"])
def test_after_a_record_that_was_taken_back_a_reader_finds_the_right_rows(
    path, monkeypatch, durability
):
    name, error = {"commit": ("sync", OSError), "process": ("write", KeyboardInterrupt)}[durability]
    work = getattr(disk, name)
    with cm.create(path, durability=durability) as out:
        out.append(boxes(1), file_name="first")
        ds = cm.open(path)

        def fail(*arguments):
            work(*arguments)
            ds.refresh()
            raise error("stopped")

        with monkeypatch.context() as patch:
            patch.setattr(disk, name, fail)
            with pytest.raises(error, match="stopped"):
                out.append(boxes(2), file_name="phantom")
        wanted = {"first": boxes(1)}
        for i in range(5):
            wanted[f"a name much longer than that {i}"] = full(1, seed=i)
            out.append(full(1, seed=i), file_name=[*wanted][-1])
            ds.refresh()
            assert_holds(ds, wanted)


def test_a_record_of_the_same_size_in_the_place_of_one_that_was_taken_back_is_found(
    path, monkeypatch
):
    with cm.create(path) as out:
        out.append(boxes(1), file_name="first")
        ds = cm.open(path)

        def fail(fd):
            ds.refresh()
            raise OSError("stopped")

        with monkeypatch.context() as patch:
            patch.setattr(disk, "sync", fail)
            with pytest.raises(OSError, match="stopped"):
                out.append(boxes(1), file_name="wrong")
        out.append(boxes(1), file_name="right")
        ds.refresh()
        assert names(path) == ds.images["file_name"].tolist() == ["first", "right"]


# looking at a file while it changes


@pytest.mark.parametrize("look", [1, 2])
def test_a_checkpoint_between_opening_and_any_look_at_the_file_does_no_harm(
    path, monkeypatch, look
):
    wanted = {str(i): full(4, seed=i) for i in range(6)}
    out = cm.create(path)
    for name, detections in wanted.items():
        out.append(detections, file_name=name)
    state, looks = snapshot._state, []

    def meanwhile(*arguments):
        looks.append(arguments)
        if len(looks) == look:
            out.append(full(3), file_name="last")
            out.close()
        return state(*arguments)

    monkeypatch.setattr(snapshot, "_state", meanwhile)
    with cm.open(path) as ds:
        assert len(looks) > look
        assert_holds(ds, {**wanted, "last": full(3)})


def test_a_file_that_grows_whenever_it_is_looked_at_is_told_after_some_time(path, monkeypatch):
    write(path, boxes(1))
    monkeypatch.setattr(snapshot, "PATIENCE", 0.05)
    state, looks = snapshot._state, []

    def grow(*arguments):
        looks.append(arguments)
        with open(path, "ab") as file:
            file.write(b"x")
        return state(*arguments)

    monkeypatch.setattr(snapshot, "_state", grow)
    with pytest.raises(BusyError, match=r"some\.h5: it changed whenever it was read, for 0 s"):
        cm.open(path)
    assert len(looks) < 30


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_closing_lets_go_of_the_file_while_the_dataset_is_still_held(path):
    write(path, full(2))
    before = len(os.listdir("/proc/self/fd"))
    kept = []
    for _ in range(5):
        ds = cm.open(path)
        ds.refresh()
        assert len(os.listdir("/proc/self/fd")) == before + 1
        ds.close()
        kept.append(ds)
        assert len(os.listdir("/proc/self/fd")) == before
