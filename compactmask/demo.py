"""The story of this package on one photograph: ``compactmask demo``.

Dense masks become a CompactMask, a file, one crop read out of that file, and a picture.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from compactmask import _optional
from compactmask.info import Sizes

if TYPE_CHECKING:
    from supervision import Detections

Photo = npt.NDArray[np.uint8]
BoolMask = npt.NDArray[np.bool_]

SCALE = 3
"""How many times the photograph is enlarged, to the size of a small one of today."""
BACKGROUND, COIN = 30, 150
"""Gray levels: below is surely background, above is surely a coin."""
CLASSES = ("small", "medium", "large")
LARGER_THAN = (0, 11_500, 17_000)
"""From how many pixels on a coin is of each class."""
COLORS = ("#ffb000", "#2ad4c8", "#ff5da2")


def run(output: str | os.PathLike[str]) -> Iterator[str]:
    """Tell the story; the files appear in a folder.

    Parameters
    ----------
    output : path-like
        Folder for ``coins.h5`` and ``coins.png``, which are replaced.

    Yields
    ------
    str
        A line of text for people.

    Raises
    ------
    ImportError
        Where scikit-image is not installed; the message names the extra.
    """
    photo = photograph()
    yield f"A photograph of coins (scikit-image's, enlarged {SCALE} times): {_size(photo.shape)}"
    dense = segment(photo)
    yield f"segmented by a watershed: {len(dense)} instances, one dense mask each"

    import supervision as sv

    import compactmask as cm

    masks = cm.CompactMask.from_dense(dense)
    detections = sv.Detections(
        xyxy=masks.bbox_xyxy.astype(np.float32),
        mask=masks,
        class_id=np.searchsorted(LARGER_THAN, masks.area, side="right") - 1,
    )
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "coins.h5"
    with cm.create(path, mode="w", classes=CLASSES) as out:
        out.append(detections, file_name="coins.png")

    started = time.perf_counter()
    with cm.open(path) as ds:
        opened = time.perf_counter() - started
        largest = int(ds.detections["area"].argmax())
        before = ds.bytes_read
        crop = ds.crop(largest)
        read = ds.bytes_read - before
        lazy = ds[0]
    yield f"written to {path}, opened again in {1000 * opened:.1f} ms"
    yield f"instance {largest}, the largest, read by itself: a crop of {_size(crop.shape)}"
    yield ""
    yield from _sketch(crop)
    yield ""
    picture = folder / "coins.png"
    _save(picture, annotate(photo, lazy))
    yield f"{picture}: drawn by supervision's annotators from the masks in the file"
    yield ""

    size = Sizes()
    size.add(masks._packed)
    yield f"{'bytes of':<40}{'':>12}{'of dense':>12}"
    for name, value in (
        ("the dense masks", dense.nbytes),
        ("a supervision.CompactMask", size.supervision),
        ("a compactmask.CompactMask", size.compactmask),
        ("the file, everything in it", path.stat().st_size),
        ("what one crop took from it", read),
    ):
        yield f"{name:<40}{value:>12,}{value / dense.nbytes:>12.3%}"


def photograph() -> Photo:
    """Load scikit-image's photograph of Greek coins, enlarged, as (H, W) gray levels."""
    data = _optional.require("skimage.data")
    transform = _optional.require("skimage.transform")
    coins = data.coins()
    shape = tuple(SCALE * side for side in coins.shape)
    enlarged = transform.resize(coins, shape, order=3, preserve_range=True)
    photo: Photo = np.clip(np.rint(enlarged), 0, 255).astype(np.uint8)
    return photo


def segment(photo: Photo) -> BoolMask:
    """Find the coins: a watershed of the gradient, flooded from sure background and sure coins.

    Parameters
    ----------
    photo : ndarray of uint8, shape (H, W)
        Gray levels.

    Returns
    -------
    ndarray of bool, shape (N, H, W)
        A mask for each coin, from the top to the bottom.
    """
    filters = _optional.require("skimage.filters")
    measure = _optional.require("skimage.measure")
    segmentation = _optional.require("skimage.segmentation")
    from scipy import ndimage

    smooth = filters.gaussian(photo, sigma=SCALE, preserve_range=True)
    markers = np.where(photo < BACKGROUND, 1, 0) + np.where(photo > COIN, 2, 0)
    flooded = segmentation.watershed(filters.sobel(smooth), markers)
    coins = ndimage.binary_fill_holes(flooded == 2)
    coins = ndimage.binary_opening(coins, iterations=3 * SCALE)
    labels = measure.label(coins)
    masks: BoolMask = labels == np.arange(1, labels.max() + 1)[:, None, None]
    return masks


def annotate(photo: Photo, detections: Detections) -> Photo:
    """Draw detections on a photograph with supervision's annotators.

    Parameters
    ----------
    photo : ndarray of uint8, shape (H, W)
        Gray levels.
    detections : sv.Detections
        Instances with masks, of the classes small, medium and large.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Blue, green, red, as supervision has it.
    """
    import supervision as sv

    scene = np.repeat(photo[:, :, None], 3, axis=2)
    colors = sv.ColorPalette.from_hex(list(COLORS))
    areas = np.asarray(detections.area).tolist()
    labels = [f"{k}: {int(area):,} px" for k, area in enumerate(areas)]
    scene = sv.MaskAnnotator(color=colors, opacity=0.35).annotate(scene, detections)
    scene = sv.PolygonAnnotator(color=colors, thickness=2).annotate(scene, detections)
    label = sv.LabelAnnotator(
        color=colors,
        text_color=sv.Color.BLACK,
        text_scale=0.45,
        text_padding=4,
        text_position=sv.Position.BOTTOM_CENTER,
        border_radius=4,
    )
    annotated: Photo = label.annotate(scene, detections, labels=labels)
    return annotated


def _sketch(crop: BoolMask, rows: int = 12) -> Iterator[str]:
    """Draw a crop with letters, which are twice as high as wide."""
    step = max(1, round(crop.shape[0] / rows))
    for row in crop[step // 2 :: step, :: max(1, step // 2)]:
        yield "    " + "".join("#" if pixel else "." for pixel in row)


def _size(shape: tuple[int, ...]) -> str:
    height, width = shape
    return f"{width} x {height} pixels"


def _save(path: Path, scene: Photo) -> None:
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(scene[:, :, ::-1])).save(path)
