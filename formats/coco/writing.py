"""Write a whole dataset as a COCO document."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..dataset import SegmentationDataset
from ..partial import destination, resolve
from ..report import Report
from ..source import Record
from .composing import Style
from .creation import create_sealed
from .writer import Writer

if TYPE_CHECKING:
    from supervision import Detections


def write(
    dataset: SegmentationDataset | Iterable[Record] | Iterable[Detections],
    path: str | os.PathLike[str],
    style: Style = "dataset",
    *,
    overwrite: bool = False,
    polygons: bool = False,
    allow_lossy: bool = False,
) -> Report:
    """Write a dataset as COCO JSON, image by image.

    Masks are RLE whose counts are byte for byte those of pycocotools. Ids, scores, annotated
    areas, crowds and all further columns are written as they are; ``formats/COCO.md`` says how.
    The document takes its place when it is complete and on the disk.

    Parameters
    ----------
    dataset : SegmentationDataset, or iterable of Record or sv.Detections
        What to write. Images of bare detections have their position as id and the shape of their
        masks.
    path : path-like
        File to write; a symbolic link is followed.
    style : {"dataset", "results"}
        A dataset, or a list of results, which holds neither images nor categories.
    overwrite : bool
        Whether an existing file is replaced.
    polygons, allow_lossy : bool
        As of :func:`create`.

    Returns
    -------
    Report
        Counts, sizes, time, and what could not be held.

    Raises
    ------
    FileExistsError
        Where the file exists and ``overwrite`` is not set.
    FormatError
        Where something cannot be held; file, image and instance are named.

    Examples
    --------
    >>> import json, numpy as np, supervision as sv
    >>> from compactmask.formats import coco
    >>> path = getfixture("tmp_path") / "results.json"
    >>> found = sv.Detections(
    ...     xyxy=np.array([[3.0, 2, 7, 4]]), confidence=np.array([0.5]), class_id=np.array([17])
    ... )
    >>> coco.write([found], path, style="results").instances
    1
    >>> json.loads(path.read_text())
    [{'image_id': 0, 'category_id': 18, 'bbox': [3.0, 2.0, 4.0, 2.0], 'score': 0.5}]
    """
    started = time.perf_counter()
    if not isinstance(dataset, (SegmentationDataset, Iterable)):
        raise TypeError(
            f"{dataset!r:.60}: a dataset, or an iterable of Record or sv.Detections expected"
        )
    if isinstance(dataset, SegmentationDataset):
        place = destination(dataset.path, os.fsdecode(path), overwrite)
    else:
        place = resolve(path)
        if os.path.lexists(place) and not overwrite:
            raise FileExistsError(errno.EEXIST, "it exists, and overwrite is not set", place)
    out = create_sealed(place, style, replace=overwrite, polygons=polygons, allow_lossy=allow_lossy)
    with out:
        if isinstance(dataset, SegmentationDataset):
            _copy(dataset, out)
        else:
            for item in dataset:
                _add(item, out)
    return Report(
        images=len(out),
        instances=out.instances,
        bytes_in=dataset.file_bytes if isinstance(dataset, SegmentationDataset) else 0,
        bytes_out=os.path.getsize(place),
        seconds=time.perf_counter() - started,
        loss=out.loss,
    )


def _copy(dataset: SegmentationDataset, out: Writer) -> None:
    out.classes = dataset.classes
    out.metadata = dataset.metadata
    columns = dict(dataset.images)
    ids, heights, widths = (columns.pop(key).tolist() for key in ("id", "height", "width"))
    names = columns.pop("file_name", None)
    for i, detections in enumerate(dataset):
        shape = heights[i], widths[i]
        out.append(
            detections,
            file_name=None if names is None else names[i] or None,
            image_shape=shape if all(shape) else None,
            image_id=ids[i],
            columns={key: column[i] for key, column in columns.items()},
        )


def _add(item: Record | Detections, out: Writer) -> None:
    if isinstance(item, Record):
        out.append(
            item.detections,
            file_name=item.file_name or None,
            image_shape=item.image_shape if all(item.image_shape) else None,
            image_id=item.id,
        )
    else:
        out.append(item)
