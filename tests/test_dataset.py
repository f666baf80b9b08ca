"""The public face over a source: positions, errors, lifetimes."""

import re

import numpy as np
import pytest
from hdf5_samples import assert_same, full

import compactmask as cm
from compactmask.formats.dataset import SegmentationDataset
from compactmask.formats.source import Columns, Instance


@pytest.fixture
def ds(tmp_path):
    path = tmp_path / "some.h5"
    with cm.create(path, classes=["a", "b", "c"]) as out:
        for i in range(4):
            out.append(full(i, seed=i))
    return cm.open(path)


def test_it_is_a_sequence_of_images(ds):
    assert len(ds) == 4
    assert [len(detections) for detections in ds] == [0, 1, 2, 3]
    assert_same(ds[2], full(2, seed=2))
    assert_same(ds[-1], full(3, seed=3))
    assert_same(ds[np.int64(3)], full(3, seed=3))


def test_instances_are_counted_over_all_images(ds):
    crops = [ds.crop(k) for k in range(6)]
    assert np.array_equal(ds.crop(-1), crops[5])
    assert np.array_equal(ds.crop(np.uint8(4)), crops[4])
    for found, k in zip(ds.crops(np.array([5, 0, -2])), (5, 0, 4), strict=True):
        assert np.array_equal(found, crops[k])
    assert isinstance(ds.instance(-1), Instance)
    assert ds.instance(-1).image == 3
    assert [ds.detection_range(i) for i in (0, 1, -1)] == [(0, 0), (0, 1), (3, 6)]


@pytest.mark.parametrize("index", [4, -5, 10**30])
def test_an_image_that_is_not_there_is_an_index_error(ds, index):
    message = f"image {index} is out of range: there are 4"
    with pytest.raises(IndexError, match=re.escape(message)):
        ds[index]
    with pytest.raises(IndexError, match=re.escape(message)):
        ds.detection_range(index)


@pytest.mark.parametrize("index", [6, -7])
def test_an_instance_that_is_not_there_is_an_index_error(ds, index):
    message = re.escape(f"instance {index} is out of range: there are 6")
    for read in (ds.crop, ds.instance, lambda k: ds.crops([0, k])):
        with pytest.raises(IndexError, match=message):
            read(index)


@pytest.mark.parametrize("index", [1.0, "1", None])
def test_what_is_no_position_is_a_type_error(ds, index):
    with pytest.raises(TypeError, match="integer"):
        ds[index]
    with pytest.raises(TypeError, match="integer"):
        ds.crop(index)


def test_an_image_s_mask_is_ours(ds):
    assert type(ds[1].mask) is cm.CompactMask


def test_classes_cannot_be_changed_by_accident(ds):
    ds.classes.append("d")
    assert ds.classes == ["a", "b", "c"]


def test_it_closes_at_the_end_of_a_with_statement(ds):
    with ds as same:
        assert same is ds
    with pytest.raises(ValueError, match="the dataset is closed"):
        ds[0]


def test_its_repr_says_what_is_in_it(ds):
    assert repr(ds) == f"SegmentationDataset({ds.path!r}: 4 images, 6 instances, 3 classes)"
    ds.close()
    assert repr(ds) == f"SegmentationDataset({ds.path!r}: closed)"


def test_refresh_shows_what_was_added(ds):
    with cm.create(ds.path, "a") as out:
        out.append(full(5))
    assert len(ds) == 4
    ds.refresh()
    assert len(ds) == 5
    assert isinstance(ds, SegmentationDataset)


def test_columns_are_read_when_they_are_taken_and_read_only():
    taken = []

    def read():
        taken.append(1)
        return np.arange(3)

    columns = Columns({"a": read, "b": read})
    assert (list(columns), len(columns), repr(columns)) == (["a", "b"], 2, "Columns(a, b)")
    assert not taken
    with pytest.raises(ValueError, match="read-only"):
        columns["a"][0] = 7
    with pytest.raises(KeyError):
        columns["c"]
    assert taken == [1]
