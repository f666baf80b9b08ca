"""Speed of masks in RAM: ours against supervision, pycocotools and rlemasklib.

Run as ``python -m benchmarks.bench_masks [--smoke]``. Every rival's result is asserted to be
equal before anything is timed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import supervision as sv
from pycocotools import _mask as coco_kernel
from pycocotools import mask as coco

from benchmarks import case
from benchmarks.case import Case, compared
from benchmarks.scenes import Image, Scene, scenes
from benchmarks.timing import environment
from compactmask import CompactMask
from compactmask._kernels import coco_string

try:
    import rlemasklib
except ImportError:
    rlemasklib = None

RIVALS = ("supervision", "pycocotools", "rlemasklib")
ABOUT = """\
Microseconds a mask: the median of passes through all masks of a scene, and in brackets how many
times longer than ours. The first column is ours, noise is that of the ratio that has a target
(otherwise to supervision).

- **from_dense with boxes**: crops out of C-order frames. pycocotools and rlemasklib encode
  `frame[y1:y2+1, x1:x2+1]`, to their strings.
- **from_dense, tight**: full frames without boxes; supervision needs `mask_to_xyxy` first.
- **crop(i)**: one call a mask. pycocotools and rlemasklib decode RLEs of the crop alone, which
  their users hardly hold: they would decode the full frame.
- **crops()**: one call an image; supervision has only `crop(i)`.
- **from_coco_rle with boxes**: counts strings (bytes) to masks.
- **COCO string parse**: strings to runs, an image at a time: `_kernels.coco_string.parse`,
  `pycocotools._mask._frString` (the first step of its area, merge, iou...), `RLEMask.from_dict`.
- **COCO string write**: runs back to strings: `_kernels.coco_string.write`,
  `pycocotools._mask._toString` (the last step of its encode and merge), `RLEMask.to_dict`.
- **from_coco_rle, tight** and **to_coco_rle**: strings to packed masks and back, crops and checks
  included; pycocotools' side is the bare parse and write, as it has no packed masks.
- **to_dense**: the frames of one image in a new array; **to_dense(out=)** into one that is reused.
  rlemasklib decodes frame by frame, each dropped before the next, so it reuses memory, too.
- **area**: of masks that are there; ours is a column, pycocotools' parses its strings again.
"""


class Held(NamedTuple):
    """One image's masks as each library holds them."""

    image: Image
    boxes: npt.NDArray[np.float64]
    frames: npt.NDArray[np.bool_]
    ours: CompactMask
    theirs: sv.CompactMask
    runs: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    parsed: Any
    crop_rles: list[dict[str, Any]]
    crop_masks: list[Any]
    full_masks: list[Any]


def hold(image: Image) -> Held:
    """Build the masks with every library."""
    frames = image.frames()
    shape = image.image_shape
    crop_rles = [coco.encode(np.asfortranarray(one)) for one in cut(frames, image.boxes)]
    return Held(
        image,
        image.boxes,
        frames,
        CompactMask.from_dense(frames, image.boxes, shape),
        sv.CompactMask.from_dense(frames, image.boxes, shape),
        parse(image),
        coco_kernel._frString(image.rles),
        crop_rles,
        [rlemasklib.RLEMask.from_dict(rle) for rle in crop_rles] if rlemasklib else [],
        [rlemasklib.RLEMask.from_dict(rle) for rle in image.rles] if rlemasklib else [],
    )


def parse(image: Image) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Parse the counts strings of an image by our kernel alone."""
    return coco_string.parse([rle["counts"] for rle in image.rles], image.image_shape)


def cut(
    frames: npt.NDArray[np.bool_], boxes: npt.NDArray[np.float64]
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the crop of each frame, as a view."""
    for frame, (x1, y1, x2, y2) in zip(
        frames.view(np.uint8), boxes.astype(np.int64).tolist(), strict=True
    ):
        yield frame[y1 : y2 + 1, x1 : x2 + 1]


