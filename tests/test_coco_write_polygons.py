"""Masks that are written as polygons, which give them back."""

import os

import numpy as np
import pytest
from coco_writing import document, encoded, found, one, rle
from hdf5_samples import SHAPE, pixels
from hypothesis import given
from hypothesis import strategies as st

import compactmask as cm
from compactmask.errors import FormatError
from compactmask.formats import coco

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.json"


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 0.9, 0.99]))
def test_polygons_give_any_mask_back_under_cocos_rule(seed, density):
    from compactmask.formats.coco.outline import polygons

    rng = np.random.default_rng(seed)
    frames = rng.random((3, *rng.integers(1, 40, 2))) < density
    frames[:, 0, 0] |= ~frames.any(axis=(1, 2))
    traced = polygons(cm.CompactMask.from_dense(frames))
    assert not traced.lost.any()
    for parts, frame in zip(traced.parts, frames, strict=True):
        assert rle(parts, *frame.shape) == encoded(frame)


def test_crowds_and_masks_without_pixels_stay_rle_among_polygons(path):
    detections = found(3, iscrowd=np.array([0, 1, 0]))
    frames = pixels(3)
    frames[2] = False
    detections.mask = frames
    coco.write([detections], path, polygons=True)
    written = document(path)["annotations"]
    assert [type(own["segmentation"]) for own in written] == [list, dict, dict]


@pytest.fixture
def broken_outlines(monkeypatch):
    """Outlines that lose a corner, as no tracing is known to do."""
    from compactmask.formats.coco import outline

    flat = outline._flat
    monkeypatch.setattr(outline, "_flat", lambda outlines: flat(outlines)[2:])


def test_a_mask_that_polygons_do_not_give_back_is_refused(path, broken_outlines):
    with pytest.raises(FormatError, match=r"image 0: instance 0: \d+ pixels of its mask do not"):
        coco.write([one()], path, polygons=True)
    assert os.listdir(path.parent) == []


def test_a_mask_that_polygons_do_not_give_back_is_counted_where_that_is_allowed(
    path, broken_outlines
):
    with coco.create(path, polygons=True, allow_lossy=True) as out:
        out.append(one())
        loss = out.loss
    (own,) = document(path)["annotations"]
    lost = (
        np.asarray(pixels(1)[0])
        ^ cm.CompactMask.from_polygons([own["segmentation"]], SHAPE).to_dense()[0]
    )
    assert (loss.masks, loss.pixels) == (1, lost.sum())
    assert loss.pixels > 0
