"""An image of 20,000 x 20,000 with 10,000 instances: everything in less than 1 GiB."""

import fresh

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
