"""Log and journal are what HDF5.md says, byte by byte."""

import os
import struct
import time
import zlib
from itertools import pairwise

import h5py
import hdf5_plain as plain
import numpy as np
import pytest
from hdf5_samples import assert_same, boxes, full

import compactmask as cm
from compactmask.errors import CorruptFileError
from compactmask.formats.hdf5 import journal, journaled, schema


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


@pytest.fixture
def log(path):
    return path.with_name("some.h5.log")


@pytest.fixture
def small_chunks(monkeypatch):
    for name, size in (("CHUNK_ROWS", 3), ("TEXT_CHUNK_BYTES", 16), ("MASK_CHUNK_BYTES", 64)):
        monkeypatch.setattr(schema, name, size)


def written(path, *images, **options):
    """Append images and let go without a checkpoint."""
    out = cm.create(path, **options)
    for i, detections in enumerate(images):
        out.append(detections, file_name=f"{i}.jpg")
    out.abandon()


def sealed_up(data, at, payload, sequence=0, synced=0):
    """Give a log with a record of this payload behind its first bytes."""
    record = bytearray(struct.pack("<4sIQQQ", b"CMKR", 0, len(payload), sequence, synced) + payload)
    before = zlib.crc32(data[:36])
    if sequence:
        before = struct.unpack_from("<I", data, record_starts(data)[sequence - 1] + 4)[0]
    record[4:8] = zlib.crc32(record, before).to_bytes(4, "little")
    return data[:at] + bytes(record)


def record_starts(data):
    """Give where the records begin, and where the last one ends."""
    starts = [36]
    for _, _, payload in plain.log_records(data):
        starts.append(starts[-1] + 32 + len(payload))
    return starts


def test_a_log_begins_with_the_uuid_and_the_end_of_its_file(path, log):
    written(path, boxes(1))
    with h5py.File(path) as file:
        uuid = file.attrs["uuid"].decode()
    end = int.from_bytes(path.read_bytes()[28:36], "little")
    assert plain.log_header(log.read_bytes()) == (bytes.fromhex(uuid), end)
    assert end == path.stat().st_size


def test_every_commit_is_a_record_that_says_what_was_on_the_disk_before(path, log):
    written(path, boxes(1), boxes(2), boxes(3))
    heads = [head[:2] for head in plain.log_records(log.read_bytes())]
    assert heads == [(0, 0), (1, 1), (2, 2)]
    log.unlink()
    path.unlink()
    written(path, boxes(1), boxes(2), boxes(3), durability="process")
    assert [head[:2] for head in plain.log_records(log.read_bytes())] == [(0, 0), (1, 0), (2, 0)]


def test_commit_every_puts_so_many_images_in_a_record(path, log):
    written(path, *[boxes(1)] * 7, commit_every=3)
    assert len(plain.log_records(log.read_bytes())) == 2
    assert len(cm.open(path)) == 6


def test_a_dataset_is_declared_once_and_then_known_by_its_number(path, log):
    written(path, full(2), boxes(1), full(1))
    declared, rows = [], {}
    for _, _, payload in plain.log_records(log.read_bytes()):
        declarations, pieces = plain.payload_parts(payload)
        declared += declarations
        for number, piece in pieces:
            rows[number] = rows.get(number, 0) + len(piece)
    paths = [each["path"] for each in declared]
    assert len(set(paths)) == len(paths)
    assert all(each["start"] == 0 for each in declared)
    assert rows[paths.index("images/id")] == 3 * 8
    assert rows[paths.index("detections/xyxy")] == 4 * 4 * 4
    flags = declared[paths.index("detections/data/flags")]
    assert (flags["dtype"], flags["bool"], flags["open"]) == ("u1", True, False)