def check(held: list[Held]) -> None:
    """Assert that all libraries agree about every mask."""
    for one in held:
        image, ours, theirs = one.image, one.ours, one.theirs
        shape, rles, boxes = image.image_shape, image.rles, image.boxes
        for mine in (
            ours,
            CompactMask.from_dense(one.frames),
            CompactMask.from_coco_rle(rles),
            CompactMask.from_coco_rle(rles, boxes, shape),
        ):
            assert np.array_equal(mine.bbox_xyxy, theirs.bbox_xyxy)
            assert all(map(np.array_equal, mine._rles, theirs._rles))
        made = sv.CompactMask.from_coco_rle(rles, boxes, shape)
        assert all(map(np.array_equal, made._rles, theirs._rles))
        frames = one.frames
        assert np.array_equal(ours.to_dense(), frames)
        assert np.array_equal(ours.to_dense(out=np.ones_like(frames)), frames)
        assert np.array_equal(theirs.to_dense(), frames)
        assert np.array_equal(coco.decode(rles).transpose(2, 0, 1), frames)
        area = frames.sum(axis=(1, 2))
        assert np.array_equal(ours.area, area)
        assert np.array_equal(theirs.area, area)
        assert np.array_equal(coco_area(rles), area)
        written = [rle["counts"] for rle in coco_kernel._toString(one.parsed)]
        assert [rle["counts"].encode() for rle in ours.to_coco_rle()] == written
        assert [rle["counts"] for rle in rles] == written
        assert [text.encode() for text in coco_string.write(*one.runs)] == written
        for i, crop in enumerate(cut(frames, boxes)):
            for decoded in (ours.crop(i), ours.crops()[i], theirs.crop(i)):
                assert np.array_equal(decoded, crop)
            assert np.array_equal(coco.decode(one.crop_rles[i]), crop)
            if rlemasklib:
                assert np.array_equal(one.crop_masks[i].to_array(order="C"), crop)
                assert np.array_equal(one.full_masks[i].to_array(order="C"), frames[i])
                assert one.full_masks[i].to_dict() == {**rles[i]}
                assert one.full_masks[i].area() == area[i]
                assert rlemasklib.RLEMask.from_array(crop) == one.crop_masks[i]


def coco_area(rles: list[dict[str, Any]]) -> npt.NDArray[np.int64]:
    """Return pycocotools' areas; it raises OverflowError on more than 255 masks a call."""
    return np.concatenate([coco.area(rles[i : i + 200]) for i in range(0, len(rles), 200)])


