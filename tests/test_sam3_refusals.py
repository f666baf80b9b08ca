"""What is not a response is refused in words: what it resembles, what is missing, where."""

import copy
import json
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import sam3_responses as made
from fresh import peak_growth

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError, InvalidMaskError, ShapeMismatchError
from compactmask.formats import sam3


def changed(response, *path, **change):
    """Copy a response and set, or without a value delete, what is at a path."""
    result = copy.deepcopy(response)
    target = result
    for key in path[:-1]:
        target = target[key]
    if "to" in change:
        target[path[-1]] = change["to"]
    else:
        del target[path[-1]]
    return result


CONCEPT = made.concept(made.polygon_predictions())
RLES = made.concept(made.rle_predictions())
FIRST = ("prompt_results", 0, "predictions", 0)
AT_FIRST = r"prompt_results\[0\].predictions\[0\]"


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({}, "the response has nothing, expected predictions of SAM 3"),
        ({"a": 1, "b": 2}, "the response has 'a', 'b', expected predictions"),
        (
            [{"confidence": 0.5, "rle": {"size": [4, 5]}}],
            r"a list of predictions: predictions\[0\]: ",
        ),
        ({"message": "Unauthorized"}, "an error of the server: 'Unauthorized'"),
        ({"detail": [{"loc": ["prompts"]}]}, "an error of the server: "),
        (17, "the response is 17, expected an object with 'prompt_results'"),
        (None, "the response is None, expected an object"),
        ([1, 2], "the response is a list of 1, expected predictions"),
        ([], "the response is an empty list, which does not tell of what"),
        (b" [ ]", "the response is an empty list"),
        ("images/a.jpg", "text that is not JSON: Expecting value at line 1, column 1: 'images/a"),
        ("", "text that is not JSON"),
        (b"\xff\xfe\xff", "bytes that are no text"),
        (b"PK\x03\x04....", "a zip file, as a request of format 'binary' gives it: ask for 'rle'"),
        ("9" * 5000, "is not JSON that can be read: "),
        ("[" * 100_000, "nested too deeply"),
        ({"images": [], "annotations": []}, "a COCO dataset: save it as .json, use compactmask"),
        ([{"image_id": 1, "segmentation": {}}], "a list of COCO results: save it as .json"),
        (
            changed(CONCEPT, "prompt_results", 0, "predictions"),
            r"a concept segmentation: prompt_results\[0\].predictions is missing, found 'prompt_i",
        ),
        (changed(CONCEPT, "prompt_results", to=5), "prompt_results' is 5, expected a list"),
        (
            changed(CONCEPT, *FIRST, "masks"),
            f"{AT_FIRST} has no mask: expected one of 'masks', 'rle",
        ),
        (changed(CONCEPT, *FIRST, to=[]), rf"{AT_FIRST} is \[\], expected an object with 'masks'"),
        (changed(RLES, *FIRST, "masks", "size"), "its mask has .'counts'., expected 'size' and 'c"),
        (
            changed(RLES, *FIRST, "masks", "size", to=[5]),
            r"size is \[5\], expected \[height, width",
        ),
        (changed(RLES, *FIRST, "masks", "size", to=None), "size is None, expected"),
        (
            changed(RLES, *FIRST, "masks", "size", to=[12, np.ma.masked]),
            rf"{AT_FIRST}: size is \[12, masked\], expected \[height, width",
        ),
        (changed(CONCEPT, *FIRST, "masks", to="PPT0"), f"{AT_FIRST}.masks is 'PPT0', expected pol"),
        (
            changed(CONCEPT, *FIRST, "masks", to=[[1, 1, 5, 1, 5, 5]]),
            rf"{AT_FIRST}: polygon 0 begins with 1, expected points \[x, y\]",
        ),
        (changed(CONCEPT, *FIRST, "masks", to=[7]), f"{AT_FIRST}: polygon 0 is 7, expected points"),
        (changed(CONCEPT, *FIRST, "confidence", to=None), "confidence is None, expected a number"),
        (changed(CONCEPT, *FIRST, "confidence", to=1e300), "confidence is 1e.300, expected a fin"),
        (
            changed(CONCEPT, *FIRST, "confidence", to=float("nan")),
            "confidence is nan, expected a f",
        ),
        (
            changed(CONCEPT, "prompt_results", 1, "prompt_index", to="a"),
            r"prompt_results\[1\].prompt_index is 'a', expected an integer",
        ),
        (
            changed(CONCEPT, "prompt_results", 1, "prompt_index", to=-1),
            r"segmentation: prompt_results\[1\].prompt_index is -1, expected 0 or more",
        ),
        (
            changed(made.workflow(), "predictions", 2, "class_id", to=-3),
            r"workflow: predictions\[2\].class_id is -3, expected 0 or more",
        ),
        (
            changed(CONCEPT, "prompt_results", 1, "prompt_index", to=1 << 63),
            "prompt_index is 9223372036854775808, expected an integer of 64 bits",
        ),
        (
            changed(CONCEPT, "prompt_results", 1, "echo", "text", to="a" * 2000),
            r"prompt_results\[1\].echo.text has 2,000 characters, at most 256 expected",
        ),
        ({"predictions": 5}, "workflow: predictions is 5, expected a list"),
        (
            {"image": {"width": 5, "height": 5}},
            "resembles a visual segmentation or the response of a workflow, but 'predictions' is m",
        ),
        (
            {"image": made.workflow()["image"], "predictions": [{"points": [{"x": 1}]}]},
            r"predictions\[0\].points\[0\].y is missing, found 'x'",
        ),
        (
            changed(made.state(), "masks"),
            "resembles a state of the image processor, but 'masks' is m",
        ),
        (changed(made.state(), "scores"), "a state of the image processor: scores is missing"),
        (
            changed(made.agent(), "pred_masks"),
            "resembles a result of the agent, but 'pred_masks' i",
        ),
        (
            changed(made.agent(), "orig_img_h"),
            "a result of the agent: orig_img_h is missing, found",
        ),
        (changed(made.agent(), "pred_scores"), "a result of the agent: pred_scores is missing"),
        (
            changed(made.postprocessed(dense=True), "masks"),
            "a post-processed image: masks is missi",
        ),
        (
            changed(made.postprocessed(dense=False), "labels"),
            "post-processed image: labels is miss",
        ),
        (
            changed(made.video_frame(), "out_probs"),
            "frame of the video predictor: out_probs is mis",
        ),
        (
            changed(made.video_frame(), "out_binary_masks"),
            "video predictor: out_binary_masks is mi",
        ),
        (
            changed(made.masklets(), 0, "segmentations"),
            r"resembles a list of masklets, but \[0\].segmentations is missing, found 'video_id', ",
        ),
        (made.polygon_predictions()[0], r"a prediction by itself, expected {'predictions': \["),
        (made.rle_predictions()[0], "the response is a prediction by itself"),
        ({"masks": made.RLES[0], "format": "rle"}, "the response is a prediction by itself"),
        ({"masks": made.POLYGONS[0]}, "the response is a prediction by itself"),
        (made.workflow()["predictions"][0], "the response is a prediction by itself"),
        (SimpleNamespace(masks=made.POLYGONS[0]), "the response is a prediction by itself"),
        (
            CONCEPT["prompt_results"],
            r"the prompts of a concept segmentation by themselves, expected {'prompt_results': \[",
        ),
        (
            made.postprocessed(dense=False) | {"masks_rle": None},
            "post-processed image: masks is missing, found 'scores', 'labels', 'boxes', 'masks_rle",
        ),
        (
            {"labels": [1], "boxes": []},
            "resembles a post-processed image, but 'scores' is missing, found 'labels', 'boxes'",
        ),
        (
            {"boxes": [], "scores": []},
            "resembles a state of the image processor, but 'masks' is missing, found 'boxes'",
        ),
        (
            {"predictions": {"a": {}}},
            r"response of a workflow, but 'predictions' is {'a': {}}",
        ),
        (
            {"prompt_results": [{"echo": {"text": "a\0"}, "predictions": []}]},
            r"prompt_results\[0\].echo.text is 'a.x00', whose last NUL a column of text would lose",
        ),
        (changed(made.masklets(), 1, "video_id"), r"a list of masklets: \[1\].video_id is missing"),
        (changed(made.masklets(), 1, "segmentations"), r"\[1\].segmentations is missing"),
    ],
)
def test_what_cannot_be_understood_says_what_is_missing(response, message):
    with pytest.raises(FormatError, match=message):
        sam3.parse(response, made.WH)


