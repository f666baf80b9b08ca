"""What the rows of `supervision_paths` look at, and how a row is made."""

import copy
import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import supervision as sv
from supervision_versions import is_here

from compactmask import CompactMask

# ------------------------------------------------------------- what the rows look at


@cache
def frames_of(name):
    """Give the frames, and boxes that are looser or tighter than the masks."""
    y, x = np.mgrid[:90, :120]

    def disk(cy, cx, ry, rx):
        return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1

    rng = np.random.default_rng(5)
    masks = {
        "many": [
            disk(20, 20, 11, 17),
            disk(24, 27, 11, 17),
            disk(22, 24, 10, 15),
            disk(60, 90, 20, 25) & ~disk(60, 92, 6, 8),  # a hole
            disk(62, 88, 19, 24),
            disk(70, 20, 9, 9) | disk(40, 60, 5, 5),  # two parts
            disk(70, 20, 9, 9),
            disk(0, 119, 30, 30),  # cut by the image
            disk(45, 45, 40, 40) & (rng.random((90, 120)) < 0.5),
            (y == 85) & (x == 3),  # one pixel
            np.zeros((90, 120), bool),
            disk(2, 118, 30, 30),
        ],
        "one": [disk(20, 20, 11, 17)],
        "none": [],
    }[name]
    frames = np.array(masks, bool).reshape(-1, 90, 120)
    boxes = CompactMask.from_dense(frames, image_shape=(90, 120)).bbox_xyxy.astype(np.float32)
    grow = rng.uniform(-2, 4, boxes.shape) * [-1, -1, 1, 1]
    boxes = np.clip(boxes + grow, 0, [119, 89, 119, 89]).astype(np.float32)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
    return frames, boxes


@cache
def masks_of(name, whose):
    """Make the masks once, before anything may be installed."""
    frames, boxes = frames_of(name)
    maker = CompactMask if whose == "ours" else sv.CompactMask
    return maker.from_dense(frames, boxes, (90, 120))


for _name in ("many", "one", "none"):
    for _whose in ("ours", "theirs"):
        masks_of(_name, _whose)


@dataclasses.dataclass
class Scene:
    """An image of 120x90 and what is seen on it."""

    name: str
    whose: str  # class of the masks: "ours" or "theirs"
    folder: Path

    @property
    def image(self):
        """Tell each pixel's place, so that a slice knows where it was cut."""
        y, x = np.mgrid[:90, :120].astype(np.uint8)
        return np.dstack([x, y, (x * y) % 251]).astype(np.uint8)

    @property
    def masks(self):
        return copy.deepcopy(masks_of(self.name, self.whose))

    def make(self, frames, boxes, shape):
        """Make masks of the class under test, whatever is installed."""
        ours = CompactMask.from_dense(frames, boxes, shape)
        return ours if self.whose == "ours" else ours.to_supervision()

    @property
    def seen(self):
        boxes = frames_of(self.name)[1].copy()
        n = len(boxes)
        return sv.Detections(
            xyxy=boxes,
            mask=self.masks,
            confidence=np.linspace(0.3, 0.95, n, dtype=np.float32),
            class_id=np.arange(n) % 3,
            tracker_id=np.arange(n) + 10,
            data={"class_name": np.array(["cat", "dog", "cow"])[np.arange(n) % 3]},
            metadata={"camera": 3},
        )

    @property
    def other(self):
        """Give what another model sees: the same, moved, with one missing."""
        seen = self.seen[np.arange(len(self.seen)) != 1]
        seen.mask = seen.mask.with_offset(2, 1, (90, 120))
        seen.confidence = seen.confidence[::-1].copy()
        return seen


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    do: Callable
    needs: str  # a name of supervision_versions.NAMES, which some releases lack
    builds: bool  # supervision makes the masks of the result
    differs: str  # a row of supervision_versions.TABLE

    @property
    def missing(self):
        """Say what this release lacks."""
        if not self.needs or is_here(self.needs):
            return ""
        return f"supervision {sv.__version__} has no {self.needs}"


def table():
    """Give a list of rows, and what adds one: a decorator, or a call."""
    rows = []

    def row(name, do=None, needs="", builds=False, differs=""):
        def add(do):
            rows.append(Row(name, do, needs, builds, differs))
            return do

        return add if do is None else add(do)

    return rows, row
