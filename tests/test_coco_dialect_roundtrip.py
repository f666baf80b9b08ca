"""Each dialect comes back from an HDF5 file as it went in."""

import pytest
from dialect_checks import same_datasets, same_masks
from dialect_documents import DIALECTS, MASKS

import compactmask as cm


def test_the_masks_of_every_dialect_are_known():
    assert DIALECTS.keys() == MASKS.keys()


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_read_with_the_masks_of_its_document(tmp_path, name):
    with cm.open(DIALECTS[name](tmp_path)) as ds:
        same_masks(ds, MASKS[name]())


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_comes_back_from_hdf5_equal_in_columns_and_masks(tmp_path, name):
    source = DIALECTS[name](tmp_path)
    report = cm.convert(source, tmp_path / "out.h5")
    with cm.open(source) as one, cm.open(tmp_path / "out.h5") as other:
        same_datasets(one, other)
        same_masks(other, MASKS[name]())
        assert (report.images, report.instances) == (len(other), len(other.detections["xyxy"]))
    assert (report.skipped, report.errors) == (0, [])


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_loses_nothing_when_bad_annotations_would_be_left_out(tmp_path, name):
    report = cm.convert(DIALECTS[name](tmp_path), tmp_path / "out.h5", on_error="collect")
    assert report.errors == []
    with cm.open(tmp_path / "out.h5") as ds:
        same_masks(ds, MASKS[name]())
