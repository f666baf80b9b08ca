"""Huge images: 10,000 instances in less than 1 GiB, and small masks in next to nothing."""

import inspect
import re

import fresh
import large_operations

import compactmask as cm
from compactmask import CompactMask, ops

# Their arguments or results are arrays of the image's pixels.
OF_PIXELS = {"to_dense", "to_label_image", "from_label_image", "from_panoptic"}

SCRIPT = """
from pathlib import Path
import numpy as np
import supervision as sv
import compactmask as cm
from strategies import silhouettes

SIDE, N = 20_000, 10_000
rng = np.random.default_rng(0)
rles, shapes, offsets = [], [], []
for _ in range(N):
    h, w = rng.integers(40, 200, 2)
    crop = silhouettes(rng, h, w)
    flat = crop.T.ravel()
    ends = np.flatnonzero(np.diff(flat, prepend=False, append=not flat[-1]))
    rles.append(np.diff(ends, prepend=0))
    shapes.append((h, w))
    offsets.append(rng.integers(0, (SIDE - w, SIDE - h)))

masks = cm.CompactMask(rles, shapes, offsets, (SIDE, SIDE))
del rles
assert len(masks) == N
large = masks[masks.area > np.median(masks.area)]
assert 0 < len(large) < N
kept = cm.mask_nms(masks, rng.random(N), 0.3)
assert 0 < kept.sum() < N
union = masks.union()
assert masks.area.max() < union.area[0] < masks.area.sum()
iou = cm.mask_iou(masks, masks)
assert iou.shape == (N, N)
assert np.array_equal(iou.diagonal(), masks.area > 0)
near = np.flatnonzero(iou[0])
assert np.array_equal(iou[0, near], cm.mask_iou(masks[:1], masks[near])[0])
del iou
half = masks.resize((SIDE // 2, SIDE // 2))
assert abs(half.area.sum() / masks.area.sum() - 0.25) < 0.01
path = Path(FOLDER) / "large.h5"
cm.save(sv.Detections(xyxy=half.bbox_xyxy, mask=half), path)
assert cm.load(path).mask == half
"""


def test_ten_thousand_instances_on_a_20000_x_20000_image_need_less_than_1_gib(tmp_path):
    script = SCRIPT.replace("FOLDER", repr(str(tmp_path)))
    bare = 32 << 20  # the interpreter before any import has less
    assert fresh.peak_growth("", script) + bare < 1 << 30


def test_every_public_name_is_worked_through_or_is_about_arrays_of_the_image():
    words = set(re.findall(r"\w+", inspect.getsource(large_operations)))
    names = {name for name in dir(CompactMask) if not name.startswith("_")}
    names |= {name for name in vars(ops) if name in cm.__all__}
    assert names - words == OF_PIXELS | {"empty"}


def test_every_operation_on_small_masks_of_a_30000_x_30000_image_needs_little_memory():
    set_up = """
import large_operations
small, huge = large_operations.set_up()
"""
    work = """
for step in large_operations.STEPS:
    step(small, huge)
"""
    assert fresh.peak_growth(set_up, work) < 30e6  # a frame of bits would be 112e6


def test_masks_at_the_sides_of_a_30000_x_30000_image_need_little_memory():
    set_up = """
import large_operations
"""
    work = """
large_operations.work_in_corners()
"""
    assert fresh.peak_growth(set_up, work) < 30e6  # a frame of bits would be 112e6
