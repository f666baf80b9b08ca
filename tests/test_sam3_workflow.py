"""Predictions out of a workflow, also inside what its HTTP API answers."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import sam3_responses as made
import supervision as sv
from data import DATA, needs_data

from compactmask.errors import FormatError, ShapeMismatchError
from compactmask.formats import sam3

IMAGE = {"type": "base64", "value": "/9j/", "video_metadata": None}


def assert_scene(found):
    assert np.array_equal(found.mask.to_dense(), made.FRAMES)
    assert np.array_equal(found.xyxy, sv.mask_to_xyxy(made.FRAMES))
    assert found.class_id.tolist() == made.PROMPTS
    assert found.data["class_name"].tolist() == [made.TEXTS[i] for i in made.PROMPTS]
    assert found.confidence.tolist() == made.SCORES


@needs_data
@pytest.mark.parametrize("frame", ["f000", "f030"])
def test_a_real_workflow_gives_what_the_endpoint_gives(frame):
    folder = DATA / "sam3-pcs"
    found = sam3.parse((folder / f"workflow_{frame}_rle_mask.json").read_bytes())
    assert found == sam3.parse((folder / f"pcs_{frame}_rle.json").read_bytes())


@pytest.mark.parametrize(
    ("key", "more"), [("rle_mask", {}), ("rle", {"mask_format": "rle", "points": []})]
)
def test_both_keys_of_an_rle_are_read(key, more):
    assert_scene(sam3.parse(made.workflow(key, **more)))


def test_an_rle_is_found_beside_a_null_one():
    assert_scene(sam3.parse(made.workflow("rle", rle_mask=None)))


def test_blanks_around_class_names_go():
    assert_scene(sam3.parse(made.workflow(blank=" ")))


def test_points_are_one_polygon_each():
    response = made.workflow("unused")
    parts = [made.POLYGONS[0][0], made.POLYGONS[1][0], made.POLYGONS[3][0]]
    for prediction, part in zip(response["predictions"], parts, strict=False):
        prediction["points"] = [{"x": x + 0.0, "y": y + 0.0} for x, y in part]
    del response["predictions"][3]
    found = sam3.parse(response)
    assert np.array_equal(found.mask.to_dense(), made.expected([[part] for part in parts]))


def test_points_are_rounded_as_supervision_does():
    points = [(1.6, 1.6), (7.5, 1.4), (8.5, 6.6), (1.5, 6.6)]
    prediction = {"points": [{"x": x, "y": y} for x, y in points], "class": "cat", "class_id": 0}
    prediction |= {"x": 5, "y": 4, "width": 7, "height": 5, "confidence": 0.5}
    response = {"image": {"width": 16, "height": 12}, "predictions": [prediction]}
    expected = sv.Detections.from_inference(response).mask
    assert np.array_equal(sam3.parse(response).mask.to_dense(), expected)


def test_points_of_other_outputs_are_not_searched():
    zone = [[i, i] for i in range(100_000)]
    assert_scene(sam3.parse({"outputs": [{"zone": [zone], "found": made.workflow()}]}))


def test_points_take_the_size_of_the_image_from_the_caller_where_the_response_has_none():
    prediction = {"points": [{"x": x, "y": y} for x, y in made.POLYGONS[1][0]], "class": "cat"}
    response = {"image": {"width": None, "height": None}, "predictions": [prediction]}
    assert np.array_equal(sam3.parse(response, made.WH).mask.to_dense(), made.FRAMES[[1]])


def test_tracker_ids_are_kept():
    response = made.workflow()
    for i, prediction in enumerate(response["predictions"][:3]):
        prediction["tracker_id"] = 10 - i
    assert sam3.parse(response).tracker_id.tolist() == [10, 9, 8, -1]
    assert sam3.parse(made.workflow()).tracker_id is None


def test_the_field_of_a_model_stands_for_its_alias():
    response = made.workflow()
    for prediction in response["predictions"]:
        prediction["class_name"] = prediction.pop("class")
    assert_scene(sam3.parse(response))


def test_a_null_class_does_not_hide_the_name():
    response = made.workflow()
    for prediction in response["predictions"]:
        prediction["class_name"], prediction["class"] = prediction["class"], None
    assert_scene(sam3.parse(response))


def test_text_may_begin_with_a_byte_order_mark():
    text = "\ufeff" + json.dumps(made.workflow())
    assert_scene(sam3.parse(text))
    assert_scene(sam3.parse(text.encode()))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one: [one],
        lambda one: [{"predictions": one}],
        lambda one: {"outputs": [{"predictions": one, "image": IMAGE}], "profiler_trace": []},
        lambda one: {"outputs": [{"masks": one, "labels": ["a", "b"], "count": 4}]},
        lambda one: [{"sam": [one]}],
        lambda one: {"outputs": [{"predictions": [one]}]},
        lambda one: {"frame_index": 3, "outputs": one},
    ],
    ids=["list", "client", "http", "other names", "batch", "batch of predictions", "stream"],
)
def test_predictions_are_found_in_the_outputs(wrap):
    assert_scene(sam3.parse(json.dumps(wrap(made.workflow()))))


def test_the_list_of_predictions_itself_is_read():
    bare = [{"masks": parts} for parts in made.POLYGONS]
    assert sam3.parse(bare, made.WH) == sam3.parse(made.visual(bare), made.WH)
    assert_scene(sam3.parse(made.workflow()["predictions"]))
    listed = made.polygon_predictions()
    assert sam3.parse(listed, made.WH) == sam3.parse(made.visual(listed), made.WH)


def test_objects_inside_the_outputs_are_read():
    response = SimpleNamespace(**made.workflow())
    assert_scene(sam3.parse([{"predictions": response, "image": object()}]))


@pytest.mark.parametrize(
    ("response", "names"),
    [
        ([made.workflow(), made.workflow()], "'[0]', '[1]'"),
        ({"outputs": [{"a": made.workflow(), "b": made.workflow()}]}, "['a']\", "),
        ({"outputs": [{"a": made.workflow()}, {"a": made.workflow()}]}, "[1]['a']\""),
        ([made.workflow(), None, made.workflow()], "'[0]', '[2]'"),
        ([made.workflow(), {"message": "no"}, made.workflow()], "'[0]', '[2]'"),
        ({"outputs": [{"a": made.workflow()}, {"a": None}, {"a": made.workflow()}]}, "[2]['a']\""),
    ],
)
def test_several_results_are_refused(response, names):
    with pytest.raises(FormatError, match=f"holds several results, .*{re.escape(names)}.*one by"):
        sam3.parse(response)


def test_a_prediction_without_a_mask_is_refused():
    with pytest.raises(FormatError, match=r"workflow: predictions\[0\] has no mask: .*'rle_mask'"):
        sam3.parse(made.workflow("keypoints"))


def test_another_image_than_the_callers_is_refused():
    with pytest.raises(ShapeMismatchError, match=r"image is \(12, 16\), expected \(16, 12\)"):
        sam3.parse(made.workflow(), (12, 16))


def test_an_error_inside_the_outputs_says_where():
    response = made.workflow()
    response["predictions"][1]["confidence"] = "high"
    with pytest.raises(
        FormatError,
        match=r"workflow at \['outputs'\]\[0\]\['p'\]: predictions\[1\].confidence is 'high'",
    ):
        sam3.parse({"outputs": [{"p": response}]})
