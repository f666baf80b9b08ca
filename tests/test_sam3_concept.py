"""Concept and visual segmentations: polygons as supervision fills them, RLEs as pycocotools."""

import copy
import json
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import sam3_responses as made
import supervision as sv
from data import DATA, needs_data
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

import compactmask as cm
from compactmask.formats import sam3

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
FRAMES_OF_VIDEO = ["f000", "f030"]
REAL_WH = (720, 1280)


def real(name):
    return json.loads((DATA / "sam3-pcs" / f"{name}.json").read_text())


def assert_same(found, expected):
    """Compare with supervision's dense detections, columns of its own left aside."""
    assert type(found.mask) is cm.CompactMask
    assert np.array_equal(found.mask.to_dense(), expected.mask)
    for name in ("xyxy", "confidence", "class_id"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == other.dtype, name
        assert np.array_equal(one, other), name


def all_forms(response):
    """The response with each prediction as polygons, as "json", as RLE, and mixed."""
    frames = sv.Detections.from_sam3(response, resolution_wh=made.WH).mask
    forms = [copy.deepcopy(response) for _ in range(4)]
    for form in forms:
        form["places"] = [p for prompt in form["prompt_results"] for p in prompt["predictions"]]
    for i, frame in enumerate(frames):
        forms[1]["places"][i]["format"] = "json"
        forms[2]["places"][i].update(masks=made.rle(frame), format="rle")
        if i % 2:
            forms[3]["places"][i].update(masks=made.rle(frame), format="rle")
    for form in forms:
        del form["places"]
    return forms


@needs_data
@pytest.mark.parametrize("frame", FRAMES_OF_VIDEO)
def test_real_polygons_give_what_supervision_gives(frame):
    response = real(f"pcs_{frame}_polygon")
    found = sam3.parse(response, REAL_WH)
    assert len(found) > 10
    assert_same(found, sv.Detections.from_sam3(response, REAL_WH))


@needs_data
@pytest.mark.parametrize("frame", FRAMES_OF_VIDEO)
def test_real_rles_give_what_pycocotools_gives(frame):
    response = real(f"pcs_{frame}_rle")
    found = sam3.parse(response)
    predictions = [p for prompt in response["prompt_results"] for p in prompt["predictions"]]
    assert len(found) == len(predictions) > 10
    decoded = coco.decode([p["masks"] for p in predictions]).transpose(2, 0, 1)
    assert np.array_equal(found.mask.to_dense(), decoded)
    assert np.array_equal(found.xyxy, sv.mask_to_xyxy(decoded.astype(bool)))
    assert found.mask.to_coco_rle() == [p["masks"] for p in predictions]


@needs_data
@pytest.mark.parametrize("frame", FRAMES_OF_VIDEO)
def test_real_forms_tell_the_same_classes_and_scores(frame):
    polygons = sam3.parse(real(f"pcs_{frame}_polygon"), REAL_WH)
    rles = sam3.parse(real(f"pcs_{frame}_rle"), REAL_WH)
    for name in ("class_id", "confidence"):
        assert np.array_equal(getattr(polygons, name), getattr(rles, name))
    texts = [prompt["echo"]["text"] for prompt in real(f"pcs_{frame}_rle")["prompt_results"]]
    assert rles.data["class_name"].tolist() == [texts[i] for i in rles.class_id]
    union = polygons.mask | rles.mask
    assert ((polygons.mask & rles.mask).area / union.area).mean() > 0.99


@needs_data
def test_a_real_visual_segmentation_is_read():
    response = real("pvs_f000_rle")
    found = sam3.parse(response)
    assert found.mask.to_coco_rle() == [p["masks"] for p in response["predictions"]]
    assert found.class_id.tolist() == [0, 0, 0]
    assert found.data == {}


points = st.tuples(st.integers(-9, 25), st.integers(-9, 20)).map(list)
parts = st.lists(points, max_size=6)
predictions = st.fixed_dictionaries(
    {"masks": st.none() | st.lists(parts, max_size=3)},
    optional={"confidence": st.floats(0, 1), "format": st.sampled_from(["polygon", None, ""])},
)
responses = st.fixed_dictionaries(
    {
        "prompt_results": st.lists(
            st.fixed_dictionaries(
                {"predictions": st.lists(predictions, max_size=4)},
                optional={"prompt_index": st.integers(0, 9)},
            ),
            max_size=3,
        )
    }
)


@given(responses)
def test_any_polygons_give_what_supervision_gives(response):
    found = sam3.parse(response, made.WH)
    expected = sv.Detections.from_sam3(response, resolution_wh=made.WH)
    if len(expected):
        assert_same(found, expected)
    else:
        assert len(found) == 0
        assert found.is_empty()


@given(responses)
def test_any_visual_segmentation_gives_what_supervision_gives(response):
    for prompt in response["prompt_results"]:
        prompt.pop("prompt_index", None)
        found = sam3.parse(prompt, made.WH)
        expected = sv.Detections.from_sam3(prompt, resolution_wh=made.WH)
        assert len(found) == len(expected)
        if len(expected):
            assert_same(found, expected)


def test_each_form_of_a_response_gives_the_same_detections():
    response = made.concept(made.polygon_predictions())
    forms = all_forms(response)
    assert len({json.dumps(form) for form in forms}) == 4
    first = sam3.parse(forms[0], made.WH)
    assert_same(first, sv.Detections.from_sam3(response, made.WH))
    for form in forms[1:]:
        assert sam3.parse(form, made.WH) == first


def test_an_empty_mask_is_kept_and_a_missing_one_is_not():
    response = made.visual(
        [
            {"masks": [[]], "confidence": 0.9},
            {"masks": [], "confidence": 0.8},
            {"masks": None, "confidence": 0.7},
            {"masks": made.rle(np.zeros(made.SHAPE, bool)), "confidence": 0.6, "format": "rle"},
            {"masks": {}, "confidence": 0.5, "format": "rle"},
        ]
    )
    found = sam3.parse(response, made.WH)
    assert found.confidence.tolist() == pytest.approx([0.9, 0.6])
    assert found.xyxy.tolist() == [[0, 0, 0, 0]] * 2
    assert found.mask.area.tolist() == [0, 0]


@pytest.mark.parametrize("encode", [str.encode, str, bytearray])
def test_counts_are_text_bytes_or_run_lengths(encode):
    predictions = made.rle_predictions()
    for i, one in enumerate(predictions):
        if encode is bytearray:
            one["masks"] = made.runs(made.FRAMES[i])
        else:
            one["masks"] = one["masks"] | {"counts": encode(one["masks"]["counts"])}
    assert sam3.parse(made.visual(predictions)).mask == made.FRAMES


def test_a_prediction_is_read_by_what_it_holds_not_by_what_it_says():
    predictions = made.polygon_predictions()
    predictions[0]["format"] = "rle"
    predictions[1] = made.prediction(made.RLES[1], 0.75, "polygon")
    del predictions[2]["format"]
    assert sam3.parse(made.visual(predictions)).mask == made.FRAMES


def test_prompts_without_echo_or_index_count_up():
    response = made.concept(made.rle_predictions())
    for prompt in response["prompt_results"]:
        del prompt["echo"], prompt["prompt_index"]
    found = sam3.parse(response)
    assert found.class_id.tolist() == made.PROMPTS
    assert found.data == {}


def test_a_prompt_of_boxes_has_no_name():
    response = made.concept(made.rle_predictions(), ["cat", None, "bird"])
    assert sam3.parse(response).data["class_name"].tolist() == ["cat", "cat", "", "bird"]


def test_the_result_of_one_prompt_keeps_its_index_and_name():
    response = made.concept(made.rle_predictions())["prompt_results"][2]
    found = sam3.parse(response)
    assert found.class_id.tolist() == [2]
    assert found.data["class_name"].tolist() == ["bird"]


def test_nothing_found_gives_no_detections_and_the_size_of_the_image():
    response = {"prompt_results": [{"prompt_index": 0, "predictions": []}], "time": 0.1}
    assert sam3.parse(response).mask is None
    assert sam3.parse({"prompt_results": []}).is_empty()
    found = sam3.parse(response, made.WH)
    assert found.is_empty()
    assert found.mask.shape == (0, *made.SHAPE)
    assert sv.Detections.merge([found, sam3.parse(made.visual(made.rle_predictions()))]).mask == (
        made.FRAMES
    )


@dataclass
class Prediction:
    masks: object
    confidence: float
    format: str


class Slotted:
    __slots__ = ("echo", "predictions", "prompt_index")

    def __init__(self, **values):
        for name, value in values.items():
            setattr(self, name, value)


class Model:
    """What a model of pydantic 2 (`model_dump`) or 1 (`dict`) offers."""

    def __init__(self, values, method):
        setattr(self, method, lambda: values)


def test_objects_of_a_client_are_read_by_their_attributes():
    plain = made.concept(made.polygon_predictions())
    response = SimpleNamespace(
        time=1.0,
        prompt_results=[
            Slotted(
                prompt_index=prompt["prompt_index"],
                echo=SimpleNamespace(**prompt["echo"]),
                predictions=[Prediction(**one) for one in prompt["predictions"]],
            )
            for prompt in plain["prompt_results"]
        ],
    )
    assert sam3.parse(response, made.WH) == sam3.parse(plain, made.WH)


@pytest.mark.parametrize("method", ["model_dump", "dict"])
def test_models_are_dumped(method):
    plain = made.concept(made.rle_predictions())
    expected = sam3.parse(plain)
    assert sam3.parse(Model(plain, method)) == expected
    assert sam3.parse([Model(plain, method)]) == expected
    inner = plain | {"prompt_results": [Model(one, method) for one in plain["prompt_results"]]}
    assert sam3.parse(inner) == expected


@pytest.mark.parametrize("encode", [str, str.encode, lambda text: bytearray(text, "utf-16")])
def test_text_and_bytes_are_parsed(encode):
    plain = made.concept(made.rle_predictions())
    assert sam3.parse(encode(json.dumps(plain))) == sam3.parse(plain)


def test_a_response_is_not_changed():
    response = made.concept(made.rle_predictions())
    before = copy.deepcopy(response)
    sam3.parse(response)
    assert response == before


def test_detections_go_through_a_file(tmp_path):
    found = sam3.parse(made.concept(made.polygon_predictions()), made.WH)
    cm.save(found, tmp_path / "one.h5")
    assert cm.load(tmp_path / "one.h5") == found