@pytest.mark.parametrize(
    ("response", "error", "message"),
    [
        (
            changed(RLES, *FIRST, "masks", "size", to=[5, 4]),
            ShapeMismatchError,
            rf"{AT_FIRST}: size is \(5, 4\), expected \(12, 16\)",
        ),
        (
            changed(RLES, *FIRST, "masks", "counts", to="1"),
            InvalidMaskError,
            f"{AT_FIRST}: runs cover 1 pixels, image .12, 16. has 192",
        ),
        (
            changed(
                CONCEPT, "prompt_results", 1, "predictions", 0, "masks", to=[[[1, 1]], [["a", 2]]]
            ),
            InvalidMaskError,
            r"prompt_results\[1\].predictions\[0\]: part 1 has dtype",
        ),
        (
            changed(CONCEPT, *FIRST, "masks", to=[[[1, 1, 1], [2, 2, 2]]]),
            InvalidMaskError,
            rf"{AT_FIRST}: part 0 has shape \(2, 3\)",
        ),
        (
            changed(CONCEPT, *FIRST, "masks", to=[[[1, float("nan")]]]),
            InvalidMaskError,
            rf"{AT_FIRST}: part 0: y of point 0 is nan",
        ),
    ],
)
def test_a_mask_that_is_not_valid_says_where(response, error, message):
    with pytest.raises(error, match=f"^a concept segmentation: {message}"):
        sam3.parse(response, made.WH)


