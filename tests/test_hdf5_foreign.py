"""Files that plain h5py wrote after HDF5.md: which of them are continued, and which refused."""

import os

import h5py
import pytest
from hdf5_places import assert_still_there, places, tree
from hdf5_samples import full
from hdf5_writing import assert_holds, in_pieces

import compactmask as cm
from compactmask.errors import FormatError

CONTINUED = {"fs_strategy": "none", "libver": ("v110", "v110")}
AGAIN = {
    "HDF5's default": {"libver": ("v110", "v110")},
    "free-space managers": {"libver": ("v110", "v110"), "fs_strategy": "fsm"},
    "pages": {"libver": ("v110", "v110"), "fs_strategy": "page"},
    "aggregation": {"libver": ("v110", "v110"), "fs_strategy": "aggregate"},
    "HDF5's oldest format": {},
}
FORMS = {
    "without shuffle": {"compression": "gzip"},
    "with shuffle": {"compression": "gzip", "shuffle": True},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "foreign.h5"


def image(i):
    detections = full(1 + i % 3, seed=i)
    detections.data = {key: detections.data[key] for key in ("objects", "key/points", "flags")}
    return detections


def images(start, stop):
    return {f"{i}.jpg": image(i) for i in range(start, stop)}


def append(path, wanted):
    with cm.create(path, "a", classes=["a", "b"], durability="process") as out:
        for name, detections in wanted.items():
            number = 100_000 + int(name[:-4])
            out.append(detections, file_name=name, image_id=number, columns={"n": number})


def assert_same_columns(path, wanted):
    """Images are those, and plain h5py sees the same ids as our reader."""
    assert_holds(path, wanted)
    numbers = [100_000 + int(name[:-4]) for name in wanted]
    with cm.open(path) as ds, h5py.File(path) as file:
        assert ds.classes == ["a", "b"]
        for found in (ds.images["id"], ds.images["n"], file["images/id"], file["images/columns/n"]):
            assert [*found] == numbers


def foreign(path, options, *, form="without shuffle", chunk=None, masks=None, pads=0):
    """Write images as plain h5py does it; masks have options of their own, or are contiguous."""
    ours = path.with_name("ours.h5")
    append(ours, images(0, 12))

    def copy(name, item):
        if isinstance(item, h5py.Group):
            target.require_group(name)
            return
        values = item[()]
        how = (masks or {}) if name == "masks/bytes" else FORMS[form]
        if values.size and how:
            rows = chunk or len(values)
            how = {**how, "chunks": (rows, *values.shape[1:])}
            how["maxshape"] = (None, *values.shape[1:])
        else:
            how = {}
        made = target.create_dataset(name, data=values, **how)
        for attribute, value in item.attrs.items():
            made.attrs.create(attribute, value)

    with h5py.File(ours) as source, h5py.File(path, "w", **options) as target:
        for i in range(pads):
            target.attrs[f"pad {i}"] = "x" * 200
        for name, value in source.attrs.items():
            target.attrs.create(name, value)
        source.visititems(copy)
    ours.unlink()
    assert_same_columns(path, images(0, 12))


def assert_is_continued(path):
    """Each of several writers adds rows; those that were there stay, and stay where they are."""
    known = {}
    for start, stop in ((12, 13), (13, 19), (19, 20)):
        known.update(places(path))
        append(path, images(start, stop))
        assert_still_there(path, known)
        assert_same_columns(path, images(0, stop))


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("form", FORMS)
def test_chunks_of_any_size_with_and_without_shuffle_are_continued(path, form, chunk):
    foreign(path, CONTINUED, form=form, chunk=chunk)
    assert tree(path)["images/id"].is_shuffled == (form == "with shuffle")
    assert_is_continued(path)


def test_a_full_dataset_without_shuffle_stays_as_it_is_and_grows(path):
    foreign(path, CONTINUED, chunk=4)
    before = tree(path)["images/id"]
    append(path, images(12, 14))
    after = tree(path)["images/id"]
    assert after.offsets[:3] == before.offsets
    assert (after.chunk_rows, after.is_shuffled) == (4, False)
    assert_same_columns(path, images(0, 14))


def test_chunks_of_another_size_than_ours_are_continued_by_checkpoints_in_between(
    path, monkeypatch
):
    foreign(path, CONTINUED, chunk=5)
    in_pieces(monkeypatch)
    assert_is_continued(path)


MASKS = {
    "contiguous": None,
    "in chunks": {"shuffle": False},
    "compressed": {"compression": "gzip"},
}


@pytest.mark.parametrize("kind", MASKS)
def test_mask_bytes_of_several_chunks_are_continued(path, monkeypatch, kind):
    foreign(path, CONTINUED, masks=MASKS[kind], chunk=64)
    extent = tree(path)["masks/bytes"]
    assert extent.shape[0] > 3 * 64
    assert len(extent.offsets) == (1 if kind == "contiguous" else -(-extent.shape[0] // 64))
    in_pieces(monkeypatch, 1 << 20)
    assert_is_continued(path)
    assert len(tree(path)["masks/bytes"].offsets) > 3


def test_a_continued_file_is_repacked(path):
    foreign(path, CONTINUED, chunk=5)
    append(path, images(12, 15))
    cm.repack(path, path.with_name("again.h5"))
    assert_same_columns(path.with_name("again.h5"), images(0, 15))


def assert_is_refused(path, message):
    """It is not continued, at once and without a change; it is read, repacked, and then is."""
    before = path.read_bytes()
    with pytest.raises(FormatError, match=rf"foreign\.h5: {message}: repack it to continue it"):
        cm.create(path, "a")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    again = path.with_name("again.h5")
    cm.repack(path, again)
    assert_same_columns(again, images(0, 12))
    assert_is_continued(again)


@pytest.mark.parametrize("strategy", AGAIN)
def test_a_file_whose_space_is_used_again_is_read_and_not_continued(path, strategy):
    foreign(path, AGAIN[strategy], chunk=7)
    message = (
        "made with a file space strategy of HDF5 that uses space again, under the eyes of readers"
    )
    assert_is_refused(path, message)


def test_a_file_of_the_oldest_format_has_a_superblock_of_version_0(path):
    foreign(path, AGAIN["HDF5's oldest format"])
    assert path.read_bytes()[8] == 0


def test_a_file_whose_uuid_is_not_in_its_first_page_is_not_continued(path):
    foreign(path, CONTINUED, chunk=7, pads=40)
    with h5py.File(path) as file:
        uuid = file.attrs["uuid"]
    assert path.read_bytes().find(uuid) > 4096
    assert_is_refused(path, "its uuid is not in its first page, as it is in files of this package")
