"""Repacking: the living images and nothing else, equal in every field, in fewer bytes."""

import json
import os

import h5py
import pytest
from hdf5_samples import CODECS, boxes, full
from hdf5_writing import assert_holds, in_pieces, write

import compactmask as cm
from compactmask import cli
from compactmask.errors import BusyError, FormatError
from compactmask.formats.hdf5 import repacking


@pytest.fixture
def src(tmp_path):
    return tmp_path / "src.h5"


@pytest.fixture
def dst(tmp_path):
    return tmp_path / "dst.h5"


def sample(src, monkeypatch, **options):
    """Write a file in small pieces, some of whose images are deleted or replaced."""
    with monkeypatch.context() as patch:
        in_pieces(patch, 2000)
        wanted = {f"{i}.jpg": full(i % 5, seed=i) if i % 3 else boxes(i % 4) for i in range(16)}
        with cm.create(src, classes=["a", "b"], **options) as out:
            out.metadata["year"] = 2014
            for i, (name, detections) in enumerate(wanted.items()):
                out.append(detections, file_name=name, image_id=100 + i, columns={"n": i})
            out.append(full(2, seed=50), file_name="3.jpg", on_duplicate="replace")
            for name in ("0.jpg", "7.jpg", "8.jpg"):
                out.delete(file_name=name)
                del wanted[name]
    del wanted["3.jpg"]
    return {**wanted, "3.jpg": full(2, seed=50)}


@pytest.mark.parametrize("compression", ["same", None, *CODECS])
@pytest.mark.parametrize("before", [None, *CODECS])
def test_the_living_images_come_back_equal_in_every_field(
    src, dst, monkeypatch, before, compression
):
    wanted = sample(src, monkeypatch, compression=before)
    report = cm.repack(src, dst, compression=compression)
    assert_holds(dst, wanted)
    assert (report.images, report.instances) == (13, sum(map(len, wanted.values())))
    assert (report.bytes_in, report.bytes_out) == (src.stat().st_size, dst.stat().st_size)
    with cm.open(src) as one, cm.open(dst) as other:
        for name in ("id", "height", "width", "n"):
            assert one.images[name].tolist() == other.images[name].tolist()
        assert (other.classes, other.metadata) == (["a", "b"], {"year": 2014})
        expected = before if compression == "same" else compression
        assert other._source.about["compression"] == expected
    with h5py.File(dst) as file:
        assert "deleted" not in file["images"]
        assert (file["masks/bytes"].chunks is None) == (expected is None)
    assert sorted(os.listdir(src.parent)) == ["dst.h5", "src.h5"]


def test_it_is_smaller_and_its_masks_stand_in_one_piece(src, dst, monkeypatch):
    sample(src, monkeypatch)
    cm.repack(src, dst)
    assert dst.stat().st_size < src.stat().st_size
    with h5py.File(dst) as file:
        packed = file["masks/bytes"]
        start, raw = packed.id.get_offset(), packed[:].tobytes()
    assert dst.read_bytes()[start : start + len(raw)] == raw


@pytest.mark.parametrize(("images", "instances"), [(1, 1), (3, 2), (4, 1 << 16)])
def test_it_is_copied_in_blocks_of_any_size(src, dst, monkeypatch, images, instances):
    wanted = sample(src, monkeypatch)
    monkeypatch.setattr(repacking, "IMAGES", images)
    monkeypatch.setattr(repacking, "INSTANCES", instances)
    done = []
    cm.repack(src, dst, progress=lambda *counts: done.append(counts))
    assert_holds(dst, wanted)
    assert done[-1] == (17, 17)
    assert done == sorted(done)


def test_the_source_may_have_a_writer_whose_last_commit_is_taken(src, dst):
    with cm.create(src, commit_every=2) as out:
        for i in range(5):
            out.append(full(2, seed=i), file_name=str(i))
        cm.repack(src, dst)
        assert_holds(dst, {str(i): full(2, seed=i) for i in range(4)})
        assert os.path.exists(f"{src}.log")
        assert not os.path.exists(f"{dst}.log")
    assert_holds(src, {str(i): full(2, seed=i) for i in range(5)})


@pytest.mark.parametrize("compression", ["same", None, *CODECS])
def test_a_repacked_file_is_continued(src, dst, monkeypatch, compression):
    wanted = sample(src, monkeypatch)
    cm.repack(src, dst, compression=compression)
    in_pieces(monkeypatch, 2000)
    for i in range(4):
        out = cm.create(dst, "a")
        assert out.has(file_name="3.jpg", id=103)
        assert not out.has(file_name="7.jpg")
        out.append(full(3, seed=70 + i), file_name=f"new {i}")
        wanted[f"new {i}"] = full(3, seed=70 + i)
        out.close() if i % 2 else out.abandon()
        assert_holds(dst, wanted)


