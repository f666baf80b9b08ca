"""Everything in a file is read, and the first thing that is wrong is named."""

import json
import random
import re
import zlib

import h5py
import numpy as np
import pytest
from coco_documents import DOT, annotation, dataset, image, write
from dialect_documents import DIALECTS
from hdf5_damage import change, read_everything, replace, sample
from hdf5_samples import CODECS, boxes, full

import compactmask as cm
from compactmask import cli


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "some.h5"
    sample(path)
    return path


def is_named(found, message, image=None, instance=None):
    """Tell that one thing is wrong, and which."""
    assert not found.is_intact
    assert str(found.error).startswith(found.path)
    assert re.search(message, str(found.error)), str(found.error)
    assert (found.image, found.instance) == (image, instance)


@pytest.mark.parametrize("compression", [None, *CODECS])
def test_a_file_that_is_intact_is_read_to_its_end(tmp_path, compression):
    path = tmp_path / "some.h5"
    with cm.create(path, compression=compression, classes=["a"]) as out:
        for i in range(9):
            out.append(full(i % 4, seed=i) if i % 3 else boxes(2), file_name=f"{i}.jpg")
        while_open = cm.verify(path)
        out.delete(file_name="3.jpg")
    found = cm.verify(path)
    for one, n in ((while_open, 9), (found, 8)):
        assert one.is_intact, one.error
        assert one.images == n
        assert (one.image, one.instance) == (None, None)
        assert one.bytes_read > 0
    with cm.open(path) as ds:
        assert found.instances == len(ds.detections["xyxy"])


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_is_verified(tmp_path, name):
    path = DIALECTS[name](tmp_path)
    found = cm.verify(path)
    with cm.open(path) as ds:
        assert (found.error, found.images) == (None, len(ds))
        assert found.instances == sum(len(one) for one in ds)


def test_a_flipped_bit_in_a_mask_is_named_by_image_and_instance(path):
    with h5py.File(path, "r+") as file:
        file["masks/bytes"][file["masks/indptr"][10]] ^= 1
    found = cm.verify(path)
    is_named(found, "/masks/bytes: image 3, instance 10: crc 0x.* expected", 3, 10)
    assert (found.images, found.instances) == (3, 9)


def test_bytes_that_are_no_mask_are_named_behind_a_right_crc(path):
    with h5py.File(path, "r+") as file:
        start, stop = file["masks/indptr"][10:12]
        file["masks/bytes"][start:stop] = 240
    check = zlib.crc32(b"\xf0" * (stop - start))
    change(path, "masks/crc", lambda crc: crc.__setitem__(10, check))
    is_named(cm.verify(path), "image 3, instance 10: ", 3, 10)


def test_an_area_that_is_not_that_of_the_mask_is_named(path):
    change(path, "masks/area", lambda area: area.__setitem__(10, area[10] - 1))
    is_named(
        cm.verify(path), r"image 3, instance 10: (\d+) pixels are True, but its area says", 3, 10
    )


def test_a_box_that_is_not_finite_is_named_by_its_image(path):
    change(path, "detections/xyxy", lambda xyxy: xyxy.__setitem__((10, 1), np.inf))
    is_named(cm.verify(path), "/detections/xyxy: image 3: not finite", 3)


def test_what_no_image_is_read_with_is_read_too(path):
    with h5py.File(path, "r+") as file:
        chunk = file["images/columns/year"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 4
    path.write_bytes(data)
    found = cm.verify(path)
    is_named(found, "/images/columns/year: chunk 0: damaged")
    assert found.images == 40


def test_masks_of_images_that_are_deleted_are_read_too(path):
    with cm.create(path, "a") as out:
        out.delete(file_name="3.jpg")
    with h5py.File(path, "r+") as file:
        file["masks/bytes"][file["masks/indptr"][10]] ^= 1
    is_named(cm.verify(path), "image 3, instance 10: crc")


def test_an_id_that_two_images_have_is_named(path):
    change(path, "images/id", lambda ids: ids.__setitem__(7, 3))
    is_named(cm.verify(path), "/images/id: images 3 and 7 have the id 3, expected one each")


def test_starts_that_go_backwards_between_two_chunks_are_found(path):
    indptr = np.sort(np.random.default_rng(0).integers(1, 1000, 41))
    indptr[0], indptr[8:16], indptr[-1] = 0, indptr[7] - 1, 1000
    for name, values in (("indptr", indptr), ("bytes", np.zeros(1000, np.uint8))):
        replace(path, f"images/columns/url/{name}", values, chunks=(8,), compression="gzip")
    is_named(cm.verify(path), "/images/columns/url/indptr: goes backwards")


def test_what_cannot_be_opened_is_not_intact(path):
    path.write_bytes(path.read_bytes()[:5000])
    is_named(cm.verify(path), "damaged: ")
    path.write_text("something else")
    is_named(cm.verify(path), "expected an HDF5 file or COCO JSON")
    with pytest.raises(FileNotFoundError):
        cm.verify(path.with_name("none.h5"))


def test_a_bad_annotation_is_named_by_image_and_instance(tmp_path):
    bad = annotation(3, 1, segmentation=DOT | {"counts": [3]})
    items = [annotation(1, 0), annotation(2, 1), bad]
    path = write(tmp_path, dataset(*items, images=[image(0), image(1)]))
    is_named(cm.verify(path), r"annotation 3 \(byte \d+\): runs cover 3 pixels", 1, 2)


def test_whatever_bit_is_flipped_it_is_found_or_says_nothing(path):
    whole, chance, found = path.read_bytes(), random.Random(0), 0
    with cm.open(path) as ds:
        expected = list(ds)
        masks = [np.asarray(detections.mask) for detections in expected]
    for _ in range(150):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        if cm.verify(path).is_intact:
            read_everything(path)
            with cm.open(path) as ds:
                for detections, mask in zip(ds, masks, strict=True):
                    assert np.array_equal(np.asarray(detections.mask), mask)
        else:
            found += 1
    assert found > 100


def run(capsys, *argv):
    code = cli.main(["verify", *map(str, argv)])
    return code, *capsys.readouterr()


def test_the_command_tells_what_was_read_and_exits_with_0(capsys, path):
    code, text, errors = run(capsys, path)
    assert (code, errors) == (0, "")
    assert re.fullmatch(
        rf"{re.escape(str(path))}: intact: 40 images, 120 instances, [\d,]+ bytes read, .* s\n",
        text,
    )


def test_the_command_names_what_is_wrong_in_one_line_and_exits_with_1(capsys, path):
    with h5py.File(path, "r+") as file:
        file["masks/bytes"][file["masks/indptr"][10]] ^= 1
    code, text, errors = run(capsys, path)
    assert (code, text) == (1, "")
    assert re.fullmatch(
        rf"compactmask: {re.escape(str(path))}: /masks/bytes: image 3, instance 10: crc .*\n",
        errors,
    )


@pytest.mark.parametrize("is_bad", [False, True])
def test_the_command_tells_it_as_json(capsys, path, is_bad):
    if is_bad:
        with h5py.File(path, "r+") as file:
            file["masks/bytes"][file["masks/indptr"][10]] ^= 1
    code, text, _ = run(capsys, path, "--json")
    told = json.loads(text)
    assert code == is_bad
    assert told["is_intact"] is not is_bad
    assert (told["path"], told["images"]) == (str(path), 3 if is_bad else 40)
    assert (told["image"], told["instance"]) == ((3, 10) if is_bad else (None, None))
    assert (told["error"] is None) is not is_bad
