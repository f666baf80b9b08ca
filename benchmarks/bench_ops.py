"""Speed of operations on masks: ours against supervision, pycocotools, rlemasklib and OpenCV.

Run as ``python -m benchmarks.bench_ops [--smoke]``. Every rival's result is asserted to be equal
before anything is timed.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv
from pycocotools import mask as coco

import compactmask as cm
from benchmarks.case import Case, compared, each, parts
from benchmarks.scenes import Image, Scene, scenes
from benchmarks.timing import environment

try:
    import rlemasklib
    from rlemasklib import RLEMask
except ImportError:
    rlemasklib = None

RIVALS = ("supervision", "pycocotools", "rlemasklib", "OpenCV")
ABOUT = """\
The median of passes through all masks of a scene, and in brackets how many times longer than
ours. The first column is ours; noise is that of the ratio that has a target.

- **Per mask**: ours is one call an image, supervision's too (but its `resize` and all that it has
  not got); rlemasklib and OpenCV have one call a mask. rlemasklib holds full frames as runs, OpenCV
  gets the pixels of the crop alone (with a border where the operation needs one), which is the
  least its users can do.
- **flip**: ours notes it in the set, and masks are reversed when something unpacks them, as with
  strides of a NumPy view; **flip and write** is to COCO counts strings and has all of it.
- **union of two** is a call for each two neighbours of an image, as a user would write it:
  `a | b` of two sets of one mask.
- **union**: the masks of one image to one; the target is for 28 of them.
- **pairwise IoU**: 300 masks against 300 others, all of one image shape; **with one another**:
  against themselves, where ours compares each pair once. **NMS**: 1,000 masks with their scores;
  supervision's works on its own `CompactMask`.
- **labels**: a label image to masks; the rivals make a mask an id, `labels == id`.
"""


class Held(NamedTuple):
    """One image's masks as each library holds them."""

    image: Image
    ours: cm.CompactMask
    theirs: sv.CompactMask
    singles: list[cm.CompactMask]
    full_masks: list[Any]
    crops: list[npt.NDArray[np.uint8]]
    polygons: list[list[npt.NDArray[np.float64]]]


def hold(image: Image) -> Held:
    """Build the masks with every library."""
    ours = cm.CompactMask.from_coco_rle(image.rles)
    return Held(
        image,
        ours,
        sv.CompactMask.from_coco_rle(image.rles, ours.bbox_xyxy, image.image_shape),
        [ours[[i]] for i in range(len(ours))],
        [RLEMask.from_dict(rle) for rle in image.rles] if rlemasklib else [],
        [np.pad(crop.view(np.uint8), 1) for crop in ours.crops()],
        [
            [part.astype(np.float64).reshape(-1) for part in polygon]
            for polygon in ours.to_polygons()
        ],
    )


def rles_of(masks: cm.CompactMask) -> list[dict[str, Any]]:
    """Return COCO RLEs with counts as bytes, as rlemasklib and pycocotools write them."""
    return [{**rle, "counts": rle["counts"].encode()} for rle in masks.to_coco_rle()]


