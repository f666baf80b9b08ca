"""A COCO JSON document as the source of a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask._kernels import dense
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

from ..dataset import SegmentationDataset
from ..source import BoolMask, Columns, Instance, OnFault
from . import document, index
from .compact import Array
from .document import Document


def open(path: str | os.PathLike[str], keep_index: bool = False) -> SegmentationDataset:
    """Open COCO JSON: a dataset, results, or one of the dialects of ``formats/COCO.md``.

    Parameters
    ----------
    path : path-like
        A JSON file, which may be compressed by gzip, or a folder of SA-1B's.
    keep_index : bool
        Whether what is found in a file that is not compressed is kept in ``<path>.index``, where
        that can be written. Whoever opens the document later reads that instead of going over
        it, as long as it is the same one: ``formats/COCO.md`` says how that is told.

    Returns
    -------
    SegmentationDataset
        Its images, in the document's order. The document is gone over once, now, if it has no
        index; segmentations and further keys are parsed when they are used.

    Raises
    ------
    FormatError
        Where the file is not COCO JSON, or an annotation contradicts it.

    Examples
    --------
    >>> import compactmask as cm
    >>> path = getfixture("tmp_path") / "results.json"
    >>> size = path.write_text(
    ...     '[{"image_id": 7, "category_id": 1, "score": 0.5,'
    ...     ' "segmentation": {"size": [3, 4], "counts": [4, 2, 6]}}]'
    ... )
    >>> ds = cm.open(path)
    >>> ds.instance(0).offset, ds.crop(0).shape, ds.classes
    ((1, 1), (2, 1), ['1'])
    """
    return SegmentationDataset(CocoSource(path, keep_index=keep_index))


class CocoSource:
    """A COCO document: columns in RAM, segmentations and further keys read when they are used.

    Parameters
    ----------
    path : path-like
        A JSON file, or a folder of SA-1B's.
    on_fault : callable, optional
        Called with the error of each bad annotation, which is left out. By default the first
        error is raised: here, or for a segmentation when it is used.
    keep_index : bool
        Whether an index is written where there is none that can be used; not with ``on_fault``.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        on_fault: OnFault | None = None,
        keep_index: bool = False,
    ) -> None:
        self.path = os.path.abspath(os.fsdecode(path))
        self._on_fault = on_fault
        self._keep_index = keep_index
        self._document: Document | None = None
        self._read()

    def __reduce__(self) -> tuple[type[CocoSource], tuple[str]]:
        return CocoSource, (self.path,)

    def refresh(self) -> None:
        """Look at the document again: at its index where it has one, else go over it.

        Raises
        ------
        ValueError
            Where the dataset is closed.
        """
        _ = self._open
        self._read()

    def _read(self) -> None:
        if self._on_fault is not None:
            self._document = document.read(self.path, self._on_fault)
        else:
            self._document = index.load(self.path) or self._gone_over()
        self._last: tuple[int, Packed] | None = None
        self._measures: dict[str, Array] | None = None

    @property
    def classes(self) -> list[str]:
        """Names of the categories."""
        return self._open.content.classes

    @property
    def metadata(self) -> dict[str, Any]:
        """What else the document says."""
        return self._open.metadata

    @property
    def about(self) -> dict[str, str | None]:
        """How it is stored."""
        kind = self._open.content.kind
        return {
            "format": f"COCO JSON, {kind}",
            "encoding": "COCO RLE and polygons",
            "compression": None,
        }

    @property
    def bytes_read(self) -> int:
        """Bytes read since it was indexed."""
        return self._open.masks.bytes_read

    @property
    def file_bytes(self) -> int:
        """Size of the document, as it is on the disk."""
        return self._open.file_bytes

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(self._open.content.images)

    @property
    def n_detections(self) -> int:
        """Number of instances."""
        return len(self._open.content.instances)

    @property
    def images(self) -> Columns:
        """Columns of the images."""
        return Columns(self._open.content.images.mapping())

    @property
    def detections(self) -> Columns:
        """Columns of the instances, image by image."""
        instances = self._open.content.instances
        rows = instances.rows(0, len(instances))
        columns: dict[str, Callable[[], Array]] = {"xyxy": self._all_boxes}
        if instances.class_ids is not None:
            columns["class_id"] = partial(instances.classes, rows)
        for name, read in instances.readers().items():
            columns["data/area" if name == "area" else name] = partial(read, rows)
        if self._some_lack_masks():
            columns["has_mask"] = partial(self._open.masks.has_mask, rows)
        if self._open.some_lack_boxes:
            columns["has_box"] = partial(instances.has_box, rows)
        for name in ("area", "offsets", "crop_shapes"):
            columns[name] = partial(self._measure, name)
        if instances.further is not None:
            for name in instances.further.keys:
                columns[name] = partial(self._further, name)
        return Columns(columns)

    def detection_range(self, i: int) -> tuple[int, int]:
        """Give the first annotation of image ``i`` and the one after its last."""
        indptr = self._open.content.instances.indptr
        return int(indptr[i]), int(indptr[i + 1])

    def fields(self, i: int) -> dict[str, Any]:
        """Give the keyword arguments of image ``i``'s ``sv.Detections``, fresh, all but mask."""
        document = self._open
        instances = document.content.instances
        rows = instances.rows(*self.detection_range(i))
        data = instances.columns(rows)
        fields: dict[str, Any] = {"xyxy": self._boxes(i)}
        if instances.class_ids is not None:
            fields["class_id"] = instances.classes(rows)
        for name in ("confidence", "tracker_id"):
            fields[name] = data.pop(name, None)
        if self._some_lack_masks():
            data["has_mask"] = document.masks.has_mask(rows)
        if document.some_lack_boxes:
            data["has_box"] = instances.has_box(rows)
        return fields | {"data": data | instances.further_columns(rows)}

    def having(self, name: str) -> BoolMask:
        """Tell which images have masks; columns are of all of them."""
        if name != "mask":
            return np.ones(self.n_images, np.bool_)
        is_masked = self._open.masks.is_masked
        return np.array([is_masked(i) for i in range(self.n_images)], np.bool_)

    def masks(self, i: int) -> Packed | None:
        """Give the masks of image ``i``; None where none of its annotations has one."""
        if not self._open.masks.is_masked(i):
            return None
        last = self._last
        if last is None or last[0] != i:
            last = self._last = i, self._open.masks.pack(i, *self.detection_range(i))
        return last[1]

    def instance(self, k: int) -> Instance:
        """Read annotation ``k``."""
        instances = self._open.content.instances
        i = instances.image(k)
        mask = self._mask(i, k)
        row = instances.row(k)
        xyxy = instances.boxes[row]
        return Instance(
            image=i,
            xyxy=_tight_boxes(mask)[0] if np.isnan(xyxy[0]) else xyxy.copy(),
            class_id=None if instances.class_ids is None else int(instances.class_ids[row]),
            offset=(int(mask.offsets[0, 0]), int(mask.offsets[0, 1])),
            crop=_decode(mask),
        )

    def crop(self, k: int) -> BoolMask:
        """Read the crop of annotation ``k``."""
        return _decode(self._mask(self._open.content.instances.image(k), k))

    def crops(self, ks: list[int]) -> list[BoolMask]:
        """Read the crops of several annotations, in the given order."""
        return [self.crop(k) for k in ks]

    def image(self, i: int) -> tuple[int, str, tuple[int, int]]:
        """Give the id, file name and shape of image ``i``."""
        images = self._open.content.images
        return int(images.ids[i]), images.names[i], images.shape(i)

    def place(self, i: int) -> int:
        """Give image ``i``'s place: its position."""
        return i

    def at(self, place: int) -> int | None:
        """Give the position of the image at a place."""
        return place

    @property
    def identity(self) -> str:
        """The path: a document that takes its place is read as the same one."""
        return self.path

    @property
    def state(self) -> str:
        """What tells the document from another one, and from what it was before."""
        return self._open.state

    def close(self) -> None:
        """Let go of the document."""
        self._document = None
        self._last = self._measures = None

    @property
    def _open(self) -> Document:
        if self._document is None:
            raise ValueError(f"{self.path}: the dataset is closed")
        return self._document

    def _gone_over(self) -> Document:
        if self._keep_index:
            return index.read_and_keep(self.path)
        return document.read(self.path, None)

    def _mask(self, i: int, k: int) -> Packed:
        masks = self._open.masks
        if not masks.is_masked(i):
            raise InvalidMaskError(f"{self.path}: image {i} has no masks")
        return masks.pack(i, k, k + 1)

    def _some_lack_masks(self) -> bool:
        return self._open.masks.some_lack_one

    def _boxes(self, i: int) -> npt.NDArray[np.float64]:
        instances = self._open.content.instances
        boxes: npt.NDArray[np.float64] = instances.boxes[
            instances.rows(*self.detection_range(i))
        ].copy()
        missing = np.isnan(boxes[:, 0])
        if missing.any():
            masks = self.masks(i)
            assert masks is not None, "an annotation without a box has a mask"
            boxes[missing] = _tight_boxes(masks)[missing]
        return boxes

    def _all_boxes(self) -> Array:
        instances = self._open.content.instances
        boxes: Array = instances.boxes[instances.rows(0, len(instances))].copy()
        missing = np.flatnonzero(np.isnan(boxes[:, 0])).tolist()
        for i in sorted({instances.image(k) for k in missing}):
            boxes[slice(*self.detection_range(i))] = self._boxes(i)
        return boxes

    def _further(self, name: str) -> Array:
        instances = self._open.content.instances
        return instances.further_columns(instances.rows(0, len(instances)), [name])[name]

    def _measure(self, name: str) -> Array:
        if self._measures is None:
            self._measures = self._measured()
        column = self._measures[name]
        return column.astype(np.int64) if name == "area" else column.copy()

    def _measured(self) -> dict[str, Array]:
        """Turn every segmentation to a mask, and keep what is known of it then."""
        n = self.n_detections
        columns: dict[str, Array] = {
            "area": np.zeros(n, np.uint32),
            "offsets": np.zeros((n, 2), np.int32),
            "crop_shapes": np.zeros((n, 2), np.int32),
        }
        for i in range(self.n_images):
            masks = self.masks(i)
            if masks is not None:
                rows = slice(*self.detection_range(i))
                for name, column in columns.items():
                    column[rows] = getattr(masks, name)
        return columns


def _tight_boxes(masks: Packed) -> npt.NDArray[np.float64]:
    """Give the boxes that pycocotools gives: x2, y2 after the last pixel, zeros for no pixel."""
    boxes = np.hstack((masks.offsets, masks.offsets + masks.crop_shapes[:, ::-1]))
    return np.where(masks.area[:, None] > 0, boxes, 0).astype(np.float64)


def _decode(mask: Packed) -> BoolMask:
    height, width = mask.crop_shapes[0].tolist()
    return dense.decode_crop(mask.data, height, width)
