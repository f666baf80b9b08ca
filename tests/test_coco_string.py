"""COCO counts strings: pycocotools' bytes both ways, and every malformed one refused."""

import json
from itertools import pairwise

import numpy as np
import pytest
import reference
from blocks import boxes_of, frames_of, pack
from data import DATA, needs_data
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco
from strategies import KINDS, stacks, stacks_and_boxes

from compactmask import _check
from compactmask._kernels import coco_string
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed


def by_pycocotools(frames):
    """Encode frames one by one."""
    return [coco.encode(np.asfortranarray(frame))["counts"] for frame in frames.view(np.uint8)]


@settings(max_examples=200)
@given(stacks(min_n=1))
def test_written_strings_are_pycocotools_bytes(frames):
    found = coco_string.strings(pack(frames))
    assert [text.encode() for text in found] == by_pycocotools(frames)
    assert found == [reference.coco_string(reference.counts_of(frame)) for frame in frames]


@settings(max_examples=200)
@given(stacks(min_n=1))
def test_pycocotools_strings_are_packed_tightly(frames):
    counts = by_pycocotools(frames)
    for given_counts in (counts, [text.decode() for text in counts]):
        assert coco_string.pack(frames.shape[1:], given_counts) == bytes(pack(frames))


@given(stacks(min_n=1))
def test_run_lengths_of_the_frame_go_in_and_come_out(frames):
    counts = [reference.counts_of(frame) for frame in frames]
    block = Packed(coco_string.pack(frames.shape[1:], counts))
    assert block == pack(frames)
    found = coco_string.counts(block)
    assert [run.tolist() for run in found] == counts
    assert {run.dtype for run in found} == {np.dtype(np.int64)}


@given(stacks_and_boxes(min_n=1))
def test_boxes_cut_crops_as_they_cut_them_from_frames(case):
    frames, boxes = case
    shape = frames.shape[1:]
    crops = _check.boxes(boxes, len(frames), shape)
    texts = [reference.coco_string(reference.counts_of(frame)) for frame in frames]
    assert coco_string.pack(shape, texts, crops) == bytes(pack(frames, crops))