def test_a_file_of_nothing_is_repacked(src, dst):
    write(src)
    assert cm.repack(src, dst).images == 0
    write(dst, full(1), mode="a")
    assert len(cm.open(dst)) == 1


def test_columns_without_rows_stay_open(src, dst):
    none, some = boxes(0), boxes(1)
    none.data["x"], some.data["x"] = [], ["a"]
    with cm.create(src) as out:
        out.append(none, file_name="none")
    cm.repack(src, dst)
    with cm.create(dst, "a") as out:
        out.append(some, file_name="some")
    assert_holds(dst, {"none": none, "some": some})


def test_the_source_itself_is_no_destination(src, tmp_path):
    write(src, full(1))
    link = tmp_path / "link.h5"
    link.symlink_to(src)
    for dst in (src, link):
        with pytest.raises(FormatError, match=f"{dst}: it is the source itself, expected another"):
            cm.repack(src, dst, overwrite=True)
    assert len(cm.open(src)) == 1


def test_an_existing_destination_is_replaced_only_where_that_is_wanted(src, dst):
    write(src, full(1))
    write(dst, full(2), full(3))
    with pytest.raises(FileExistsError, match=r"it exists, and overwrite is not set: .*dst\.h5"):
        cm.repack(src, dst)
    assert len(cm.open(dst)) == 2
    cm.repack(src, dst, overwrite=True)
    assert len(cm.open(dst)) == 1


def test_a_destination_that_has_a_writer_is_refused(src, dst):
    write(src, full(1))
    with cm.create(dst) as out:
        out.append(full(2), file_name="a")
        with pytest.raises(BusyError, match=r"dst\.h5: another writer"):
            cm.repack(src, dst, overwrite=True)
    assert_holds(dst, {"a": full(2)})


def test_an_unknown_compression_is_refused_and_a_damaged_source_leaves_nothing(src, dst):
    write(src, full(3))
    with pytest.raises(ValueError, match="compression 'lzf', expected 'same', None, 'gzip' or "):
        cm.repack(src, dst, compression="lzf")
    with h5py.File(src, "r+") as file:
        values = file["detections/indptr"][:]
        del file["detections/indptr"]
        file.create_dataset("detections/indptr", data=values + 1, compression="gzip")
    with pytest.raises(FormatError, match="/detections/indptr: values from 1 to 4, expected 0"):
        cm.repack(src, dst)
    assert os.listdir(src.parent) == [src.name]


def test_the_sizes_that_are_told_hold_the_log_too(src, dst, capsys):
    out = cm.create(src)
    for i in range(20):
        out.append(full(3, seed=i))
    sizes = src.stat().st_size, src.with_name("src.h5.log").stat().st_size
    assert sizes[1] > 10 * sizes[0]
    assert cm.repack(src, dst).bytes_in == sum(sizes)
    assert cm.convert(src, dst, overwrite=True).bytes_in == sum(sizes)
    assert cli.main(["repack", str(src), str(dst), "--overwrite"]) == 0
    assert f", {sum(sizes):,} bytes in, {dst.stat().st_size:,} bytes out" in capsys.readouterr().out
    assert cli.main(["info", str(src), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"]["file"] == sum(sizes)
    link = src.with_name("link.h5")
    link.symlink_to(src)
    assert cm.open(link).file_bytes == sum(sizes)
    out.close()
    assert cm.open(link).file_bytes == src.stat().st_size


def test_the_command_repacks(src, dst, monkeypatch, capsys):
    wanted = sample(src, monkeypatch)
    assert cli.main(["repack", str(src), str(dst)]) == 0
    assert f"{dst}: 13 images, " in capsys.readouterr().out
    assert_holds(dst, wanted)
    assert cli.main(["repack", str(src), str(dst)]) == 1
    assert capsys.readouterr().err == f"compactmask: {dst}: it exists, and overwrite is not set\n"
    assert cli.main(["repack", str(src), str(dst), "--overwrite", "--compression", "gzip"]) == 0
    assert cm.open(dst)._source.about["compression"] == "gzip"
    assert cli.main(["repack", str(dst), str(src), "--overwrite", "--compression", "none"]) == 0
    assert cm.open(src)._source.about["compression"] is None
    assert_holds(src, wanted)
