"""Masks and columns compressed by zstd, which needs an extra."""

import sys

import h5py
import numpy as np
import pytest
from hdf5_samples import assert_same, full

import compactmask as cm
from compactmask.errors import CorruptFileError, FormatError
from compactmask.formats.hdf5 import chunks, filters, journaled, schema

zstandard = pytest.importorskip("zstandard")
hdf5plugin = pytest.importorskip("hdf5plugin")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.h5"


@pytest.fixture
def small_chunks(monkeypatch):
    for name, size in (("CHUNK_ROWS", 3), ("TEXT_CHUNK_BYTES", 16), ("MASK_CHUNK_BYTES", 64)):
        monkeypatch.setattr(schema, name, size)


def write(path, count=8, **options):
    with cm.create(path, compression="zstd", **options) as out:
        for i in range(count):
            out.append(full(i % 4, seed=i), file_name=f"{i}.jpg")


def assert_whole(path, count=8):
    with cm.open(path) as ds:
        assert len(ds) == count
        for i in range(count):
            assert_same(ds[i], full(i % 4, seed=i))


@pytest.mark.parametrize("checkpoint", [1, 20_000, 1 << 23])
def test_every_field_comes_back(path, small_chunks, monkeypatch, checkpoint):
    monkeypatch.setattr(journaled, "CHECKPOINT_BYTES", checkpoint)
    write(path)
    assert_whole(path)


def test_plain_h5py_reads_it_with_the_plugin(path, small_chunks):
    write(path)
    with h5py.File(path) as file, cm.open(path) as ds:
        assert "32015" in file["masks/bytes"]._filters
        assert file.attrs["compression"] == b"zstd"
        assert np.array_equal(file["detections/xyxy"], ds.detections["xyxy"])
        assert np.array_equal(file["masks/area"], ds.detections["area"])
        assert len(file["masks/bytes"][:]) == file["masks/indptr"][-1]


def test_every_frame_says_its_size_and_has_a_checksum(path, small_chunks):
    write(path)
    with h5py.File(path) as file:
        data = file["masks/bytes"]
        for number in range(data.id.get_num_chunks()):
            _, frame = data.id.read_direct_chunk(data.id.get_chunk_info(number).chunk_offset)
            found = zstandard.get_frame_parameters(frame)
            assert (found.content_size, found.has_checksum) == (data.chunks[0], True)


def test_a_file_goes_on_with_the_compression_that_it_has(path, small_chunks):
    out = cm.create(path, compression="zstd")
    out.abandon()
    with cm.create(path, "a") as out:
        for i in range(8):
            out.append(full(i % 4, seed=i), file_name=f"{i}.jpg")
    assert_whole(path)
    with h5py.File(path) as file:
        assert "32015" in file["masks/bytes"]._filters
    with pytest.raises(FormatError, match="compression 'gzip', the file has 'zstd': repack it"):
        cm.create(path, "a", compression="gzip")


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_repack_changes_the_compression(path, tmp_path, compression):
    write(path)
    cm.repack(path, tmp_path / "other.h5", compression=compression)
    assert_whole(tmp_path / "other.h5")


@pytest.mark.parametrize("missing", ["zstandard", "hdf5plugin"])
def test_writing_without_the_extra_names_it_and_touches_nothing(path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        ImportError, match=rf'{missing} is not installed: pip install "compactmask\[zstd\]"'
    ):
        cm.create(path, compression="zstd")
    assert not path.exists()


def test_reading_without_zstandard_names_the_extra(path, monkeypatch, small_chunks):
    write(path)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with cm.open(path) as ds, pytest.raises(ImportError, match=r"compactmask\[zstd\]"):
        ds.crop(0)


def test_reading_needs_no_plugin(path, monkeypatch, small_chunks):
    write(path)
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    assert_whole(path)


FRAMES = {
    "of another size": (lambda raw: packed(raw + b"x"), "a zstd frame of 65 bytes, with checksum"),
    "without checksum": (
        lambda raw: packed(raw, checksum=False),
        "64 bytes, without checksum, exp",
    ),
    "without size": (
        lambda raw: packed(raw, size=False),
        "a zstd frame of 18446744073709551615 bytes",
    ),
    "cut": (lambda raw: packed(raw)[:-3], "decompression error: did not decompress full frame"),
    "no frame": (lambda raw: bytes(64), "cannot get frame parameters: Unknown frame descriptor"),
    "two": (lambda raw: packed(raw) * 2, "compressed input contains 77 bytes of unused data"),
}


def packed(raw, *, checksum=True, size=True):
    compressor = zstandard.ZstdCompressor(write_checksum=checksum, write_content_size=size)
    return compressor.compress(raw)


@pytest.mark.parametrize("case", FRAMES)
def test_a_frame_that_lies_is_refused(case):
    damage, message = FRAMES[case]
    raw = bytes(range(64))
    assert filters.expanded(packed(raw), "zstd", 64) == raw
    with pytest.raises(ValueError, match=message):
        filters.expanded(damage(raw), "zstd", 64)


def test_a_bomb_is_refused_before_it_takes_memory():
    bomb = packed(bytes(1 << 24))
    with pytest.raises(ValueError, match="a zstd frame of 16777216 bytes, with checksum, expected"):
        filters.expanded(bomb, "zstd", 1000)


def test_a_flipped_bit_in_a_chunk_is_found(path, small_chunks):
    write(path)
    with h5py.File(path) as file:
        chunk = file["detections/xyxy"].id.get_chunk_info(1)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 8
    path.write_bytes(data)
    with (
        cm.open(path) as ds,
        pytest.raises(CorruptFileError, match="/detections/xyxy: chunk 1: dam"),
    ):
        ds.detections["xyxy"]


def test_memory_for_expanded_chunks_is_bounded(path, small_chunks, monkeypatch):
    monkeypatch.setattr(chunks, "CACHE_BYTES", 1000)
    write(path, 30)
    with cm.open(path) as ds:
        for k in range(len(ds.detections["area"])):
            ds.crop(k)
        cache = ds._source._state.contents._cache
        assert cache._nbytes <= 1000 + 64