@pytest.mark.parametrize("kind", KINDS)
def test_large_frames_of_every_kind_have_pycocotools_strings(kind):
    frames = kind(np.random.default_rng(6), 600, 900)[None]
    (counts,) = by_pycocotools(frames)
    assert coco_string.strings(pack(frames)) == [counts.decode()]
    assert coco_string.pack((600, 900), [counts]) == bytes(pack(frames))


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12))
def test_runs_of_any_length_survive_a_string(counts):
    counts = [*counts, 70 - sum(counts) % 70]
    shape = (sum(counts) // 70, 70)
    block = Packed(coco_string.pack(shape, [reference.coco_string(counts)]))
    assert np.array_equal(frames_of(block)[0], reference.from_counts(counts, *shape))
    (text,) = coco_string.strings(block)
    assert reference.coco_counts(text) == reference.counts_of(frames_of(block)[0])


def test_a_number_may_be_padded_to_twelve_digits():
    padded = "T" + "P" * 10 + "0"  # 4 in twelve digits
    assert len(padded) == 12
    assert coco_string.pack((2, 2), [padded]) == coco_string.pack((2, 2), ["4"])


@needs_data
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_every_real_results_mask_is_rewritten_byte_for_byte():
    path = DATA / "coco-val2014-100" / "instances_val2014_fakesegm100_results.json"
    rles = [item["segmentation"] for item in json.loads(path.read_text())]
    assert len(rles) == 734
    for rle in rles:
        block = Packed(coco_string.pack(rle["size"], [rle["counts"]]))
        assert coco_string.strings(block) == [rle["counts"]]
        assert np.array_equal(frames_of(block)[0], coco.decode(rle))


@needs_data
def test_every_real_video_mask_is_rewritten_byte_for_byte():
    video = json.loads((DATA / "sav-example" / "sav_000001_auto.json").read_text())
    n = 0
    for rles in video["masklet"]:
        counts = [rle["counts"] for rle in rles]
        block = Packed(coco_string.pack((848, 480), counts))
        assert coco_string.strings(block) == counts
        assert block.area.tolist() == coco.area(rles).tolist()
        n += len(counts)
    assert n == 1089


@pytest.mark.parametrize("side", [30_000, 1 << 20])
def test_small_masks_in_the_largest_images_are_small_crops(side):
    pixels = side * side
    x, y = side - 7, side - 5
    counts = [x * side + y, 3, side - 3, 3]
    text = reference.coco_string([*counts, pixels - sum(counts)])
    block = Packed(coco_string.pack((side, side), [text, reference.coco_string([pixels])]))
    assert boxes_of(block) == [[x, y, 3, 2], [0, 0, 1, 1]]
    assert block.area.tolist() == [6, 0]
    assert coco_string.strings(block)[0] == text
    assert len(block) < 100


# 4 pixels: "4" is all False, "04" all True
REFUSED = [
    ("", "mask 0: runs cover 0 pixels, image (2, 2) has 4"),
    ("3", "mask 0: runs cover 3 pixels, image (2, 2) has 4"),
    ("13", "mask 0: runs cover 4 pixels, image (2, 3) has 6"),
    ("41", "mask 0: runs cover 5 pixels, image (2, 2) has 4"),
    ("5", "mask 0: run 0 has length 5, expected 0 to 4"),
    ("0O5", "mask 0: run 1 has length -1, expected 0 to 4"),
    ("1111N", "mask 0: run 4 has length -1, expected 0 to 4"),
    ("P", "mask 0: the counts string ends at character 1 inside a number"),
    ("1T", "mask 0: the counts string ends at character 2 inside a number"),
    ("4 ", "mask 0: character 1 of the counts string has code 32, expected 48 to 111"),
    ("4/", "mask 0: character 1 of the counts string has code 47, expected 48 to 111"),
    ("4p", "mask 0: character 1 of the counts string has code 112, expected 48 to 111"),
    ("4\0", "mask 0: character 1 of the counts string has code 0, expected 48 to 111"),
    ("Pq", "mask 0: character 1 of the counts string has code 113, expected 48 to 111"),
    (b"4\xff", "mask 0: character 1 of the counts string has code 255, expected 48 to 111"),
    ("4ä", "mask 0: the counts string is not ASCII"),
    ("4\ud800", "mask 0: the counts string is not ASCII"),
    ("P" * 12 + "0", "mask 0: character 12 of the counts string is digit 13 of a number, expected"),
    ("o" * 99, "mask 0: character 12 of the counts string is digit 13 of a number, expected"),
    ([4, 1, -1], "mask 0: run 2 has length -1, expected 0 to 4"),
    ([5], "mask 0: run 0 has length 5, expected 0 to 4"),
    ([1, 2], "mask 0: runs cover 3 pixels, image (2, 2) has 4"),
    ([], "mask 0: runs cover 0 pixels, image (2, 2) has 4"),
    ([4.0], "mask 0: run lengths of shape (1,) and dtype float64, expected one dimension of int"),
    (None, "mask 0: run lengths of shape () and dtype object, expected one dimension of integers"),
]


@pytest.mark.parametrize(("counts", "message"), REFUSED)
def test_malformed_counts_are_refused_with_where_and_what(counts, message):
    shape = (2, 3) if "(2, 3)" in message else (2, 2)
    with pytest.raises(InvalidMaskError) as caught:
        coco_string.pack(shape, [counts])
    assert str(caught.value).startswith(message)


def test_the_message_names_the_mask():
    with pytest.raises(InvalidMaskError, match=r"^mask 2: runs cover 3 pixels, image \(2, 2\)"):
        coco_string.pack((2, 2), ["4", [0, 4], "3"])


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (-1, 4), (1 << 21, 1)])
def test_an_image_without_pixels_or_too_large_is_refused(shape):
    with pytest.raises(InvalidMaskError, match="sides of 1 to 1048576 expected"):
        coco_string.pack(shape, ["4"])


