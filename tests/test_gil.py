"""Loops over masks let other Python threads work meanwhile."""

import sys
import threading
import time

import numpy as np
import pytest
from strategies import silhouettes

import compactmask as cm
from compactmask import CompactMask

N = 200_000


@pytest.fixture(scope="module")
def masks():
    """Give so many masks that a kernel works on them for many milliseconds."""
    rng = np.random.default_rng(0)
    some = CompactMask.from_dense(np.array([silhouettes(rng, 60, 60) for _ in range(300)]))
    many = some[np.arange(N) % 300]
    places = rng.integers(0, 900, (20, 2)).tolist()
    parts = [many[i::20].with_offset(x, y, (1000, 1000)) for i, (x, y) in enumerate(places)]
    return CompactMask.merge(parts)


CALLS = {
    "dilate": lambda m: m.dilate(),
    "repack": lambda m: m.repack(),
    "resize": lambda m: m.resize((500, 500)),
    "rot90": lambda m: m.rot90(),
    "union": lambda m: m.union(),
    "and": lambda m: m & m,
    "occlude": lambda m: cm.occlude(m),
    "connected_components": lambda m: m.connected_components(),
    "fill_holes": lambda m: m.fill_holes(),
    "mask_iou": lambda m: cm.mask_iou(m[:1000], m[1000:2000]),
    "mask_nms": lambda m: cm.mask_nms(m, np.arange(N)),
    "centroid": lambda m: m.centroid,
    "contains": lambda m: m.contains(np.stack([np.arange(0, 1000, 9)] * 2, axis=1)),
    "to_dense": lambda m: m[:300].to_dense(),
    "to_label_image": lambda m: m.to_label_image(),
}


def longest_wait(call):
    """Return how long the call took, and the longest time that another thread stood still in it."""
    ticks, is_done = [], threading.Event()

    def tick():
        while not is_done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    other = threading.Thread(target=tick)
    other.start()
    time.sleep(0.01)
    begin = time.perf_counter()
    call()
    end = time.perf_counter()
    is_done.set()
    other.join()
    within = [begin, *(t for t in ticks if begin < t < end), end]
    return end - begin, max(np.diff(within))


def test_a_loop_that_holds_the_gil_is_noticed():
    numbers = list(range(3_000_000))
    took, waited = longest_wait(lambda: numbers.sort(key=None, reverse=True))
    assert waited > took / 2


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="there is no GIL")
@pytest.mark.parametrize("name", CALLS)
def test_another_thread_works_while_masks_are_looped_over(name, masks):
    shares = []
    for _ in range(20):  # a busy machine may stop either thread
        took, waited = longest_wait(lambda: CALLS[name](masks))
        shares.append(waited / took)
        if shares[-1] < 0.5:
            return
    pytest.fail(f"another thread stood still for {min(shares):.0%} of the call")
