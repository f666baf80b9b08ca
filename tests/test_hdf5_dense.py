"""What models give is appended as it is: dense masks, and masks of supervision, pixel for pixel."""

import numpy as np
import pytest
import supervision as sv
from hdf5_samples import SHAPE, pixels
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco
from strategies import stacks

import compactmask as cm
from compactmask.errors import InvalidMaskError, ShapeMismatchError


def stored(detections, folder):
    """Append detections and read them back."""
    path = folder / "one.h5"
    with cm.create(path, "w") as out:
        out.append(detections)
    with cm.open(path) as ds:
        return ds[0]


def predicted(masks, seed=0):
    """Detections as a model gives them: boxes are predicted apart from masks, and cut them."""
    rng = np.random.default_rng(seed)
    boxes = sv.mask_to_xyxy(masks) + rng.uniform(-4, 4, (len(masks), 4))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 0.5)
    return sv.Detections(
        xyxy=boxes.astype(np.float32),
        mask=masks,
        confidence=np.full(len(masks), 0.5, np.float32),
        class_id=np.arange(len(masks)),
    )


def outside(detections):
    """Count the pixels that lie outside the boxes."""
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    x1, y1, x2, y2 = (side[:, None, None] for side in detections.xyxy.T)
    inside = (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
    return int((np.asarray(detections.mask) & ~inside).sum())


def test_no_pixel_outside_a_predicted_box_is_lost(tmp_path):
    detections = predicted(pixels(20))
    assert outside(detections) > 100
    found = stored(detections, tmp_path)
    assert type(found.mask) is cm.CompactMask
    assert np.array_equal(found.mask.to_dense(), detections.mask)
    assert np.array_equal(found.xyxy, detections.xyxy)
    assert outside(found) == outside(detections)


def test_a_mask_far_from_its_box_and_one_whose_box_is_nothing_are_kept(tmp_path):
    masks = pixels(3)
    boxes = np.array([[0, 0, 1, 1], [5, 5, 5, 5], [900, 900, 950, 950]], np.float32)
    found = stored(sv.Detections(xyxy=boxes, mask=masks), tmp_path)
    assert np.array_equal(found.mask.to_dense(), masks)
    assert np.array_equal(found.xyxy, boxes)


@given(stacks(), st.integers(0, 99))
def test_any_dense_masks_come_back(tmp_path_factory, frames, seed):
    detections = predicted(frames, seed)
    found = stored(detections, tmp_path_factory.getbasetemp())
    assert found.mask.shape == frames.shape
    assert np.array_equal(found.mask.to_dense(), frames)


@pytest.mark.parametrize(
    "arrange",
    [
        lambda masks: masks.astype(np.uint8) * 255,
        lambda masks: masks.astype(np.float32),
        lambda masks: np.asfortranarray(masks),
        lambda masks: np.repeat(masks, 2, axis=2)[:, :, ::2],
        lambda masks: masks[:, None].repeat(3, 1)[:, 1],
    ],
    ids=["uint8", "float32", "Fortran order", "every second column", "a view"],
)
def test_dense_masks_of_any_layout_come_back(tmp_path, arrange):
    masks = pixels(4)
    detections = predicted(masks)
    detections.mask = arrange(masks)
    assert np.array_equal(stored(detections, tmp_path).mask.to_dense(), masks)


def test_the_array_that_was_appended_may_change_afterwards(tmp_path):
    masks = pixels(3)
    with cm.create(tmp_path / "one.h5", commit_every=5) as out:
        given_away = masks.copy()
        out.append(predicted(given_away))
        given_away[:] = True
    with cm.open(tmp_path / "one.h5") as ds:
        assert np.array_equal(ds[0].mask.to_dense(), masks)


def test_masks_of_supervision_come_back_with_their_crops(tmp_path):
    masks = pixels(6)
    detections = predicted(masks)
    cut = sv.CompactMask.from_dense(masks, detections.xyxy, SHAPE)
    assert not np.array_equal(cut.to_dense(), masks)
    whole = sv.CompactMask.from_dense(masks, np.array([[0, 0, 79, 59]] * 6), SHAPE)
    for mask in (cut, whole):
        detections.mask = mask
        found = stored(detections, tmp_path)
        assert type(found.mask) is cm.CompactMask
        assert np.array_equal(found.mask.to_dense(), mask.to_dense())
        assert np.array_equal(found.mask.bbox_xyxy, mask.bbox_xyxy)
    assert np.array_equal(found.mask.to_dense(), masks)


def inference_result(masks, key):
    """A response of Roboflow Inference whose boxes cut the masks."""
    predictions = []
    for i, (mask, box) in enumerate(zip(masks, predicted(masks).xyxy.tolist(), strict=True)):
        x1, y1, x2, y2 = box
        one = {"x": (x1 + x2) / 2, "y": (y1 + y2) / 2, "width": x2 - x1, "height": y2 - y1}
        one |= {"confidence": 0.5, "class_id": i, "class": f"class {i}"}
        if key == "rle":
            rle = coco.encode(np.asfortranarray(mask, np.uint8))
            one["rle"] = {"size": list(SHAPE), "counts": rle["counts"].decode()}
        else:
            y, x = np.argwhere(mask).max(axis=0).tolist()
            one["points"] = [{"x": a, "y": b} for a, b in ((2, 3), (x, y), (70, 4), (40, 50))]
        predictions.append(one)
    return {"image": {"width": SHAPE[1], "height": SHAPE[0]}, "predictions": predictions}


@pytest.mark.parametrize("key", ["rle", "points"])
def test_detections_of_inference_come_back(tmp_path, key):
    detections = sv.Detections.from_inference(inference_result(pixels(5), key))
    assert detections.mask.dtype == bool
    assert outside(detections) > 10
    found = stored(detections, tmp_path)
    assert np.array_equal(found.mask.to_dense(), detections.mask)
    assert found.data["class_name"].tolist() == [f"class {i}" for i in range(5)]


def test_an_image_of_dense_masks_without_any_keeps_its_shape(tmp_path):
    detections = sv.Detections(xyxy=np.empty((0, 4)), mask=np.empty((0, *SHAPE), bool))
    assert stored(detections, tmp_path).mask.shape == (0, *SHAPE)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (pixels(2), ShapeMismatchError, "image 1: 2 masks for 3 boxes"),
        (pixels(3)[:, 0], ShapeMismatchError, r"image 1: masks have shape \(3, 80\), expected"),
        (pixels(3).astype(str), InvalidMaskError, "image 1: masks have dtype <U5, expected bool"),
    ],
)
def test_dense_masks_that_do_not_fit_are_refused_and_harm_nothing(tmp_path, mask, error, message):
    detections = predicted(pixels(3))
    with cm.create(tmp_path / "one.h5") as out:
        out.append(detections)
        wrong = predicted(pixels(3))
        wrong.mask = mask
        with pytest.raises(error, match=message):
            out.append(wrong)
    with cm.open(tmp_path / "one.h5") as ds:
        assert len(ds) == 1
        assert np.array_equal(ds[0].mask.to_dense(), detections.mask)
