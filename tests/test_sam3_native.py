"""What the code of facebookresearch/sam3 gives: arrays, tensors, the agent, videos."""

import copy
import json
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import sam3_responses as made
import supervision as sv

import compactmask as cm
from compactmask.errors import FormatError, ShapeMismatchError
from compactmask.formats import sam3


class Tensor:
    """As much of a tensor as is looked at: it lies on a device, and needs its gradient."""

    def __init__(self, values, device="cuda", grad=True, dtype=None):
        self.values, self.device, self.grad, self.dtype = values, device, grad, dtype

    def _with(self, **changes):
        return Tensor(**(vars(self) | changes))

    def detach(self):
        return self._with(grad=False)

    def cpu(self):
        return self._with(device="cpu")

    def float(self):
        return self._with(dtype=None)

    def numpy(self):
        if self.device != "cpu":
            raise TypeError("can't convert cuda tensor to numpy")
        if self.grad:
            raise RuntimeError("can't call numpy() on a tensor that requires grad")
        if self.dtype == "bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values


def on_device(response):
    return {k: Tensor(v) if isinstance(v, np.ndarray) else v for k, v in response.items()}


def assert_frames(found, frames=made.FRAMES):
    assert type(found.mask) is cm.CompactMask
    assert np.array_equal(found.mask.to_dense(), frames)
    assert np.array_equal(found.xyxy, sv.mask_to_xyxy(frames))


@pytest.mark.parametrize("wrap", [dict, on_device], ids=["arrays", "tensors"])
def test_the_state_of_the_image_processor(wrap):
    found = sam3.parse(wrap(made.state()))
    assert_frames(found)
    assert found.confidence.tolist() == made.SCORES
    assert found.class_id.tolist() == [0, 0, 0, 0]
    assert found.data == {}


def test_scores_of_bfloat16_and_lists_of_tensors():
    state = made.state() | {
        "masks": [Tensor(frame) for frame in made.FRAMES],
        "scores": Tensor(np.array(made.SCORES), dtype="bfloat16"),
    }
    assert sam3.parse(state) == sam3.parse(made.state())


def test_a_state_without_masks_knows_its_image():
    state = made.state() | {"masks": np.empty((0, 1, *made.SHAPE), bool), "scores": np.empty(0)}
    assert sam3.parse(state).mask.shape == (0, *made.SHAPE)
    bare = {"masks": [], "scores": []}
    assert sam3.parse(bare).mask is None
    assert sam3.parse(bare, made.WH).mask.shape == (0, *made.SHAPE)


@pytest.mark.parametrize("wrap", [dict, on_device], ids=["arrays", "tensors"])
@pytest.mark.parametrize("dense", [True, False])
def test_a_post_processed_image_has_labels(dense, wrap):
    found = sam3.parse(wrap(made.postprocessed(dense=dense)))
    assert_frames(found)
    assert found.class_id.tolist() == made.PROMPTS
    assert found.confidence.tolist() == made.SCORES


def test_the_agents_counts_take_the_size_of_its_image():
    found = sam3.parse(json.dumps(made.agent()))
    long = [len(rle["counts"]) >= 5 for rle in made.RLES]
    assert long == [True, True, False, True]
    assert_frames(found, made.FRAMES[long])
    assert found.confidence.tolist() == [0.875, 0.75, 0.25]


def test_the_agents_empty_mask_stays_where_its_counts_are_long():
    shape = (1280, 720)
    counts = made.rle(np.zeros(shape, bool))["counts"]
    assert counts == "PPTl0"
    response = made.agent() | {"orig_img_h": 1280, "orig_img_w": 720}
    response |= {"pred_masks": [counts, counts.encode(), "PPT"], "pred_scores": [0.9, 0.5, 0.2]}
    found = sam3.parse(response)
    assert found.mask.area.tolist() == [0, 0]
    assert found.xyxy.tolist() == [[0, 0, 0, 0]] * 2


def test_the_agents_image_may_come_from_the_caller():
    response = made.agent()
    del response["orig_img_h"], response["orig_img_w"]
    assert sam3.parse(response, made.WH) == sam3.parse(made.agent())


@pytest.mark.parametrize("wrap", [dict, on_device], ids=["arrays", "tensors"])
def test_a_frame_of_the_video_predictor_has_objects(wrap):
    found = sam3.parse(wrap(made.video_frame()))
    assert_frames(found, made.FRAMES[[0, 1, 3]])
    assert found.tracker_id.tolist() == [4, 0, 7]
    assert found.tracker_id.dtype == np.int64
    assert found.confidence.tolist() == [0.875, 0.75, 0.25]
    assert sam3.parse({"frame_index": 0, "outputs": wrap(made.video_frame())}) == found


def tracked(**more):
    values = {
        "masks": made.FRAMES,
        "object_ids": np.array([5, 3, 0, 9], np.int64),
        "scores": np.array(made.SCORES, np.float32),
        "boxes": sv.mask_to_xyxy(made.FRAMES).astype(np.float32),
        "prompt_to_object_ids": {"cat": [3, 5], "a red dog": [0], "bird": [9]},
        "state_dict": {"session": object()},
    }
    return SimpleNamespace(**(values | more))


def test_a_frame_of_the_tracker_tells_the_prompt_of_each_object():
    found = sam3.parse(tracked())
    assert_frames(found)
    assert found.tracker_id.tolist() == [5, 3, 0, 9]
    assert found.class_id.tolist() == made.PROMPTS
    assert found.data["class_name"].tolist() == ["cat", "cat", "a red dog", "bird"]