def test_a_column_that_begins_late_says_its_zeros_and_does_not_write_them(path, log):
    written(path, boxes(1000), full(1))
    declarations, _ = plain.payload_parts(plain.log_records(log.read_bytes())[1][2])
    late = {each["path"]: each["zeros"] for each in declarations}
    assert late["detections/class_id"] == 1000
    assert late["masks/indptr"] == 1001
    assert log.stat().st_size < 30_000


def test_a_column_without_a_row_is_open_and_may_become_another(path, log):
    written(path, full(0), full(2))
    records = plain.log_records(log.read_bytes())
    first, second = (
        {each["path"]: each for each in plain.payload_parts(record[2])[0]} for record in records
    )
    assert first["detections/data/list of text"]["open"]
    assert not second["detections/data/list of text/indptr"]["open"]
    with cm.open(path) as ds:
        assert_same(ds[1], full(2))


@pytest.mark.parametrize("checkpoint", [1, 5_000, 1 << 23])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_reader_of_the_specification_sees_what_ours_sees(
    path, small_chunks, monkeypatch, checkpoint, compression
):
    monkeypatch.setattr(journaled, "CHECKPOINT_BYTES", checkpoint)
    images = [full(0), boxes(2), full(3, seed=1), full(2, seed=2), boxes(0), full(1, seed=3)] * 2
    out = cm.create(path, classes=["a"], compression=compression)
    for i, detections in enumerate(images):
        out.append(detections, file_name=f"{i}.jpg")
        out.metadata["step"] = i
        if i == 7:
            out.delete(file_name="2.jpg")
        found = plain.datasets(path)
        with cm.open(path) as ds:
            kept = np.ones(i + 1, bool)
            kept[found.get("images/deleted", [])] = False
            assert ds.images["id"].tolist() == found["images/id"][kept].tolist()
            names = np.array(plain.text(found, "images/file_name"), object)
            assert ds.images["file_name"].tolist() == names[kept].tolist()
            rows = np.repeat(kept, np.diff(found["detections/indptr"]))
            assert np.array_equal(ds.detections["xyxy"], found["detections/xyxy"][rows])
            if "masks/area" in found:
                assert ds.detections["area"].tolist() == found["masks/area"][rows].tolist()
                packed = found["masks/bytes"].tobytes()
                for (a, b), crc in zip(
                    pairwise(found["masks/indptr"]), found["masks/crc"], strict=True
                ):
                    assert zlib.crc32(packed[a:b]) == crc
    out.abandon()


def test_what_stands_behind_the_last_whole_record_is_nothing(path, log):
    written(path, *[full(1, seed=i) for i in range(3)])
    data = log.read_bytes()
    starts = record_starts(data)
    for cut in [*range(starts[2], starts[3], 97), starts[3] - 1]:
        log.write_bytes(data[:cut])
        assert len(cm.open(path)) == 2
    log.write_bytes(data + bytes(1000))
    assert len(cm.open(path)) == 3
    log.write_bytes(data + os.urandom(1000))
    assert len(cm.open(path)) == 3


def test_going_on_cuts_off_what_is_torn(path, log):
    written(path, boxes(1), boxes(2))
    data = log.read_bytes()
    log.write_bytes(data + b"CMKR torn")
    out = cm.create(path, "a")
    assert log.read_bytes() == data
    out.append(boxes(3))
    out.close()
    assert [len(detections) for detections in cm.open(path)] == [1, 2, 3]


@pytest.mark.parametrize("at", [0, 4, 10, 20, 27, 32, 60, 200])
def test_a_damaged_record_that_was_on_the_disk_is_refused(path, log, at):
    written(path, *[full(1, seed=i) for i in range(4)])
    data = bytearray(log.read_bytes())
    data[record_starts(data)[1] + at] ^= 64
    log.write_bytes(data)
    for opener in (cm.open, lambda path: cm.create(path, "a")):
        with pytest.raises(
            CorruptFileError, match=r"some\.h5\.log: record 1 is damaged, and record"
        ):
            opener(path)
    assert log.read_bytes() == data


