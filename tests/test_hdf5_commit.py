"""Commits: what readers see and when, what a commit costs, and what is left without one."""

import os

import h5py
import numpy as np
import pytest
import supervision as sv
from hdf5_samples import CODECS, assert_same, boxes, full
from hdf5_writing import DiskCalls, assert_holds, in_pieces, names, write

import compactmask as cm
from compactmask.formats import hdf5
from compactmask.formats.hdf5 import about


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


def images(count):
    """Images of every kind, by their names."""
    kinds = (lambda i: full(1 + i % 4, seed=i), lambda i: boxes(i % 3), lambda i: full(0))
    return {f"{i}.jpg": kinds[i % 3](i) for i in range(count)}


def append(out, wanted):
    for name, detections in wanted.items():
        out.append(detections, file_name=name)


# when


def test_every_image_is_seen_as_soon_as_append_returns(path):
    wanted, seen = images(8), {}
    with cm.create(path) as out:
        for name, detections in wanted.items():
            out.append(detections, file_name=name)
            seen[name] = detections
            assert_holds(path, seen)
    assert_holds(path, wanted)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 6, 7])
def test_readers_see_exactly_the_committed_images(path, count):
    wanted = images(count)
    with cm.create(path, commit_every=3) as out:
        for done, (name, detections) in enumerate(wanted.items(), 1):
            out.append(detections, file_name=name)
            assert len(out) == done
            assert names(path) == [*wanted][: done // 3 * 3]
    assert_holds(path, wanted)


def test_a_commit_in_between_is_seen_and_starts_the_count_anew(path):
    with cm.create(path, commit_every=3) as out:
        append(out, images(2))
        assert names(path) == []
        out.commit()
        assert len(names(path)) == 2
        for name in "ab":
            out.append(boxes(1), file_name=name)
        assert len(names(path)) == 2
        out.append(boxes(1), file_name="c")
        assert len(names(path)) == 5


def test_deletions_and_replacements_count_as_images_do(path):
    with cm.create(path, commit_every=2, on_duplicate="replace") as out:
        append(out, images(2))
        out.delete(file_name="0.jpg")
        assert not out.has(file_name="0.jpg")
        assert names(path) == ["0.jpg", "1.jpg"]
        out.append(boxes(2), file_name="1.jpg")
        assert_holds(path, {"1.jpg": boxes(2)})


@pytest.mark.parametrize("commit_every", [1, 3, 100])
def test_what_is_not_committed_is_lost_with_abandon(path, commit_every):
    wanted = images(7)
    out = cm.create(path, commit_every=commit_every)
    append(out, wanted)
    out.abandon()
    out.abandon()
    kept = [*wanted][: 7 // commit_every * commit_every]
    assert_holds(path, {name: wanted[name] for name in kept})
    with cm.create(path, "a") as out:
        assert len(out) == len(kept)
        assert [name for name in wanted if out.has(file_name=name)] == kept


def test_an_error_in_the_body_commits_what_was_appended(path):
    def work():
        with cm.create(path, commit_every=100) as out:
            append(out, images(3))
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert_holds(path, images(3))


def test_a_commit_of_nothing_writes_nothing(path, monkeypatch):
    with cm.create(path, classes=["a"]) as out:
        out.append(full(1))
        calls = DiskCalls(monkeypatch)
        out.commit()
        out.commit()
        assert calls.seen == []


def test_a_rolled_back_image_leaves_no_trace(path):
    wrong = full(2)
    wrong.data["x"] = np.array(["a"] * 2)
    with cm.create(path) as out:
        right = full(1)
        right.data["x"] = np.array([1])
        out.append(right, file_name="a")
        size = os.path.getsize(f"{path}.log")
        with pytest.raises(cm.errors.FormatError, match="data/x: text, the column holds int64"):
            out.append(wrong, file_name="b", columns={"new": 1})
        assert os.path.getsize(f"{path}.log") == size
        assert not out.has(file_name="b")
    with cm.open(path) as ds:
        assert_same(ds[0], right)
        assert "new" not in ds.images


# what it costs


def test_a_commit_waits_for_the_disk_once(path, monkeypatch):
    with cm.create(path) as out:
        calls = DiskCalls(monkeypatch)
        append(out, images(5))
        assert calls.seen == ["write", "sync"] * 5


def test_a_commit_for_the_process_never_waits_for_the_disk(path, monkeypatch):
    with cm.create(path, durability="process") as out:
        calls = DiskCalls(monkeypatch)
        append(out, images(5))
        assert calls.seen == ["write"] * 5
        assert_holds(path, images(5))
    assert calls.count("sync") > 0  # The end is a checkpoint, which must be ordered.


def test_a_commit_of_several_images_is_one_record(path, monkeypatch):
    with cm.create(path, commit_every=5) as out:
        calls = DiskCalls(monkeypatch)
        append(out, images(5))
        assert calls.seen == ["write", "sync"]


def test_a_commit_costs_what_is_appended_whatever_the_file_holds(path):
    wanted = images(40)
    sizes = []
    with cm.create(path) as out:
        for name, detections in wanted.items():
            before = os.path.getsize(f"{path}.log")
            out.append(detections, file_name=name)
            sizes.append(os.path.getsize(f"{path}.log") - before)
    assert max(sizes[-9:]) <= max(sizes[3:12]) * 1.2


# checkpoints


@pytest.mark.parametrize("compression", [None, *CODECS])
@pytest.mark.parametrize("log_bytes", [100, 3000])
def test_checkpoints_change_nothing_that_a_reader_sees(path, monkeypatch, compression, log_bytes):
    in_pieces(monkeypatch, log_bytes)
    wanted, seen, opened = images(14), {}, []
    with cm.create(path, compression=compression) as out:
        for name, detections in wanted.items():
            out.append(detections, file_name=name)
            seen[name] = detections
            assert_holds(path, seen)
            opened.append((cm.open(path), dict(seen)))
    for ds, expected in opened:
        assert_holds(ds, expected)
    assert_holds(path, wanted)


def test_a_log_that_has_grown_enough_is_folded_into_the_file(path, monkeypatch):
    in_pieces(monkeypatch, 20_000)
    folded = []
    with cm.create(path) as out:
        for i in range(20):
            out.append(full(5, seed=i))
            assert os.path.getsize(f"{path}.log") < 20_000
            assert not os.path.exists(f"{path}.journal")
            with h5py.File(path) as file:
                folded.append(len(file["images/id"]) if "images" in file else 0)
    assert folded == sorted(folded)
    assert folded[0] == 0
    assert 2 < len(set(folded)) < 10


def test_plain_hdf5_reads_what_a_checkpoint_wrote_while_the_writer_goes_on(path, monkeypatch):
    in_pieces(monkeypatch)
    with cm.create(path) as out:
        for i in range(9):
            out.append(full(2, seed=i), file_name=f"{i}.jpg")
            with h5py.File(path) as file:
                assert file["images/id"][:].tolist() == list(range(i + 1))
                assert len(file["detections/xyxy"]) == 2 * (i + 1)
                assert bytes(file["images/file_name/bytes"][:]).count(b".jpg") == i + 1


def test_rows_below_a_checkpoint_do_not_move_or_change(path, monkeypatch):
    in_pieces(monkeypatch)
    with cm.create(path, compression="gzip") as out:
        append(out, images(5))
        committed = path.read_bytes()
        with h5py.File(path) as file:
            chunks = [
                (chunk.byte_offset, chunk.size)
                for i in range(file["masks/bytes"].id.get_num_chunks())
                for chunk in [file["masks/bytes"].id.get_chunk_info(i)]
            ]
        for i in range(5):
            out.append(full(3, seed=i), file_name=str(i))
    later = path.read_bytes()
    assert chunks
    for offset, size in chunks:
        assert later[offset : offset + size] == committed[offset : offset + size]


def test_images_larger_than_a_checkpoint_and_than_chunks_are_stored(path, monkeypatch):
    in_pieces(monkeypatch, 100)
    wanted = {str(i): full(20, seed=i) for i in range(3)}
    with cm.create(path) as out:
        append(out, wanted)
        assert_holds(path, wanted)
    assert_holds(path, wanted)


def test_an_empty_file_that_is_continued_and_closed_stays_as_it_is(path):
    write(path, full(2))
    before = path.read_bytes()
    with cm.create(path, "a"):
        pass
    with cm.create(path, "a", classes=[]) as out:
        out.commit()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_images_of_nothing_but_names_are_committed(path, monkeypatch):
    in_pieces(monkeypatch)
    wanted = {str(i): sv.Detections.empty() for i in range(10)}
    with cm.create(path) as out:
        append(out, wanted)
        assert_holds(path, wanted)
    assert_holds(path, wanted)


def test_metadata_and_classes_that_do_not_change_are_neither_dumped_nor_written_again(
    path, monkeypatch
):
    dumped, json_text = [], about.json_text

    def count(*arguments):
        dumped.append(arguments)
        return json_text(*arguments)

    monkeypatch.setattr(about, "json_text", count)
    with cm.create(path, classes=["a class of a long name"]) as out:
        out.metadata["note"] = "what is said once"
        out.append(boxes(1))
        before = len(dumped)
        for _ in range(10):
            out.append(boxes(1))
        assert len(dumped) == before
        data = path.with_name("some.h5.log").read_bytes()
        assert data.count(b"what is said once") == 1
        assert data.count(b"a class of a long name") == 1
        out.metadata["note"] = "and then another"
        out.append(boxes(1))
        assert path.with_name("some.h5.log").read_bytes().count(b"and then another") == 1


# names of files


def test_a_path_of_bytes_is_the_same_file_with_the_same_log_and_journal(path):
    name = os.fsencode(path)
    with cm.create(name) as out:
        out.append(boxes(1), file_name="a")
        assert_holds(name, {"a": boxes(1)})
        cm.repack(name, name + b".again")
        cm.convert(name, name + b".converted")
        for copy in (b".again", b".converted"):
            assert_holds(name + copy, {"a": boxes(1)})
        out.append(boxes(2), file_name="b")
        with hdf5.open(name) as ds:
            out.append(boxes(3), file_name="c")
            ds.refresh()
            assert_holds(ds, {"a": boxes(1), "b": boxes(2), "c": boxes(3)})
    with cm.create(name, "a") as out:
        assert len(out) == 3
    cm.save(full(2), name)
    assert_same(cm.load(name), full(2))


@pytest.mark.parametrize("length", [230, 247, 250, 255])
def test_a_file_of_a_name_that_leaves_no_room_for_a_log_is_read(path, length):
    write(path, full(2))
    long = path.with_name("x" * (length - 3) + ".h5")
    os.replace(path, long)
    with cm.open(long) as ds:
        assert_same(ds[0], full(2))
        ds.refresh()
        assert len([*ds.follow(start=0, timeout=0)]) == 1
    assert_same(cm.load(long), full(2))
    cm.repack(long, path)
    assert_same(cm.load(path), full(2))
