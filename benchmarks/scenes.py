"""The masks that are measured: hundreds of different ones a scene, seeded, none twice.

A branch predictor learns 28 masks that are repeated by heart and makes every rival look two to
three times faster than it is, so a benchmark goes through a whole scene before it starts again.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

Rle = dict[str, Any]


class Image(NamedTuple):
    """The masks of one image.

    Parameters
    ----------
    image_shape : tuple of int
        ``(H, W)``.
    rles : list of dict
        COCO RLEs of the full image, counts as bytes: what pycocotools itself holds.
    boxes : ndarray of float64, shape (n, 4)
        Tight boxes, inclusive ``x1, y1, x2, y2``.
    """

    image_shape: tuple[int, int]
    rles: list[Rle]
    boxes: npt.NDArray[np.float64]

    def frames(self) -> npt.NDArray[np.bool_]:
        """Return the masks as full frames, ``(n, H, W)`` C-contiguous."""
        return np.ascontiguousarray(coco.decode(self.rles).transpose(2, 0, 1)).view(np.bool_)


class Scene(NamedTuple):
    """Named images whose masks all differ."""

    name: str
    images: list[Image]

    @property
    def n_masks(self) -> int:
        """Number of masks."""
        return sum(len(image.rles) for image in self.images)

    def first(self, n_masks: int) -> Scene:
        """Return a scene of the first images, until there are `n_masks`."""
        chosen: list[Image] = []
        for image in self.images:
            if sum(len(one.rles) for one in chosen) >= n_masks:
                break
            chosen.append(image)
        return Scene(self.name, chosen)

    def describe(self) -> str:
        """Return what the masks look like in one line."""
        sides = [box[2:] - box[:2] + 1 for image in self.images for box in image.boxes]
        width, height = np.median(sides, axis=0)
        runs = [n_runs(rle) for image in self.images for rle in image.rles]
        shapes = sorted({image.image_shape for image in self.images})
        shape = "{}x{}".format(*shapes[len(shapes) // 2])
        return (
            f"{self.n_masks} masks on {len(self.images)} images of {shape}"
            f"{'' if len(shapes) == 1 else ' and other sizes'}; median crop "
            f"{height:.0f}x{width:.0f}, mean {np.mean(runs):.0f} runs"
        )


def n_runs(rle: Rle) -> int:
    """Return the number of runs of a compressed RLE: of the digits that end one."""
    return int(np.count_nonzero(np.frombuffer(rle["counts"], np.uint8) - 48 & 32 == 0))


def scenes(seed: int = 0, people_images: int = 10) -> list[Scene]:
    """Return every scene there is: the synthetic one, and the real ones where the data is."""
    found = [people_1080p(people_images, seed)]
    if DATA.is_dir():
        found += [coco_gt(), coco_results(), sav(), sam3()]
    return found


def people_1080p(n_images: int = 10, seed: int = 0) -> Scene:
    """Draw 28 silhouettes of people a frame, in crops of about 199x75."""
    rng = np.random.default_rng(seed)
    height, width = 1080, 1920
    images = []
    for _ in range(n_images):
        frame = np.zeros((height, width, 28), np.uint8, order="F")
        for i in range(28):
            person = _person(rng)
            h, w = person.shape
            y, x = rng.integers(0, height - h), rng.integers(0, width - w)
            frame[y : y + h, x : x + w, i] = person
        images.append(_image((height, width), coco.encode(frame)))
    return Scene("people_1080p", images)


def _person(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Draw a head, a body and four limbs as capsules whose outline is ruffled."""
    h, w = (int(side) for side in rng.normal((205, 84), (30, 14)).clip((90, 40), (320, 130)))
    y, x = np.mgrid[:h, :w].astype(np.float32)
    y, x = y / h, (x - w / 2) / h
    lean = rng.normal(0, 0.02)
    reach = w / h / 2 - 0.04
    hands = [(side * reach * rng.uniform(0.8, 1), rng.uniform(0.25, 0.6)) for side in (-1, 1)]
    feet = [(side * reach * rng.uniform(0.4, 1), rng.normal(0.97, 0.01)) for side in (-1, 1)]
    bones = [((lean, 0.08), (lean, 0.09), 0.06), ((lean, 0.22), (0.0, 0.5), 0.075)]
    bones += [((lean, 0.19), hand, 0.027) for hand in hands]
    bones += [((0.0, 0.52), foot, 0.036) for foot in feet]
    distance = np.min([_capsule(x, y, *bone) for bone in bones], axis=0)
    ruffle = np.zeros_like(distance)
    for _ in range(8):
        direction, length = rng.uniform(0, 2 * np.pi), rng.uniform(30, 90) / h
        phase = (x * np.cos(direction) + y * np.sin(direction)) / length
        ruffle += np.sin(2 * np.pi * (phase + rng.uniform())).astype(np.float32)
    return distance + 0.0035 * ruffle < 0