def test_after_a_damaged_record_that_need_not_have_been_on_the_disk_the_log_ends(path, log):
    written(path, *[full(1, seed=i) for i in range(4)], durability="process")
    data = bytearray(log.read_bytes())
    data[record_starts(data)[1] + 100] ^= 64
    log.write_bytes(data)
    assert len(cm.open(path)) == 1


@pytest.mark.parametrize("at", [0, 7, 9, 25, 34])
def test_a_damaged_header_is_refused(path, log, at):
    written(path, boxes(1))
    data = bytearray(log.read_bytes())
    data[at] ^= 1
    log.write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"some\.h5\.log: its first 36 bytes are damaged"):
        cm.open(path)


@pytest.mark.parametrize("content", [b"", b"CMKLOG", bytes(36), bytes(5000)])
def test_a_log_that_was_never_on_the_disk_has_no_records(path, log, content):
    written(path)
    log.write_bytes(content)
    assert len(cm.open(path)) == 0
    with cm.create(path, "a") as out:
        out.append(boxes(2))
    assert len(cm.load(path)) == 2


@pytest.mark.parametrize("content", ["commits of another file", "no commits", "no log"])
def test_a_log_that_is_not_of_this_file_is_ignored_and_never_removed(path, log, tmp_path, content):
    written(tmp_path / "other.h5", *[boxes(1)] * (content == "commits of another file"))
    cm.save(boxes(2), path)
    os.replace(tmp_path / "other.h5.log", log)
    if content == "no log":
        log.write_text("epoch 1: loss 0.5, and much more of that kind")
    data = log.read_bytes()
    assert len(cm.load(path)) == 2
    if content == "no commits":
        cm.create(path, "a").close()
        return
    message = rf"is there and is not the log of {path}: move it away: '{log}'"
    for write in (
        lambda: cm.create(path, "a"),
        lambda: cm.create(path, "w"),
        lambda: cm.save(boxes(1), path),
        lambda: cm.repack(tmp_path / "other.h5", path, overwrite=True),
    ):
        with pytest.raises(FileExistsError, match=message):
            write()
    assert log.read_bytes() == data
    assert len(cm.load(path)) == 2


def test_an_older_copy_beside_a_newer_log_is_refused(path, log):
    with cm.create(path) as out:
        out.append(boxes(1))
    older = path.read_bytes()
    with cm.create(path, "a") as out:
        out.append(boxes(2))
    out = cm.create(path, "a")
    out.append(boxes(3))
    out.abandon()
    path.write_bytes(older)
    with pytest.raises(CorruptFileError, match="an older copy of the file has taken its place"):
        cm.open(path)


