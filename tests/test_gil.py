"""While a call works on many masks, or on a few large ones, other Python threads go on."""

import sys
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from strategies import clouds, noise, silhouettes

import compactmask as cm
from compactmask import CompactMask

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="this Python has no GIL"
)


def longest_wait(call):
    """Give the longest time for which another thread stood still, as a part of that of a call."""
    ticks, is_over = [], threading.Event()

    def tick():
        while not is_over.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    while not ticks:
        time.sleep(0)
    begin = time.perf_counter()
    call()
    end = time.perf_counter()
    is_over.set()
    thread.join()
    inside = [begin, *(one for one in ticks if begin < one < end), end]
    return max(b - a for a, b in pairwise(inside)) / (end - begin)


def shortest_wait(call, enough):
    """Give the least of the longest waits of some calls, of the first that is short enough.

    A busy machine stops the other thread now and then; a call that holds the GIL does each time.
    """
    waits = []
    while len(waits) < 12 and (not waits or waits[-1] >= enough):
        waits.append(longest_wait(call))
    return min(waits)


class Forms:
    """Masks and all that they are made of."""

    def __init__(self, mask, n_points):
        rng = np.random.default_rng(1)
        self.mask, self.shape = mask, mask.image_shape
        self.some = mask[:500]
        self.frames = self.some.to_dense()
        self.out = np.empty_like(self.frames)
        self.theirs = mask.to_supervision()
        self.columns = self.theirs._rles, self.theirs._crop_shapes, self.theirs._offsets
        self.strings = mask.to_coco_rle()
        self.counts = [
            {**rle, "counts": np.array(rle["counts"])} for rle in mask.to_coco_rle(compressed=False)
        ]
        self.polygons = mask.to_polygons()
        self.points = rng.integers(0, self.shape[0], (n_points, 2))
        self.labels = rng.integers(0, 300, (1500, 1500))


def few():
    rng = np.random.default_rng(0)
    frames = [kind(rng, 800, 800) for kind in (noise, clouds) for _ in range(10)]
    return Forms(CompactMask.from_dense(np.array(frames)), 20_000)


def many():
    rng = np.random.default_rng(0)
    mask = CompactMask.from_dense(np.array([silhouettes(rng, 60, 60) for _ in range(300)]))
    places = rng.integers(0, 240, (100, 2)).tolist()
    return Forms(CompactMask.merge([mask.with_offset(x, y, (300, 300)) for x, y in places]), 300)


OF_MASKS = {
    "constructor": lambda it: CompactMask(*it.columns, it.shape),
    "from_coco_rle": lambda it: CompactMask.from_coco_rle(it.strings),
    "from_supervision": lambda it: CompactMask.from_supervision(it.theirs),
    **{
        f"from_polygons by {rule}": lambda it, r=rule: CompactMask.from_polygons(
            it.polygons, it.shape, r
        )
        for rule in ("fill", "evenodd")
    },
    "to_coco_rle": lambda it: it.mask.to_coco_rle(),
    "to_supervision": lambda it: it.mask.to_supervision(),
    "to_polygons": lambda it: it.mask.to_polygons(),
    "to_label_image": lambda it: it.mask.to_label_image(),
    "crops": lambda it: it.mask.crops(),
    "contains": lambda it: it.mask.contains(it.points),
    "dilate": lambda it: it.mask.dilate(2),
    "erode": lambda it: it.mask.erode(2),
    "union": lambda it: it.mask.union(),
    "intersection": lambda it: (it.mask | it.mask[:1]).intersection(),
    "|": lambda it: it.mask | it.mask[::-1],
    "~": lambda it: ~it.mask,
    "repack": lambda it: it.mask.window([5, 5, 299, 299]).repack(),
    "resize": lambda it: it.mask.resize((290, 290)),
    "transpose": lambda it: it.mask.transpose(),
    "fill_holes": lambda it: it.mask.fill_holes(),
    "remove_small": lambda it: it.mask.remove_small(5),
    "connected_components": lambda it: it.mask.connected_components(),
    "centroid": lambda it: it.mask.centroid,
    "sum": lambda it: it.mask.sum(axis=0),
    "occlude": lambda it: cm.occlude(it.mask),
    "mask_iou": lambda it: cm.mask_iou(it.mask[:1000], it.mask[-1000:]),
    "boundary_iou": lambda it: cm.boundary_iou(it.mask[:1000], it.mask[-1000:]),
    "mask_nms": lambda it: cm.mask_nms(it.mask, np.arange(len(it.mask)), 0.9),
}

# Their time is that of pixels, of bytes or of Python's own integers, not of masks.
OF_PIXELS = {
    "from_polygons by coco": lambda it: CompactMask.from_polygons(it.polygons, it.shape),
    "from_coco_rle of counts": lambda it: CompactMask.from_coco_rle(it.counts),
    "from_dense": lambda it: CompactMask.from_dense(it.frames),
    "from_label_image": lambda it: CompactMask.from_label_image(it.labels),
    "to_dense": lambda it: it.some.to_dense(it.out),
    "to_coco_rle of counts": lambda it: it.mask.to_coco_rle(compressed=False),
}


@pytest.fixture(scope="module")
def few_masks():
    return few()


@pytest.fixture(scope="module")
def many_masks():
    return many()


@pytest.mark.parametrize("name", [*OF_MASKS, *OF_PIXELS])
def test_another_thread_goes_on_while_large_masks_are_worked_on(name, few_masks):
    call = (OF_MASKS | OF_PIXELS)[name]
    assert shortest_wait(lambda: call(few_masks), 0.25) < 0.25


@pytest.mark.parametrize("name", OF_MASKS)
def test_another_thread_goes_on_while_many_masks_are_worked_on(name, many_masks):
    """Some of the time goes into Python objects for each mask, without a pause."""
    assert shortest_wait(lambda: OF_MASKS[name](many_masks), 0.5) < 0.5


def test_a_call_that_holds_the_gil_is_found():
    assert shortest_wait(lambda: sum(range(10_000_000)), 0.5) > 0.5
