"""Values that cannot be and bytes that were damaged: what is wrong is named, and where."""

import json
import re
import subprocess
import sys
import zlib

import h5py
import numpy as np
import pytest
from hdf5_damage import change, read_everything, refused, replace, sample
from hdf5_samples import CODECS, boxes, full

import compactmask as cm
from compactmask.errors import CompactMaskError, CorruptFileError, InvalidMaskError
from compactmask.formats.hdf5 import filters


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "some.h5"
    sample(path)
    return path


def first(value):
    def edit(values):
        values[0] = value

    return edit


def last(value):
    def edit(values):
        values[-1] = value

    return edit


def backwards(values):
    values[2] = values[3] + 1


VALUES = [
    ("detections/indptr", backwards, "/detections/indptr: goes backwards"),
    ("detections/indptr", first(1), "/detections/indptr: begins with 1, expected 0"),
    ("detections/indptr", last(119), "/detections/indptr: ends with 119, expected 120"),
    ("detections/indptr", last(1 << 60), "values from 0 to 1152921504606846976, expected 0 to 120"),
    ("masks/indptr", backwards, "/masks/indptr: goes backwards"),
    ("masks/indptr", first(-5), "/masks/indptr: values from -5"),
    ("masks/crop_shapes", first((-1, 4)), "/masks/crop_shapes: values from -1 to"),
    (
        "masks/crop_shapes",
        first((60, 81)),
        r"/masks: image 0: a crop is outside of its image \(60,",
    ),
    ("masks/offsets", first((-1, 0)), "/masks/offsets: values from -1 to"),
    ("masks/offsets", first((79, 59)), "/masks: image 0: a crop is outside of its image"),
    (
        "masks/offsets",
        first((2**31 - 1, 0)),
        "/masks/offsets: values from 0 to 2147483647, expecte",
    ),
    ("masks/area", first(4801), "/masks: image 0: .* its area is larger than the crop"),
    ("masks/area", first(-1), "/masks/area: values from -1"),
    ("images/height", first(0), "/images/height: image 0: 0, and the image has masks"),
    ("images/width", first(2**31 - 1), "/images/width: values from 80 to 2147483647, expected 0"),
    ("images/data/flags", first(7), "rows 0 to 3 cannot be of form 7"),
    (
        "images/data/flags",
        first(-3),
        "/images/data/flags: values from -3 to 1, expected -2 to 65535",
    ),
    (
        "images/data/class_name",
        first(1),
        "/detections/data/class_name/bytes: rows 0 to 3 cannot be",
    ),
    (
        "detections/data/flags",
        first(2),
        "/detections/data/flags: values from 0 to 2, expected 0 to 1",
    ),
    ("images/file_name/bytes", first(0xFF), "/images/file_name/bytes: not UTF-8: .* can't decode"),
    ("images/metadata/bytes", first(ord("[")), "/images/metadata/bytes: image 0: not JSON: "),
    ("metadata/bytes", first(ord("[")), "/metadata/bytes: not JSON: "),
]


@pytest.mark.parametrize(("name", "edit", "message"), VALUES)
def test_values_that_cannot_be_are_named(path, name, edit, message):
    with h5py.File(path) as file:
        is_bool = "bool" in file[name].attrs
    change(path, name, edit)
    if is_bool:
        with h5py.File(path, "r+") as file:
            file[name].attrs["bool"] = 1
    refused(path, message)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_boxes_that_are_not_finite_are_refused_with_their_image(path, value):
    change(path, "detections/xyxy", last(value))
    refused(path, "/detections/xyxy: image 39: not finite")


def test_an_instance_outside_of_its_image_is_refused(path):
    change(path, "masks/offsets", last((80, 60)))
    message = (
        r"/masks/offsets: image 39, instance 119: a crop of .* outside of its image \(60, 80\)"
    )
    with cm.open(path) as ds, pytest.raises(CorruptFileError, match=message):
        ds.instance(119)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
def test_a_crop_of_no_pixels_in_some_bytes_is_named(path, shape):
    change(path, "masks/crop_shapes", lambda shapes: shapes.__setitem__(4, shape))
    message = rf"/masks/bytes: image 1, instance 4: a crop of {re.escape(str(shape))} in \d+ bytes"
    with cm.open(path) as ds, pytest.raises(CorruptFileError, match=message):
        ds.crop(4)