ROW = b'{"path":"images/id","dtype":"i8","inner":[],"bool":false,"open":false,"start":0,"zeros":0}'
LIES = {
    "too short": (b"", "it is too short"),
    "pieces beyond": (struct.pack("<II", 0, 9), "it is too short"),
    "long declarations": (struct.pack("<II", 1 << 31, 0), "its pieces are not as long"),
    "rest": (struct.pack("<II", 0, 0) + b"x", "its pieces are not as long as it is"),
    "huge piece": (struct.pack("<IIIQ", 0, 1, 0, 1 << 60), "its pieces are not as long"),
    "number": (struct.pack("<IIIQ", 0, 1, 5, 0), "rows of stream 5, there are 0"),
    "half a row": (
        struct.pack("<II", len(ROW) + 2, 1) + b"[" + ROW + b"]" + struct.pack("<IQ", 0, 3) + b"abc",
        "3 bytes for stream 0 are no rows of it",
    ),
}
DECLARATIONS = {
    "no JSON": b"[",
    "no list": b"7",
    "no object": b"[7]",
    "missing": b'[{"path":"images/id"}]',
    "unknown path": b"[" + ROW.replace(b"images/id", b"images/no") + b"]",
    "path of a number": b"[" + ROW.replace(b'"images/id"', b"7") + b"]",
    "unknown dtype": b"[" + ROW.replace(b'"i8"', b'"O"') + b"]",
    "negative start": b"[" + ROW.replace(b'"start":0', b'"start":-1') + b"]",
    "huge zeros": b"[" + ROW.replace(b'"zeros":0', b'"zeros":9e99') + b"]",
    "too many zeros": b"[" + ROW.replace(b'"zeros":0', b'"zeros":99999999999999999999') + b"]",
    "rows of nothing": b"[" + ROW.replace(b'"inner":[]', b'"inner":[0]') + b"]",
    "huge rows": b"[" + ROW.replace(b'"inner":[]', b'"inner":[4000000]') + b"]",
    "many dimensions": b"[" + ROW.replace(b'"inner":[]', b'"inner":[1,1,1,1,1,1,1,1,1]') + b"]",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("case", LIES)
def test_a_record_that_lies_is_refused(path, log, case):
    payload, message = LIES[case]
    written(path)
    log.write_bytes(sealed_up(log.read_bytes(), 36, payload))
    with pytest.raises(CorruptFileError, match=rf"some\.h5\.log: record 0: {message}"):
        cm.open(path)


@pytest.mark.parametrize("case", DECLARATIONS)
def test_a_declaration_that_cannot_be_is_refused(path, log, case):
    text = DECLARATIONS[case]
    written(path)
    log.write_bytes(sealed_up(log.read_bytes(), 36, struct.pack("<II", len(text), 0) + text))
    with pytest.raises(CorruptFileError, match=r"log: record 0: a declaration cannot be: "):
        cm.open(path)


def test_zeros_that_no_memory_holds_cost_none(path, log):
    text = b"[" + ROW.replace(b'"zeros":0', b'"zeros":10000000000000000') + b"]"
    written(path)
    log.write_bytes(sealed_up(log.read_bytes(), 36, struct.pack("<II", len(text), 0) + text))
    with pytest.raises(CorruptFileError, match="10000000000000000 zeros, and no dataset has"):
        cm.open(path)


@pytest.mark.parametrize("name", ["a\\u0000b", "\\ud800", "a/b", ".", ""])
def test_a_column_of_a_name_that_cannot_be_a_link_is_refused(path, log, name):
    text = b"[" + ROW.replace(b"images/id", f"images/columns/{name}".encode()) + b"]"
    written(path)
    log.write_bytes(sealed_up(log.read_bytes(), 36, struct.pack("<II", len(text), 0) + text))
    for opener in (cm.open, lambda path: cm.create(path, "a")):
        with pytest.raises(CorruptFileError, match=r"log: record 0: a declaration cannot be: "):
            opener(path)


def test_rows_of_very_many_dimensions_are_refused_in_no_time(path, log):
    inner = b'"inner":[' + b",".join([b"99999999999999999"] * 200_000) + b"]"
    text = b"[" + ROW.replace(b'"inner":[]', inner) + b"]"
    written(path)
    log.write_bytes(sealed_up(log.read_bytes(), 36, struct.pack("<II", len(text), 0) + text))
    started = time.process_time()
    with pytest.raises(CorruptFileError, match="of 200000 inner dimensions"):
        cm.open(path)
    assert time.process_time() - started < 2


def test_a_log_that_does_not_continue_the_file_is_refused(path, log):
    with cm.create(path) as out:
        out.append(boxes(1))
    out = cm.create(path, "a")
    out.abandon()
    text = b"[" + ROW.replace(b'"start":0', b'"start":2') + b"]"
    log.write_bytes(sealed_up(log.read_bytes(), 36, struct.pack("<II", len(text), 0) + text))
    with pytest.raises(
        CorruptFileError, match=r"continues /images/id with int64 of rows \(\) from row 2 on; the"
    ):
        cm.open(path)


# the journal


@pytest.fixture
def half_way(path, monkeypatch):
    """Give a file whose checkpoint stopped when its journal was complete."""

    def stop(self, fd):
        raise OSError(5, "stopped")

    out = cm.create(path)
    for i in range(3):
        out.append(full(2, seed=i), file_name=f"{i}.jpg")
    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "apply", stop)
        with pytest.raises(OSError, match="stopped"):
            out.close()
    return path