@pytest.mark.parametrize(
    "boxes", [None, np.array([[0, 0, 99_999, 99_999]], np.int32)], ids=["tight", "box"]
)
def test_a_crop_of_too_many_pixels_is_refused(boxes):
    with pytest.raises(
        InvalidMaskError, match="mask 0: its crop has 10000000000 pixels, expected at most 42949672"
    ):
        coco_string.pack((100_000, 100_000), [[0, 10**10]], boxes)


@settings(max_examples=200)
@given(st.text(alphabet=[chr(i) for i in range(46, 114)], max_size=12), st.integers(1, 40))
def test_any_text_is_refused_or_has_the_runs_that_it_says(text, w):
    try:
        block = Packed(coco_string.pack((10, w), [text]))
    except InvalidMaskError:
        return
    counts = reference.coco_counts(text)
    assert min(counts) >= 0
    assert sum(counts) == 10 * w
    assert np.array_equal(frames_of(block)[0], reference.from_counts(counts, 10, w))


@given(stacks(min_n=1), st.data())
def test_a_cut_or_changed_string_is_refused_or_has_the_runs_that_it_says(frames, data):
    h, w = frames.shape[1:]
    text = list(reference.coco_string(reference.counts_of(frames[0])))
    at = data.draw(st.integers(0, len(text) - 1))
    if data.draw(st.booleans()):
        del text[at:]
    else:
        text[at] = chr(data.draw(st.integers(48, 111)))
    try:
        block = Packed(coco_string.pack((h, w), ["".join(text)]))
    except InvalidMaskError:
        return
    counts = reference.coco_counts(text)
    assert np.array_equal(frames_of(block)[0], reference.from_counts(counts, h, w))


@settings(max_examples=200)
@given(stacks(min_n=1))
def test_strings_alone_are_parsed_to_their_runs_and_written_back(frames):
    texts = by_pycocotools(frames)
    counts, indptr = coco_string.parse(texts, frames.shape[1:])
    expected = [reference.counts_of(frame) for frame in frames]
    found = [counts[a:b].tolist() for a, b in pairwise(indptr)]
    assert found == [list(runs) for runs in expected]
    assert [text.encode() for text in coco_string.write(counts, indptr)] == texts


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["04", b"0~"], "mask 1: character 1 of the counts string has code 126, expected 48 to"),
        (["0Q"], "mask 0: the counts string ends at character 2 inside a number"),
        (["9"], "mask 0: run 0 has length 9, expected 0 to 4"),
    ],
)
def test_a_malformed_string_alone_is_refused_with_its_mask(texts, message):
    with pytest.raises(InvalidMaskError, match=message):
        coco_string.parse(texts, (2, 2))


@pytest.mark.parametrize(
    ("counts", "indptr", "message"),
    [
        ([1, 3], [0, 3], "mask 0: counts run from 0 to 3 of 2"),
        ([1, 3], [0, 2, 1], "mask 1: counts run from 2 to 1 of 2"),
        ([1, 3], [-1, 2], "mask 0: counts run from -1 to 2 of 2"),
        ([1, 3], [], "indptr is empty, expected a start for each mask and the end"),
        ([1, -1], [0, 2], "mask 0: run 1 has length -1, expected 0 to"),
    ],
)
def test_runs_that_are_no_masks_are_not_written(counts, indptr, message):
    with pytest.raises(InvalidMaskError, match=message):
        coco_string.write(np.array(counts, np.int64), np.array(indptr, np.int64))


def test_runs_whose_sum_leaves_64_bits_are_refused():
    side, run = 1 << 20, 1 << 40
    runs = np.full((1 << 24) + 1, run, np.int64)
    with pytest.raises(InvalidMaskError, match="mask 0: runs cover"):
        coco_string.pack((side, side), [runs])
    head = coco_string.write(np.full(3, run), np.array([0, 3]))[0]
    with pytest.raises(InvalidMaskError, match="mask 0: runs cover"):
        coco_string.pack((side, side), [head + "0" * ((1 << 24) - 2)])