def cases(held: list[Held]) -> list[Case]:
    """Return the operations on a scene."""
    out = np.zeros_like(max((one.frames for one in held), key=np.size)).reshape(-1)

    def buffer(one: Held) -> npt.NDArray[np.bool_]:
        return out[: one.frames.size].reshape(one.frames.shape)

    def each(call: Callable[[Held], Any]) -> Callable[[], None]:
        return case.each(call, held)

    def items(
        call: Callable[[Any], Any], part: Callable[[Held], Iterable[Any]]
    ) -> Callable[[], None]:
        return case.parts(call, part, held)

    def crop_each(which: str) -> Callable[[], None]:
        def run() -> None:
            for one in held:
                masks = getattr(one, which)
                for i in range(len(masks)):
                    masks.crop(i)

        return run

    def build(one: Held) -> Any:
        return sv.CompactMask.from_dense(one.frames, one.boxes, one.image.image_shape)

    def build_tight(one: Held) -> Any:
        boxes = sv.mask_to_xyxy(one.frames)
        return sv.CompactMask.from_dense(one.frames, boxes, one.image.image_shape)

    def fortran(pixels: npt.NDArray[np.uint8]) -> Any:
        return coco.encode(np.asfortranarray(pixels))

    result = [
        Case(
            "from_dense with boxes",
            {
                "ours": each(lambda one: CompactMask.from_dense(one.frames, one.boxes)),
                "supervision": each(build),
                "pycocotools": items(fortran, lambda one: cut(one.frames, one.boxes)),
                "rlemasklib": items(
                    lambda crop: rlemasklib.encode(crop), lambda one: cut(one.frames, one.boxes)
                ),
            },
            target=6,
        ),
        Case(
            "from_dense, tight",
            {
                "ours": each(lambda one: CompactMask.from_dense(one.frames)),
                "supervision": each(build_tight),
                "pycocotools": items(fortran, lambda one: one.frames.view(np.uint8)),
                "rlemasklib": items(
                    lambda frame: rlemasklib.encode(frame), lambda one: one.frames.view(np.uint8)
                ),
            },
        ),
        Case(
            "crop(i)",
            {
                "ours": crop_each("ours"),
                "supervision": crop_each("theirs"),
                "pycocotools": items(coco.decode, lambda one: one.crop_rles),
                "rlemasklib": items(
                    lambda mask: mask.to_array(order="C"), lambda one: one.crop_masks
                ),
            },
            target=5,
        ),
        Case(
            "crops()",
            {"ours": each(lambda one: one.ours.crops()), "supervision": crop_each("theirs")},
        ),
        Case(
            "from_coco_rle with boxes",
            {
                "ours": each(
                    lambda one: CompactMask.from_coco_rle(
                        one.image.rles, one.boxes, one.image.image_shape
                    )
                ),
                "supervision": each(
                    lambda one: sv.CompactMask.from_coco_rle(
                        one.image.rles, one.boxes, one.image.image_shape
                    )
                ),
            },
            target=100,
        ),
        Case(
            "COCO string parse",
            {
                "ours": each(lambda one: parse(one.image)),
                "pycocotools": each(lambda one: coco_kernel._frString(one.image.rles)),
                "rlemasklib": items(
                    lambda rle: rlemasklib.RLEMask.from_dict(rle), lambda one: one.image.rles
                ),
            },
            "pycocotools",
            1,
        ),
        Case(
            "COCO string write",
            {
                "ours": each(lambda one: coco_string.write(*one.runs)),
                "pycocotools": each(lambda one: coco_kernel._toString(one.parsed)),
                "rlemasklib": items(lambda mask: mask.to_dict(), lambda one: one.full_masks),
            },
            "pycocotools",
            1,
        ),
        Case(
            "from_coco_rle, tight",
            {
                "ours": each(lambda one: CompactMask.from_coco_rle(one.image.rles)),
                "pycocotools": each(lambda one: coco_kernel._frString(one.image.rles)),
            },
            "pycocotools",
        ),
        Case(
            "to_coco_rle",
            {
                "ours": each(lambda one: one.ours.to_coco_rle()),
                "pycocotools": each(lambda one: coco_kernel._toString(one.parsed)),
            },
            "pycocotools",
        ),
        Case(
            "to_dense",
            {
                "ours": each(lambda one: one.ours.to_dense()),
                "supervision": each(lambda one: one.theirs.to_dense()),
                "pycocotools": each(lambda one: coco.decode(one.image.rles)),
                "rlemasklib": items(
                    lambda mask: mask.to_array(order="C"), lambda one: one.full_masks
                ),
            },
        ),
        Case(
            "to_dense(out=)",
            {
                "ours": each(lambda one: one.ours.to_dense(out=buffer(one))),
                "supervision": each(lambda one: one.theirs.to_dense()),
            },
        ),
        Case(
            "area",
            {
                "ours": each(lambda one: one.ours.area),
                "supervision": each(lambda one: one.theirs.area),
                "pycocotools": each(lambda one: coco_area(one.image.rles)),
                "rlemasklib": items(lambda mask: mask.area(), lambda one: one.full_masks),
            },
        ),
    ]
    if not rlemasklib:
        for one in result:
            one.calls.pop("rlemasklib", None)
    return result


def measure(scene: Scene, budget: float) -> str:
    """Return a scene's table."""
    held = [hold(image) for image in scene.images]
    check(held)
    figures = compared(cases(held), RIVALS, "us a mask", 1e6 / scene.n_masks, budget)
    return f"### {scene.name}\n\n{scene.describe()}\n\n{figures}\n"


def run(smoke: bool = False) -> str:
    """Return the report as Markdown."""
    chosen = scenes(people_images=1 if smoke else 10)
    if smoke:
        chosen = [scene.first(30) for scene in chosen]
    parts = [measure(scene, 0.02 if smoke else 1.5) for scene in chosen]
    return "\n".join(["## Masks in RAM", "", ABOUT, *parts])


if __name__ == "__main__":
    print(environment(), run("--smoke" in sys.argv[1:]), sep="\n\n")