def check(held: list[Held]) -> None:
    """Assert that the libraries agree about every mask and operation that is timed."""
    for one in held:
        ours, full = one.ours, one.full_masks
        shape = one.image.image_shape
        assert ours == one.theirs
        half = (shape[0] // 2, shape[1] // 2)
        assert ours.resize(half) == one.theirs.resize(half)
        assert rles_of(ours.union())[0] == coco.merge(one.image.rles)
        grown = ours.dilate().to_dense()
        for i, frame in enumerate(ours.to_dense().view(np.uint8)):
            assert np.array_equal(grown[i], cv2.dilate(frame, np.ones((3, 3), np.uint8)))
        for polygon, rle in zip(one.polygons, rles_of(polygons_back(one)), strict=True):
            assert rle == coco.merge(coco.frPyObjects([p.tolist() for p in polygon], *shape))
        if full:
            assert rles_of(ours.dilate()) == [m.dilate3x3(8).to_dict() for m in full]
            assert rles_of(ours.flip("horizontal")) == [m.fliplr().to_dict() for m in full]
            assert rles_of(ours.rot90()) == [m.rot90().to_dict() for m in full]
            parts_of = [part for m in full for part in m.connected_components(8)]
            found, _ = ours.connected_components()
            assert sorted(map(str, rles_of(found))) == sorted(str(m.to_dict()) for m in parts_of)
            for a, b in itertools.pairwise(one.singles):
                assert rles_of(a | b)[0] == coco.merge([rles_of(a)[0], rles_of(b)[0]])
            assert rles_of(ours.union())[0] == RLEMask.union(full).to_dict()


def polygons_back(one: Held) -> cm.CompactMask:
    """Return the masks that COCO's rule makes of the polygons."""
    return cm.CompactMask.from_polygons(one.polygons, one.image.image_shape, rule="coco")


def per_mask(held: list[Held]) -> list[Case]:
    """Return the operations on every mask of a scene."""
    square = np.ones((3, 3), np.uint8)

    def ours(call: Callable[[cm.CompactMask], Any]) -> Callable[[], None]:
        return each(lambda one: call(one.ours), held)

    def full(call: Callable[[Any], Any]) -> Callable[[], None]:
        return parts(call, lambda one: one.full_masks, held)

    def crops(call: Callable[[npt.NDArray[np.uint8]], Any]) -> Callable[[], None]:
        return parts(call, lambda one: one.crops, held)

    def half(one: Held) -> tuple[int, int]:
        return one.image.image_shape[0] // 2, one.image.image_shape[1] // 2

    def pairs(one: Held, which: str) -> list[tuple[Any, Any]]:
        masks = getattr(one, which)
        return list(itertools.pairwise(masks))

    def coco_polygons(one: Held) -> None:
        for polygon in one.polygons:
            coco.merge(coco.frPyObjects(polygon, *one.image.image_shape))

    return [
        Case(
            "resize by 1/2",
            {
                "ours": each(lambda one: one.ours.resize(half(one)), held),
                "supervision": each(lambda one: one.theirs.resize(half(one)), held),
                "rlemasklib": each(
                    lambda one: [mask.resize(half(one)) for mask in one.full_masks], held
                ),
            },
            target=10,
        ),
        Case(
            "dilate 3x3",
            {
                "ours": ours(lambda masks: masks.dilate()),
                "rlemasklib": full(lambda mask: mask.dilate3x3(8)),
                "OpenCV": crops(lambda crop: cv2.dilate(crop, square)),
            },
            "rlemasklib",
            1,
        ),
        Case(
            "connected components",
            {
                "ours": ours(lambda masks: masks.connected_components()),
                "rlemasklib": full(lambda mask: mask.connected_components(8)),
                "OpenCV": crops(lambda crop: cv2.connectedComponents(crop, connectivity=8)),
            },
            "rlemasklib",
            1,
        ),
        Case(
            "flip",
            {
                "ours": ours(lambda masks: masks.flip("horizontal")),
                "rlemasklib": full(lambda mask: mask.fliplr()),
                "OpenCV": crops(lambda crop: cv2.flip(crop, 1)),
            },
            "rlemasklib",
            1,
        ),
        Case(
            "flip and write",
            {
                "ours": ours(lambda masks: masks.flip("horizontal").to_coco_rle()),
                "rlemasklib": full(lambda mask: mask.fliplr().to_dict()),
            },
            "rlemasklib",
        ),
        Case(
            "rot90",
            {
                "ours": ours(lambda masks: masks.rot90()),
                "rlemasklib": full(lambda mask: mask.rot90()),
                "OpenCV": crops(lambda crop: cv2.rotate(crop, cv2.ROTATE_90_COUNTERCLOCKWISE)),
            },
            "rlemasklib",
            1,
        ),
        Case(
            "union of two",
            {
                "ours": parts(lambda two: two[0] | two[1], lambda one: pairs(one, "singles"), held),
                "rlemasklib": parts(
                    lambda two: two[0] | two[1], lambda one: pairs(one, "full_masks"), held
                ),
            },
            "rlemasklib",
            1,
        ),
        Case(
            "union",
            {
                "ours": ours(lambda masks: masks.union()),
                "pycocotools": each(lambda one: coco.merge(one.image.rles), held),
                "rlemasklib": each(lambda one: RLEMask.union(one.full_masks), held),
            },
            "pycocotools",
            3 if len(held[0].ours) == 28 else None,
        ),
        Case(
            "polygons to masks",
            {"ours": each(polygons_back, held), "pycocotools": each(coco_polygons, held)},
            "pycocotools",
        ),
        Case(
            "masks to polygons",
            {
                "ours": ours(lambda masks: masks.to_polygons()),
                "OpenCV": crops(
                    lambda crop: cv2.findContours(crop, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
                ),
            },
            "OpenCV",
        ),
    ]


def of_sets(held: list[Held], n_pairs: int, n_scored: int) -> list[Case]:
    """Return the operations on many masks at once."""
    shape = held[0].image.image_shape
    rles = [rle for one in held for rle in one.image.rles]
    ours = cm.CompactMask.from_coco_rle(rles)
    theirs = sv.CompactMask.from_coco_rle(rles, ours.bbox_xyxy, shape)
    n_pairs = min(n_pairs, len(ours) // 2)
    one, other = slice(0, n_pairs), slice(n_pairs, 2 * n_pairs)
    a, b = ours[one], ours[other]
    a_theirs, b_theirs = theirs[one], theirs[other]
    a_rles, b_rles = rles[one], rles[other]
    crowd = [0] * n_pairs
    expected = coco.iou(a_rles, b_rles, crowd)
    assert np.array_equal(cm.mask_iou(a, b), expected)
    assert np.allclose(sv.mask_iou_batch(a_theirs, b_theirs), expected)

    rng = np.random.default_rng(0)
    scored, scored_theirs = ours[:n_scored], theirs[:n_scored]
    scores = rng.permutation(len(scored)) / len(scored)
    predictions = np.c_[scored.bbox_xyxy, scores]
    kept = sv.mask_non_max_suppression(predictions, scored_theirs, 0.3)
    assert np.array_equal(cm.mask_nms(scored, scores, 0.3), kept)

    labels = ours[: n_scored // 10].to_label_image()
    ids = np.unique(labels)[1:]

    def encode_each() -> list[dict[str, Any]]:
        return [coco.encode(np.asfortranarray(labels == i, np.uint8)) for i in ids]

    assert rles_of(cm.CompactMask.from_label_image(labels)) == encode_each()

    pairwise = {
        "ours": lambda: cm.mask_iou(a, b),
        "supervision": lambda: sv.mask_iou_batch(a_theirs, b_theirs),
        "pycocotools": lambda: coco.iou(a_rles, b_rles, crowd),
    }
    return [
        Case(f"pairwise IoU {n_pairs}x{n_pairs}", pairwise, target=20),
        Case("the same", pairwise, "pycocotools", 3),
        Case(
            f"IoU of {n_pairs} with one another",
            {
                "ours": lambda: cm.mask_iou(a, a),
                "supervision": lambda: sv.mask_iou_batch(a_theirs, a_theirs),
                "pycocotools": lambda: coco.iou(a_rles, a_rles, crowd),
            },
            target=20,
        ),
        Case(
            f"NMS of {len(scored)}",
            {
                "ours": lambda: cm.mask_nms(scored, scores, 0.3),
                "supervision": lambda: sv.mask_non_max_suppression(predictions, scored_theirs, 0.3),
            },
            target=10,
        ),
        Case(
            f"label image of {len(ids)} ids",
            {
                "ours": lambda: cm.CompactMask.from_label_image(labels),
                "pycocotools": encode_each,
            },
            "pycocotools",
        ),
    ]


def measure(scene: Scene, budget: float) -> str:
    """Return a scene's table."""
    held = [hold(image) for image in scene.images]
    check(held)
    cases = per_mask(held)
    if not rlemasklib:
        cases = [one for one in cases if set(one.calls) != {"ours", "rlemasklib"}]
        for one in cases:
            one.calls.pop("rlemasklib", None)
    figures = compared(cases, RIVALS, "us a mask", 1e6 / scene.n_masks, budget)
    return f"### {scene.name}\n\n{scene.describe()}\n\n{figures}\n"


def measure_sets(scene: Scene, n_pairs: int, n_scored: int, budget: float) -> str:
    """Return the table of the operations on many masks of one image shape."""
    cases = of_sets([hold(image) for image in scene.images], n_pairs, n_scored)
    figures = compared(cases, RIVALS, "ms a call", 1e3, budget)
    return f"### {scene.name}, all as masks of one image\n\n{scene.describe()}\n\n{figures}\n"


def run(smoke: bool = False) -> str:
    """Return the report as Markdown."""
    budget = 0.02 if smoke else 1.5
    chosen = [s.first(30) if smoke else s for s in scenes(people_images=1 if smoke else 36)]
    of_one_shape = [s for s in chosen if len({image.image_shape for image in s.images}) == 1]
    sets = [
        measure_sets(scene, *((20, 25) if smoke else (300, 1000)), budget) for scene in of_one_shape
    ]
    singles = [measure(scene.first(300), budget) for scene in chosen]
    return "\n".join(["## Operations on masks", "", ABOUT, *singles, *sets])


if __name__ == "__main__":
    print(environment(), run("--smoke" in sys.argv[1:]), sep="\n\n")