def test_polygons_without_the_size_of_their_image_are_refused():
    with pytest.raises(FormatError, match=rf"{AT_FIRST} has polygons, .* give resolution_wh="):
        sam3.parse(CONCEPT)


@pytest.mark.parametrize("value", [5, (5,), (5, 4, 3), ("5", "4"), (5.0, 4.0)])
def test_a_resolution_is_two_integers(value):
    with pytest.raises(TypeError, match=r"resolution_wh is .*, expected two integers"):
        sam3.parse(CONCEPT, value)


@pytest.mark.parametrize("value", [(0, 4), (5, -1), (1 << 21, 5)])
def test_a_resolution_is_one_that_an_image_has(value):
    with pytest.raises(InvalidMaskError, match=r"image"):
        sam3.parse(CONCEPT, value)


@pytest.mark.parametrize("depth", [3, 500, 100_000])
@pytest.mark.parametrize("place", [(), (*FIRST, "masks"), (*FIRST, "confidence"), ("time",)])
def test_lists_may_be_nested_however_deep(depth, place):
    nested = 1
    for _ in range(depth):
        nested = [nested]
    response = changed(CONCEPT, *place, to=nested) if place else nested
    if place == ("time",):
        assert len(sam3.parse(response, made.WH)) == 4
    else:
        with pytest.raises(CompactMaskError):
            sam3.parse(response, made.WH)


def test_the_search_for_predictions_ends():
    few = {str(i): {str(j): {} for j in range(60)} for i in range(60)}
    found = sam3.parse({"outputs": few | {"found": CONCEPT}}, made.WH)
    assert found == sam3.parse(CONCEPT, made.WH)
    many = {str(i): {str(j): {} for j in range(1100)} for i in range(60)}
    with pytest.raises(
        FormatError, match=r"^the response holds more than 65,536 objects and lists"
    ):
        sam3.parse({"outputs": many | {"found": CONCEPT}}, made.WH)


def test_numbers_and_text_beside_predictions_are_not_searched():
    outputs = {str(i): i for i in range(10_000)} | {"found": CONCEPT}
    assert sam3.parse({"outputs": outputs}, made.WH) == sam3.parse(CONCEPT, made.WH)