def test_named_tuples_are_objects():
    values = vars(tracked())
    frame = namedtuple("Frame", values)(**values)
    assert sam3.parse(frame) == sam3.parse(tracked())
    assert sam3.parse({"frame_index": 0, "outputs": [frame]}) == sam3.parse(tracked())
    rle = namedtuple("Rle", ["size", "counts"])(**made.RLES[0])
    assert sam3.parse(made.visual([{"masks": rle}])).mask == sam3.parse(made.state()).mask[[0]]


def test_null_rles_beside_masks_are_none():
    response = made.postprocessed(dense=True)
    assert sam3.parse(response | {"masks_rle": None}) == sam3.parse(response)


def test_an_object_of_no_prompt_is_refused():
    with pytest.raises(FormatError, match=r"tracker: object_ids\[1\]: prompt_to.* no object 3"):
        sam3.parse(tracked(prompt_to_object_ids={"cat": [5, 0, 9]}))


def test_masks_may_be_numbers_that_are_0_and_1_or_integers():
    for masks in (made.FRAMES.astype(np.float32), made.FRAMES.astype(np.uint8) * 255):
        assert_frames(sam3.parse(made.state() | {"masks": masks}))
    with pytest.raises(FormatError, match="masks has dtype float64 and is not all 0 and 1: logits"):
        sam3.parse(made.state() | {"masks": made.state()["masks_logits"]})
    with pytest.raises(FormatError, match="masks has -3, expected integers of 0 or more: logits"):
        sam3.parse(made.state() | {"masks": np.where(made.FRAMES, 5, -3)})


def test_masks_of_another_image_are_refused():
    with pytest.raises(ShapeMismatchError, match=r"masks: shape is \(12, 16\), expected \(9, 16\)"):
        sam3.parse(made.state(), (16, 9))


@pytest.mark.parametrize(
    ("response", "key", "value", "message"),
    [
        (made.state(), "scores", [0.5], r"scores has shape \(1,\), expected \(4,\)"),
        (made.state(), "scores", [[0.5], []], "scores is nested unevenly"),
        (made.state(), "scores", ["a", "b", "c", "d"], "scores is .*, expected an array of num"),
        (made.state(), "scores", [0.5, np.nan, 1, 1], r"scores\[1\] is nan, expected a finite"),
        (
            made.state(),
            "masks",
            made.FRAMES[0],
            r"masks has shape \(12, 16\), expected \(n, H, W\)",
        ),
        (made.postprocessed(dense=True), "labels", [0.5] * 4, "labels has dtype float64, expected"),
        (made.video_frame(), "out_obj_ids", [1, 2], r"out_obj_ids has shape \(2,\), expected \(3,"),
        (
            made.video_frame(),
            "out_obj_ids",
            np.array([1, 2, 1 << 63], np.uint64),
            "out_obj_ids has 9223372036854775808, expected integers",
        ),
        (made.agent(), "pred_scores", [0.5], "4 pred_masks and 1 pred_scores"),
        (made.agent(), "orig_img_h", 13, "covers? .* image"),
    ],
)
def test_columns_that_do_not_fit_are_refused(response, key, value, message):
    with pytest.raises(cm.errors.CompactMaskError, match=message):
        sam3.parse(response | {key: value})


def test_masklets_give_every_mask_of_every_frame_where_an_object_is():
    found = sam3.parse(made.masklets())
    there = made.FRAMES[[0, 1, 3, 3]]
    assert_frames(found, there)
    assert found.tracker_id.tolist() == [0, 0, 2, 2]
    assert found.data["frame"].tolist() == [0, 2, 1, 2]
    assert found.data["video_id"].tolist() == [3, 3, 3, 3]
    assert found.data["category_id"].tolist() == [41, 41, 12, 12]
    assert found.class_id.tolist() == [2, 2, 0, 0]
    assert found.confidence.tolist() == [0.875, 0.875, 0.25, 0.25]


def test_the_ground_truth_of_masklets_has_ids_and_names_and_no_scores():
    annotations = copy.deepcopy(made.masklets())
    for i, one in enumerate(annotations):
        del one["score"]
        one |= {"id": 70 + i, "noun_phrase": f"thing {i}", "iscrowd": 0}
    annotations[0]["segmentations"][1] = None
    annotations[1]["segmentations"] = [None] * 3
    document = {"info": {}, "videos": [{"id": 3}], "annotations": annotations, "categories": []}
    found = sam3.parse(json.dumps(document))
    assert found.mask == sam3.parse(made.masklets()).mask
    assert found.class_id.tolist() == [2, 2, 0, 0]
    assert found.tracker_id.tolist() == [70, 70, 72, 72]
    assert found.data["class_name"].tolist() == ["thing 0", "thing 0", "thing 2", "thing 2"]
    assert found.confidence is None


def test_masklets_without_a_pixel_give_no_detections():
    absent = made.masklets()[1:2]
    assert sam3.parse(absent).mask.shape == (0, *made.SHAPE)
    assert sam3.parse({"videos": [], "annotations": []}).is_empty()


def test_masklets_of_two_sizes_are_refused():
    values = made.masklets()
    values[2]["segmentations"][1] = {"size": [5, 4], "counts": [20]}
    with pytest.raises(
        ShapeMismatchError, match=r"masklets: \[2\].segmentations\[1\]: size is \(5, 4\), expected"
    ):
        sam3.parse(values)