@pytest.mark.parametrize("text", ["[]", '"x"', "null"])
def test_metadata_must_be_an_object(path, text):
    replace(path, "metadata/bytes", np.frombuffer(text.encode(), "u1"))
    replace(path, "metadata/indptr", np.array([0, len(text)]))
    kind = type(json.loads(text)).__name__
    refused(path, f"/metadata/bytes: a JSON object expected, not {kind}")


# damage


def test_a_flipped_bit_in_a_mask_is_found_by_every_way_of_reading(path):
    with h5py.File(path, "r+") as file:
        start = file["masks/indptr"][10]
        file["masks/bytes"][start] ^= 1
        expected = file["masks/crc"][10]
    message = (
        rf"/masks/bytes: image 3, instance 10: crc 0x[0-9a-f]{{8}} found, {expected:#010x} exp"
    )
    with cm.open(path) as ds:
        for read in (
            lambda: ds.crop(10),
            lambda: ds.crops([9, 10, 11]),
            lambda: ds.instance(10),
            lambda: np.asarray(ds[3].mask),
        ):
            with pytest.raises(CorruptFileError, match=f"{path}: {message}"):
                read()
        ds.crop(9)


def test_bytes_that_are_no_mask_are_found_behind_a_right_crc(path):
    with h5py.File(path, "r+") as file:
        start, stop = file["masks/indptr"][10:12]
        file["masks/bytes"][start:stop] = 240
    change(path, "masks/crc", lambda crc: crc.__setitem__(10, zlib.crc32(b"\xf0" * (stop - start))))
    with cm.open(path) as ds, pytest.raises(CorruptFileError, match="image 3, instance 10: "):
        ds.crop(10)


def test_an_instance_without_a_mask_is_named(tmp_path):
    path = tmp_path / "some.h5"
    with cm.create(path) as out:
        out.append(full(2))
        out.append(boxes(3))
    with cm.open(path) as ds:
        for read in (lambda: ds.crop(3), lambda: ds.crops([2, 3]), lambda: ds.instance(3)):
            with pytest.raises(InvalidMaskError, match=r"image 1, instance [23]: has no mask"):
                read()


def test_every_cut_of_a_file_is_refused(path):
    whole = path.read_bytes()
    for size in [*range(0, 600, 7), *range(600, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(CompactMaskError, match=re.escape(str(path))):
            read_everything(path)


def test_a_file_that_is_cut_while_it_is_open_is_refused(path):
    with cm.open(path) as ds:
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(
            CorruptFileError, match=rf"{path}: \d+ bytes expected at \d+, the file "
        ):
            ds.crop(10)


FLIPS = """
import random, sys
import numpy as np
from compactmask.errors import CompactMaskError
sys.path.insert(0, sys.argv[2])
from hdf5_damage import read_everything
import compactmask as cm
path, whole = sys.argv[1], bytearray(open(sys.argv[1], "rb").read())
expected = [np.asarray(d.mask).tobytes() for d in cm.open(path)]
random.seed(0)
found = silent = 0
for _ in range(300):
    at = random.randrange(len(whole))
    bit = 1 << random.randrange(8)
    whole[at] ^= bit
    open(path, "wb").write(whole)
    try:
        read_everything(path)
        assert [np.asarray(d.mask).tobytes() for d in cm.open(path)] == expected
        silent += 1
    except CompactMaskError:
        found += 1
    whole[at] ^= bit
print(found, silent)
"""


def test_no_flipped_bit_anywhere_gives_a_wrong_mask(path):
    from pathlib import Path

    ran = subprocess.run(
        [sys.executable, "-c", FLIPS, path, Path(__file__).parent],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found, silent = map(int, ran.stdout.split())
    assert found > 200
    assert found + silent == 300


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("itemsize", [1, 2, 4, 8])
def test_filters_undo_each_other(itemsize, codec):
    raw = np.random.default_rng(0).integers(0, 9, 800, dtype=np.uint8).tobytes()
    stored = filters.compressed(filters.shuffled(raw, itemsize), codec)
    assert filters.unshuffled(filters.expanded(stored, codec, 800), itemsize) == raw


def test_rows_of_no_values_are_read_as_such(path):
    replace(path, "detections/data/flags", np.zeros((120, 0)))
    with cm.open(path) as ds:
        assert ds.detections["flags"].shape == (120, 0)
        assert ds[1].data["flags"].shape == (3, 0)
