"""Whatever stands in a response, parsing it gives detections or an error of this package."""

import copy
import json
import time

import numpy as np
import sam3_responses as made
from hypothesis import given, settings
from hypothesis import strategies as st

import compactmask as cm
from compactmask.errors import CompactMaskError
from compactmask.formats import sam3

RESPONSES = [
    made.concept(made.polygon_predictions()),
    made.concept(made.rle_predictions()),
    made.visual(made.polygon_predictions()[:2] + made.rle_predictions()[2:]),
    made.workflow(tracker_id=4),
    {"outputs": [{"predictions": made.workflow("rle"), "image": {"type": "base64"}}]},
    {"image": {"width": 16, "height": 12}, "predictions": [{"points": [{"x": 1, "y": 2.0}] * 4}]},
    made.state(),
    made.agent(),
    made.postprocessed(dense=True),
    made.postprocessed(dense=False),
    made.video_frame(),
    {
        "masks": made.FRAMES,
        "object_ids": [0, 1, 2, 3],
        "scores": made.SCORES,
        "prompt_to_object_ids": {"cat": [0, 1], "dog": [2, 3]},
    },
    made.masklets(),
    {"videos": [], "annotations": made.masklets()},
]
HOSTILE = [
    -1,
    1 << 20,
    1 << 31,
    1 << 63,
    10**400,
    1e300,
    float("nan"),
    float("inf"),
    "\ud800",
    "PPTl0",
    b"\xff",
    [1 << 20, 1 << 20],
    [1 << 20, 1],
    {"size": [1 << 20, 1 << 20], "counts": [1 << 40]},
    {"size": [1 << 20, 1 << 20], "counts": [0, 1 << 40]},
    {"size": [12, 16], "counts": [0, 1] * 96},
    [[[-(1 << 40), 0], [1 << 40, 5], [0, 1 << 22]]],
    [[[-(1 << 22), -(1 << 22)], [1 << 22, 5], [0, 1 << 22]]],
    [[[0.5, 0.5]] * 50] * 50,
    np.zeros((4, 12, 16)),
    np.ones((4, 1, 1, 12, 16), bool),
    np.full(4, np.nan, np.float16),
    np.array(["a", "b", "c", "d"]),
    np.array([1, None, 2, 3]),
    np.array(3),
    np.float32(2),
    np.int8(2),
    object(),
    range(4),
    {1: 2, None: 3},
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.sampled_from(HOSTILE),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=3)
            | st.sampled_from(["masks", "predictions", "size", "counts", "segmentations"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def places(value, path=()):
    """Give the path of each value in a response."""
    yield path
    if isinstance(value, dict):
        items = value.items()
    else:
        items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


PLACES = [sorted(places(response), key=len)[1:] for response in RESPONSES]


@st.composite
def broken(draw):
    """Change or delete up to three values of a response; lower ones less often than their many."""
    number = draw(st.sampled_from(range(len(RESPONSES))))
    response = copy.deepcopy(RESPONSES[number])
    depths = [len(path) for path in PLACES[number]]
    for _ in range(draw(st.integers(1, 3))):
        depth = draw(st.integers(1, max(depths)))
        path = draw(st.sampled_from([p for p in PLACES[number] if len(p) == depth]))
        target = response
        try:
            for key in path[:-1]:
                target = target[key]
            if draw(st.integers(0, 3)):
                target[path[-1]] = draw(values)
            else:
                del target[path[-1]]
        except (IndexError, KeyError, TypeError, ValueError, AttributeError):
            pass  # an earlier change took the place away
    return response


def check(response, resolution_wh):
    """Parse, and tell whether it was refused."""
    started = time.perf_counter()
    try:
        found = sam3.parse(response, resolution_wh)
    except CompactMaskError as error:
        found, message = None, str(error)
    assert time.perf_counter() - started < 5
    if found is None:
        assert len(message) < 2000
        return True
    n = len(found.xyxy)
    assert found.xyxy.shape == (n, 4)
    assert np.isfinite(found.xyxy).all()
    assert found.class_id.shape == (n,)
    for column in (found.confidence, found.tracker_id, *found.data.values()):
        assert column is None or column.shape == (n,)
    if n:
        assert type(found.mask) is cm.CompactMask
        assert len(found.mask) == n
        assert np.array_equal(found.xyxy, found.mask.bbox_xyxy)
    return False


@settings(max_examples=400)
@given(broken(), st.sampled_from([None, made.WH, (1 << 20, 1 << 20)]))
def test_a_broken_response_is_parsed_or_refused_in_words(response, resolution_wh):
    check(response, resolution_wh)


@settings(max_examples=200)
@given(values, st.sampled_from([None, made.WH]))
def test_anything_is_parsed_or_refused_in_words(response, resolution_wh):
    check(response, resolution_wh)


@settings(max_examples=200)
@given(st.data())
def test_broken_text_is_parsed_or_refused_in_words(data):
    text = json.dumps(data.draw(st.sampled_from(RESPONSES[:6]))).encode()
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    text = text[:at] + data.draw(st.binary(max_size=3)) + text[at + cut :]
    check(text, made.WH)


def test_the_responses_that_are_broken_here_are_good():
    for response in RESPONSES:
        assert not check(response, made.WH)
        assert len(sam3.parse(response, made.WH)) > 0