ODD_POLYGONS = [[[1, float("nan")]]], [[["a", 1]]], [[[1, 2], [3]]], [[[1, 1, 1]]], [None]
ODD_COUNTS = [191], "o", "\xe9", [[192]], [1.5, 190.5], [1 << 40], None, [0, -1, 193]


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        *(([[[1, 1], [9, 9]]], parts) for parts in ODD_POLYGONS),
        *((made.RLES[0], made.RLES[0] | {"counts": counts}) for counts in ODD_COUNTS),
    ],
)
@pytest.mark.parametrize("place", [0, 5, 1_999])
def test_a_bad_prediction_among_many_is_named_by_the_first_attempt_to_pack_them(
    monkeypatch, good, bad, place
):
    attempts = []
    for name in ("from_polygons", "from_coco_rle"):
        pack = getattr(cm.CompactMask, name)

        def counted(masks, *arguments, pack=pack, **more):
            attempts.append(len(masks))
            return pack(masks, *arguments, **more)

        monkeypatch.setattr(cm.CompactMask, name, counted)
    predictions = [{"masks": good}] * 2_000
    predictions[place] = {"masks": bad}
    with pytest.raises(CompactMaskError, match=rf"workflow: predictions\[{place}\]: (?!mask)"):
        sam3.parse(made.visual(predictions), made.WH)
    assert attempts in ([2_000], [])


def test_memory_does_not_grow_with_the_image():
    """A stack of the frames would take 8 GB."""
    grown = peak_growth(
        """
from compactmask.formats import sam3
import sam3_responses as made
side = 20_000
def response(scale):
    masks = [[[scale * x, scale * y] for x, y in [(1, 1), (5, 1), (3, 5)]]]
    rle = {"size": [side, side], "counts": [side, scale, side * (side - 1) - scale]}
    return made.visual([{"masks": masks}, {"masks": rle}] * 10)
sam3.parse(response(3), (side, side))
""",
        "found = sam3.parse(response(3000), (side, side)); assert found.mask.area.min() >= 3000",
    )
    assert grown < 64 << 20


def test_a_long_list_in_a_message_is_cut():
    with pytest.raises(FormatError) as caught:
        sam3.parse(json.loads(json.dumps({"predictions": [list(range(100_000))]})))
    assert len(str(caught.value)) < 400


def test_an_integer_that_python_does_not_print_is_refused_by_its_type():
    with pytest.raises(FormatError, match=r"predictions\[0\].confidence is int, expected a finite"):
        sam3.parse(made.visual([{"masks": [[[1, 1]]], "confidence": 10**5000}]), made.WH)


def test_an_array_as_a_mask_is_refused():
    with pytest.raises(FormatError, match=r"predictions\[0\].masks is array.*, expected polygons"):
        sam3.parse(made.visual([{"masks": np.ones((3, 4), bool)}]))


class Failing:
    def model_dump(self):
        raise ValueError("no")


class Odd:
    def dict(self):
        return 5


class Lost:
    @property
    def masks(self):
        raise RuntimeError("the device is lost")


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (Failing(), r"<class '.*Failing'> that cannot be read: no"),
        (Odd(), r"<class '.*Odd'> that cannot be read: dict\(\) gives 5, expected a dict"),
        (Lost(), r"<class '.*Lost'> that cannot be read: the device is lost"),
        (
            MagicMock(),
            r"MagicMock'> that cannot be read: model_dump\(\) gives <MagicMock .*expected",
        ),
    ],
)
@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [one], lambda one: {"outputs": one}])
def test_an_object_that_cannot_be_read_is_refused(response, message, wrap):
    with pytest.raises(FormatError, match=message):
        sam3.parse(wrap(response), made.WH)


class Device:
    """A tensor of a device that is lost, which one of its methods tells."""

    def __init__(self, method, error):
        self._error = error
        setattr(self, method, self._fail)

    def _fail(self):
        raise self._error


class Buffer:
    def __array__(self, *arguments, **more):
        raise RuntimeError("the device is lost")


@pytest.mark.parametrize(
    "tensor",
    [
        *(
            Device(method, error("the device is lost"))
            for method in ("detach", "cpu", "numpy")
            for error in (ValueError, RuntimeError)
        ),
        Buffer(),
    ],
)
@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [one] * 4])
@pytest.mark.parametrize("key", ["scores", "masks"])
def test_a_tensor_that_cannot_be_read_is_refused(tensor, wrap, key):
    message = rf"image processor: {key} is <class '.*'> that cannot be read: the device is lost"
    with pytest.raises(FormatError, match=message):
        sam3.parse(made.state() | {key: wrap(tensor)})