def test_a_journal_is_what_the_specification_says(half_way):
    data = half_way.with_name("some.h5.journal").read_bytes()
    uuid, before, size, pages = plain.journal_pages(data)
    content = half_way.read_bytes()
    end = int.from_bytes(content[28:36], "little")
    assert before == content[:end][:4096].ljust(4096, b"\0")
    assert uuid.hex().encode() in before
    assert 0 in pages
    assert pages[0][:8] == b"\x89HDF\r\n\x1a\n"
    assert size == int.from_bytes(pages[0][28:36], "little") <= len(content)


def test_with_a_complete_journal_its_pages_are_the_file(half_way):
    assert plain.text(plain.datasets(half_way), "images/file_name") == ["0.jpg", "1.jpg", "2.jpg"]
    with cm.open(half_way) as ds:
        for i in range(3):
            assert_same(ds[i], full(2, seed=i))
    with h5py.File(half_way) as file:
        assert not [*file]


def test_a_torn_journal_is_nothing(half_way):
    name = half_way.with_name("some.h5.journal")
    data = name.read_bytes()
    for torn in (b"", data[:50], data[:-1], data[:-4] + b"abcd", data + b"x"):
        name.write_bytes(torn)
        with cm.open(half_way) as ds:
            assert [len(detections) for detections in ds] == [2, 2, 2]


def test_a_torn_journal_beside_a_file_that_is_half_written_is_refused(half_way):
    name = half_way.with_name("some.h5.journal")
    name.write_bytes(name.read_bytes()[:-1])
    with open(half_way, "r+b") as file:
        file.write(b"\x89CMK\r\n\x1a\n")
    for opener in (cm.open, lambda path: cm.create(path, "a")):
        with pytest.raises(
            CorruptFileError, match="half way through a checkpoint, and there is no j"
        ):
            opener(half_way)


def test_a_huge_journal_that_is_not_as_long_as_it_says_is_not_read(half_way):
    name = half_way.with_name("some.h5.journal")
    with open(name, "r+b") as file:
        file.truncate(1 << 42)  # No memory holds that.
    assert len(cm.open(half_way)) == 3


def test_the_journal_of_another_file_is_ignored(half_way, tmp_path):
    other = tmp_path / "other.h5"
    cm.save(boxes(4), other)
    os.replace(half_way.with_name("some.h5.journal"), tmp_path / "other.h5.journal")
    assert len(cm.load(other)) == 4
    with cm.create(other, "a") as out:
        out.append(boxes(1))
    assert len(cm.open(other)) == 2
    assert not (tmp_path / "other.h5.journal").exists()


def test_going_on_completes_a_checkpoint(half_way):
    with cm.create(half_way, "a") as out:
        assert not half_way.with_name("some.h5.journal").exists()
        with h5py.File(half_way) as file:
            assert len(file["images/id"]) == 3
        out.append(boxes(1))
    assert sorted(os.listdir(half_way.parent)) == ["some.h5"]
    assert [len(detections) for detections in cm.open(half_way)] == [2, 2, 2, 1]


def test_the_end_grows_with_every_checkpoint(path, small_chunks, monkeypatch):
    monkeypatch.setattr(journaled, "CHECKPOINT_BYTES", 1)
    ends = []
    with cm.create(path) as out:
        for i in range(30):
            out.append(full(i % 3, seed=i), file_name=f"{i}.jpg")
            ends.append(int.from_bytes(path.read_bytes()[28:36], "little"))
            if i % 5 == 4:
                out.delete(file_name=f"{i - 2}.jpg")
                ends.append(int.from_bytes(path.read_bytes()[28:36], "little"))
    assert ends == sorted(set(ends))