def _capsule(
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.float32],
    start: tuple[float, float],
    stop: tuple[float, float],
    radius: float,
) -> npt.NDArray[np.float32]:
    """Return the distance to a thick line."""
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    along = ((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy)
    along = along.clip(0, 1)
    return np.hypot(x - start[0] - along * dx, y - start[1] - along * dy) - np.float32(radius)


def coco_gt() -> Scene:
    """Return COCO ground truth: 830 polygons and 9 crowd regions."""
    document = json.loads((DATA / "coco-val2014-100/instances_val2014_100.json").read_bytes())
    shapes = {image["id"]: (image["height"], image["width"]) for image in document["images"]}

    def rle(annotation: dict[str, Any]) -> Rle:
        parts = coco.frPyObjects(annotation["segmentation"], *shapes[annotation["image_id"]])
        return coco.merge(parts) if isinstance(parts, list) else parts

    annotations = document["annotations"]
    return _real("coco_gt", ((one["image_id"], rle(one)) for one in annotations))


def coco_results() -> Scene:
    """Return COCO results: 734 compressed RLEs."""
    path = DATA / "coco-val2014-100/instances_val2014_fakesegm100_results.json"
    results = json.loads(path.read_bytes())
    return _real("coco_results", ((one["image_id"], one["segmentation"]) for one in results))


def sav() -> Scene:
    """Return the frames of an SA-V video."""
    frames = json.loads((DATA / "sav-example/sav_000001_auto.json").read_bytes())["masklet"]
    return _real("sav", ((i, rle) for i, frame in enumerate(frames) for rle in frame))


def sam3() -> Scene:
    """Return two frames of SAM 3."""

    def predictions() -> Iterator[tuple[str, Rle]]:
        for frame in ("f000", "f030"):
            response = json.loads((DATA / f"sam3-pcs/pcs_{frame}_rle.json").read_bytes())
            for prompt in response["prompt_results"]:
                for prediction in prompt["predictions"]:
                    yield frame, prediction["masks"]

    return _real("sam3", predictions())


def _real(name: str, masks: Iterable[tuple[Any, Rle]]) -> Scene:
    """Group masks by image; a mask that was there before, and an empty one, is left out."""
    seen = set()
    groups: dict[Any, list[Rle]] = {}
    for image, rle in masks:
        counts = rle["counts"]
        counts = counts.encode("ascii") if isinstance(counts, str) else counts
        key = (*rle["size"], counts)
        if key not in seen and coco.area(rle):
            seen.add(key)
            groups.setdefault(image, []).append({"size": list(rle["size"]), "counts": counts})
    images = [_image(tuple(rles[0]["size"]), rles) for rles in groups.values()]
    return Scene(name, images)


def _image(image_shape: tuple[int, int], rles: list[Rle]) -> Image:
    boxes = coco.toBbox(rles)
    boxes[:, 2:] += boxes[:, :2] - 1
    return Image(image_shape, rles, boxes)


def jittered(images: list[Image], n_masks: int, seed: int = 0) -> Iterator[Image]:
    """Yield images of different masks made of few: each stretched and moved, no two equal.

    The masks of an image stay together, as in real data.
    """
    rng = np.random.default_rng(seed)
    seen: set[tuple[int, int, bytes]] = set()
    for image in itertools.cycle(images):
        moved = []
        for rle in coco.encode(np.asfortranarray(_jitter(image, rng))):
            key = (*image.image_shape, rle["counts"])
            if key not in seen and coco.area(rle) and len(seen) < n_masks:
                seen.add(key)
                moved.append(rle)
        if moved:
            yield _image(image.image_shape, moved)
        if len(seen) == n_masks:
            return


def _jitter(image: Image, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return frames ``(H, W, n)`` whose masks are up to a fifth larger or smaller, elsewhere."""
    frames = coco.decode(image.rles)
    result = np.zeros_like(frames)
    for i, (x1, y1, x2, y2) in enumerate(image.boxes.astype(np.int64).tolist()):
        crop = frames[y1 : y2 + 1, x1 : x2 + 1, i]
        places = []
        for start, old, side in zip((y1, x1), crop.shape, image.image_shape, strict=True):
            new = min(side, max(1, round(old * rng.uniform(0.83, 1.2))))
            begin = min(max(0, start + int(rng.integers(-20, 21))), side - new)
            places.append((begin, begin + new, np.arange(new) * old // new))
        (top, bottom, rows), (left, right, columns) = places
        result[top:bottom, left:right, i] = crop[np.ix_(rows, columns)]
    return result
