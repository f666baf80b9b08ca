"""Files that are foreign, or whose tree lies: each is refused with the name of what is wrong."""

import os
import re
import zlib

import h5py
import numpy as np
import pytest
from hdf5_damage import read_everything, refused, replace, sample

import compactmask as cm
from compactmask.errors import (
    CorruptFileError,
    FormatError,
    InvalidMaskError,
    UnsupportedVersionError,
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "some.h5"
    sample(path)
    return path


# not a file of this format


def test_a_missing_file_is_python_s_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.h5"):
        cm.open(tmp_path / "no.h5")


def test_an_empty_file_is_refused(path):
    from compactmask.formats import hdf5

    path.write_bytes(b"")
    with pytest.raises(CorruptFileError, match=re.escape(f"{path}: empty file, expected HDF5")):
        hdf5.open(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_and_a_folder_are_refused(tmp_path):
    from compactmask.formats import hdf5

    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(FormatError, match="not a regular file, which cannot be r"):
            hdf5.open(tmp_path / name)


def test_another_kind_of_file_is_refused(path):
    from compactmask.formats import hdf5

    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(FormatError, match=re.escape(r"begins with b'\x89PNG\r\n\x1a\n', expected")):
        hdf5.open(path)


def test_a_foreign_hdf5_file_is_refused(tmp_path):
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:
        file["images"] = np.arange(3)
    refused(path, "an HDF5 file, but of something else: no attribute 'format'", FormatError)


ATTRIBUTES = [
    ("format", "other", FormatError, "format 'other', expected 'compactmask'"),
    ("format_version", "2.0", UnsupportedVersionError, "format_version 2.0 .* install a newer one"),
    ("format_version", "0.9", UnsupportedVersionError, r"0\.9 .* reads 1.x with edge-words 1$"),
    ("format_version", "one", CorruptFileError, "format_version 'one', expected like '1.0'"),
    ("encoding", "zip", UnsupportedVersionError, "masks in zip 1, this release .* edge-words 1"),
    ("encoding_version", "2", UnsupportedVersionError, "masks in edge-words 2, this release"),
    ("order", "C", FormatError, "order 'C', expected 'F'"),
    ("format", 7, CorruptFileError, "attribute 'format': int64, expected a short string"),
    ("format", "x" * 300, CorruptFileError, r"attribute 'format': \|S300, expected a short string"),
]


@pytest.mark.parametrize(("name", "value", "error", "message"), ATTRIBUTES)
def test_attributes_that_say_something_else_are_refused(path, name, value, error, message):
    with h5py.File(path, "r+") as file:
        file.attrs[name] = np.bytes_(value) if isinstance(value, str) else value
    refused(path, message, error)


def test_a_newer_minor_version_with_more_in_it_is_read(path):
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = np.bytes_("1.7")
        file.attrs["colour"] = "green"
        file["masks/scores"] = np.ones(3)
        file["more/of/it"] = h5py.Empty("f4")
        file["images/link"] = h5py.ExternalLink("/etc/passwd", "/")
    read_everything(path)
    with cm.open(path) as ds:
        assert ds._source.about["format"] == "HDF5, compactmask 1.7"


@pytest.mark.parametrize("name", ["format_version", "encoding", "order"])
def test_missing_attributes_are_named(path, name):
    with h5py.File(path, "r+") as file:
        del file.attrs[name]
    refused(path, f"attribute '{name}' is missing")


# the tree

REQUIRED = [
    "images/id",
    "images/present",
    "images/height",
    "images/data/flags",
    "images/file_name/indptr",
    "images/file_name/bytes",
    "images/metadata",
    "detections/indptr",
    "detections/xyxy",
    "detections/class_id",
    "detections/data/flags",
    "masks/bytes",
    "masks/crc",
    "masks",
]


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_missing_is_named(path, name):
    with h5py.File(path, "r+") as file:
        del file[name]
    if name == "masks":
        refused(path, "no image has masks", InvalidMaskError)
    else:
        refused(path, f"/{name}: (missing|expected a dataset)")


SHAPES = [
    ("images/id", np.zeros(40, "i4"), r"int32 of shape \(40,\), expected int64 of \(40,\)"),
    ("images/height", np.zeros(39, "i4"), r"shape \(39,\), expected int32 of \(40,\)"),
    ("images/id", np.zeros((40, 1), "i8"), r"shape \(40, 1\), expected int64 of \(40,\)"),
    ("detections/indptr", np.zeros(40, "i8"), r"shape \(40,\), expected int64 of \(41,\)"),
    ("detections/xyxy", np.zeros((120, 5)), r"shape \(120, 5\), expected float64 of \(120, 4\)"),
    ("detections/confidence", np.zeros(119), r"\(119,\), expected float64 of \(120,\)"),
    ("masks/bytes", np.zeros(9, "i1"), r"int8 of shape \(9,\), expected uint8 of any length"),
    ("masks/offsets", np.zeros((120, 2), "i8"), r"int64 of shape .* expected int32 of \(120, 2\)"),
    ("detections/xyxy", np.zeros((120, 0)), r"shape \(120, 0\), expected float64 of \(120, 4\)"),
    ("detections/class_id", np.zeros(120, ">i8"), "type >i8, expected little-endian numbers"),
    ("detections/class_id", np.zeros(120, "S3"), r"type \|S3, expected little-endian numbers"),
    ("detections/class_id", np.zeros(120, "i4,i4"), "expected little-endian numbers"),
    ("detections/class_id", np.zeros((120,) + (1,) * 8), "expected 1 to 8 dimensions"),
]


@pytest.mark.parametrize(("name", "values", "message"), SHAPES)
def test_what_has_another_shape_or_type_is_named(path, name, values, message):
    replace(path, name, values)
    refused(path, f"/{name}: .*{message}")


@pytest.mark.parametrize("value", [7, h5py.Empty("f4")])
def test_a_dataset_without_rows_or_dimensions_is_named(path, value):
    with h5py.File(path, "r+") as file:
        del file["images/id"]
        file["images/id"] = value
    refused(path, "/images/id: ")


def test_a_group_in_the_place_of_a_dataset_is_named(path):
    with h5py.File(path, "r+") as file:
        del file["images/id"], file["detections/data"]
        file.create_group("images/id")
        file["detections/data"] = np.arange(3)
    refused(path, "/images/id/bytes: expected a dataset")
    replace(path, "images/id", np.arange(40))
    refused(path, "/detections/data: expected a group")


def test_a_named_type_in_the_place_of_a_dataset_is_named(path):
    with h5py.File(path, "r+") as file:
        del file["images/id"]
        file["images/id"] = np.dtype("i8")
    refused(path, "/images/id: neither a dataset nor a group")


def test_too_many_columns_are_refused(path):
    with h5py.File(path, "r+") as file:
        for i in range(1025):
            file[f"images/columns/{i}"] = 1
    refused(path, "/images/columns: 1027 columns, at most 1024 expected")


def test_a_name_that_is_not_utf_8_is_refused(path):
    with h5py.File(path, "r+") as file:
        file["detections/data"].id.move(b"flags", b"\xff\xfe")
    refused(path, r"/detections/data: name b'\\xff\\xfe' is not UTF-8")


def test_a_name_that_is_not_utf_8_is_ignored_where_the_format_names_nothing(path):
    with h5py.File(path, "r+") as file:
        file.id.links.create_soft(b"\xff", b"/x")
    read_everything(path)


def test_a_further_column_with_the_name_of_another_is_refused(path):
    replace(path, "images/columns/id", np.arange(40))
    refused(path, "/images/columns/id: images have 'id' of their own")


# nothing outside is opened


@pytest.mark.parametrize("link", [h5py.ExternalLink("other.h5", "/x"), h5py.SoftLink("/images/id")])
def test_links_are_not_followed(path, link):
    with h5py.File(path, "r+") as file:
        del file["images/present"]
        file["images/present"] = link
    refused(path, "/images/present: a link, which is not followed")


def test_external_storage_is_not_opened(path, tmp_path):
    (tmp_path / "raw").write_bytes(bytes(1000))
    with h5py.File(path, "r+") as file:
        del file["images/id"]
        file.create_dataset("images/id", (40,), "i8", external=[(str(tmp_path / "raw"), 0, 320)])
    refused(path, "/images/id: its bytes are in another file, which is not opened")


def test_virtual_datasets_are_not_opened(path):
    with h5py.File(path, "r+") as file:
        del file["images/id"]
        layout = h5py.VirtualLayout((40,), "i8")
        layout[:] = h5py.VirtualSource("other.h5", "x", (40,))
        file.create_virtual_dataset("images/id", layout)
    refused(path, "/images/id: its bytes are in other datasets, which are not opened")


# storage


def test_other_filters_are_refused(path):
    replace(path, "images/id", np.arange(40), compression="lzf")
    refused(path, r"/images/id: filters \(32000,\), expected shuffle \(2\) and deflate \(1\)")


@pytest.mark.parametrize("chunks", [None, (40,)])
def test_columns_without_a_checksum_are_refused(path, chunks):
    replace(path, "images/id", np.arange(40), compression=None, chunks=chunks)
    refused(path, "/images/id: neither compact nor compressed, so without a checksum")


def test_chunks_of_parts_of_rows_are_refused(path):
    replace(path, "detections/xyxy", np.zeros((120, 4)), chunks=(120, 2))
    refused(
        path, r"/detections/xyxy: chunks of \(120, 2\) in shape \(120, 4\), expected whole rows"
    )


def test_huge_chunks_are_refused(path):
    with h5py.File(path, "r+") as file:
        del file["images/id"]
        file.create_dataset("images/id", (40,), "i8", chunks=(1 << 22,), maxshape=(None,))
    refused(path, r"/images/id: chunks of \(4194304,\) .* of at most 16777216 bytes")


@pytest.mark.parametrize("rows", [40, 1 << 60])
def test_chunks_that_are_not_there_are_refused(path, rows):
    with h5py.File(path, "r+") as file:
        del file["images/id"]
        file.create_dataset("images/id", (rows,), "i8", chunks=(10,), compression="gzip")
    refused(path, "/images/id: .* chunks")


def test_rows_that_were_never_written_are_refused(path):
    with h5py.File(path, "r+") as file:
        del file["masks/bytes"]
        file.create_dataset("masks/bytes", (1 << 50,), "u1")
    refused(path, "/masks/bytes: its 1125899906842624 bytes are not there")


def put_chunk(path, name, raw, stored, filter_mask=0):
    with h5py.File(path, "r+") as file:
        del file[name]
        values = np.frombuffer(raw, "u1")
        dataset = file.create_dataset(
            name, values.shape, "u1", chunks=values.shape, compression="gzip"
        )
        dataset.id.write_direct_chunk((0,), stored, filter_mask)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (zlib.compress(b"1234567"), "chunk 0: damaged: a deflate stream of more than 6 bytes"),
        (zlib.compress(b"1234"), "chunk 0: damaged: a deflate stream of 4 bytes"),
        (
            zlib.compress(b"123456")[:-1],
            "chunk 0: damaged: a deflate stream of 6 bytes or with a fa",
        ),
        (zlib.compress(b"123456") + b"x", "chunk 0: damaged: a deflate stream of 6 bytes or with"),
        (b"no deflate at all", "chunk 0: damaged: Error -3"),
    ],
)
def test_deflated_bytes_of_another_length_are_refused(path, stored, message):
    put_chunk(path, "classes/bytes", b"123456", stored)
    refused(path, f"/classes/bytes: {message}")


def test_a_bomb_is_defused(path):
    bomb = zlib.compress(bytes(1 << 24), 9)
    put_chunk(path, "classes/bytes", b"123456", bomb)
    refused(path, "/classes/bytes: chunk 0: damaged: a deflate stream of more than 6 bytes")


def test_more_rows_than_deflate_can_hold_are_refused(path):
    put_chunk(path, "classes/bytes", bytes(1_000_000), b"x" * 100)
    refused(path, "/classes/bytes: a chunk of 1000000 bytes stored in 100")


def test_a_chunk_that_skips_its_filters_is_refused(path):
    put_chunk(path, "classes/bytes", b"123456", b"123456", filter_mask=1)
    refused(path, "/classes/bytes: a chunk at row 0 is not valid")
