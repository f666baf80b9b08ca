"""A COCO JSON document as the source of a dataset."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask._kernels import dense
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

from ..dataset import SegmentationDataset
from ..source import BoolMask, Instance
from .annotations import OnFault
from .columns import Columns
from .content import Content
from .segmentation import pack
from .values import Column


def open(path: str | os.PathLike[str]) -> SegmentationDataset:
    """Open a COCO dataset or a list of COCO results.

    Parameters
    ----------
    path : path-like
        A JSON file, as ``formats/COCO.md`` describes it.

    Returns
    -------
    SegmentationDataset
        Its images, in the document's order. The document is parsed now; segmentations are turned
        to masks when they are used.

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
    return SegmentationDataset(CocoSource(path))


class CocoSource:
    """A COCO document: columns in RAM, segmentations packed when they are asked for.

    Parameters
    ----------
    path : path-like
        A JSON file.
    on_fault : callable, optional
        Called with the error of each bad annotation, which is left out. By default the first
        error is raised: here, or for a segmentation when it is used.
    """

    def __init__(self, path: str | os.PathLike[str], on_fault: OnFault | None = None) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self._on_fault = on_fault
        self._content: Content | None = None
        self.refresh()

    def __reduce__(self) -> tuple[type[CocoSource], tuple[str]]:
        return CocoSource, (self.path,)

    def refresh(self) -> None:
        """Parse the document again."""
        self._content = content = Content.load(self.path, self._on_fault)
        self._last: tuple[int, Packed] | None = None
        self._columns = self._detection_columns(content)

    @property
    def classes(self) -> list[str]:
        """Names of the categories."""
        return self._open.classes

    @property
    def metadata(self) -> dict[str, Any]:
        """What else the document says."""
        return self._open.metadata

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(self._open.shapes)

    @property
    def n_detections(self) -> int:
        """Number of annotations."""
        return len(self._open.annotations.positions)

    @property
    def bytes_read(self) -> int:
        """Size of the document, which is read whole."""
        return os.path.getsize(self.path)

    @property
    def file_bytes(self) -> int:
        """Size of the document."""
        return os.path.getsize(self.path)

    @property
    def about(self) -> dict[str, str | None]:
        """How it is stored."""
        return {
            "format": f"COCO JSON, {self._open.kind}",
            "encoding": "COCO RLE and polygons",
            "compression": None,
        }

    def close(self) -> None:
        """Let go of the document. Closing twice is allowed."""
        self._content = self._last = None

    @property
    def _open(self) -> Content:
        if self._content is None:
            raise ValueError(f"{self.path}: the dataset is closed")
        return self._content

    @property
    def images(self) -> Columns:
        """Columns of the images."""
        return self._open.images

    def image(self, i: int) -> tuple[int, str, tuple[int, int]]:
        """Give the id, file name and shape of image ``i``."""
        images = self._open.images
        name = images["file_name"][i] if "file_name" in images else ""
        height, width = self._open.shapes[i]
        return int(images["id"][i]), str(name), (int(height), int(width))

    def place(self, i: int) -> int:
        """Give the place of image ``i``, which is its position."""
        return i

    def at(self, place: int) -> int | None:
        """Give the position of the image at a place, which is that place."""
        return place

    @property
    def identity(self) -> str:
        """What tells the document from another one: nothing does."""
        return ""

    @property
    def detections(self) -> Columns:
        """Columns of the annotations; those of the masks turn all segmentations to masks."""
        _ = self._open
        return self._columns

    def detection_range(self, i: int) -> tuple[int, int]:
        """Give the first annotation of image ``i`` and the one after its last."""
        indptr = self._open.annotations.indptr
        return int(indptr[i]), int(indptr[i + 1])

    def fields(self, i: int) -> dict[str, Any]:
        """Give the keyword arguments of image ``i``'s ``sv.Detections``, fresh, all but mask."""
        content = self._open
        rows = slice(*self.detection_range(i))
        data = {name: column[rows].copy() for name, column in content.annotations.columns.items()}
        return {
            "xyxy": self._boxes(i),
            "class_id": content.class_ids[rows].copy(),
            "confidence": data.pop("confidence", None),
            "data": data,
        }

    def masks(self, i: int) -> Packed | None:
        """Give the masks of image ``i``; None where none of its annotations has one."""
        content = self._open
        if not content.annotations.masked[i]:
            return None
        last = self._last
        if last is None or last[0] != i:
            last = self._last = i, self._pack(i, *self.detection_range(i))
        return last[1]

    def instance(self, k: int) -> Instance:
        """Read annotation ``k``."""
        content = self._open
        i = self._image(k)
        mask = self._mask(i, k)
        xyxy = content.annotations.boxes[k]
        return Instance(
            image=i,
            xyxy=_tight_boxes(mask)[0] if np.isnan(xyxy[0]) else xyxy.copy(),
            class_id=int(content.class_ids[k]),
            offset=(int(mask.offsets[0, 0]), int(mask.offsets[0, 1])),
            crop=_decode(mask),
        )

    def crop(self, k: int) -> BoolMask:
        """Read the crop of annotation ``k``."""
        return _decode(self._mask(self._image(k), k))

    def crops(self, ks: list[int]) -> list[BoolMask]:
        """Read the crops of several annotations, in the given order."""
        return [self.crop(k) for k in ks]

    def _image(self, k: int) -> int:
        return int(np.searchsorted(self._open.annotations.indptr, k, side="right")) - 1

    def _mask(self, i: int, k: int) -> Packed:
        if not self._open.annotations.masked[i]:
            raise InvalidMaskError(f"{self.path}: image {i} has no masks")
        return self._pack(i, k, k + 1)

    def _pack(self, i: int, start: int, stop: int) -> Packed:
        content = self._open
        segmentations = content.annotations.segmentations[start:stop]
        try:
            return pack(segmentations, content.shapes[i])
        except InvalidMaskError as error:
            if stop - start > 1:  # one by one, to name the annotation
                for k in range(start, stop):
                    self._pack(i, k, k + 1)
            raise InvalidMaskError(f"{content.annotations.name(start)}: {error}") from None

    def _boxes(self, i: int) -> npt.NDArray[np.float64]:
        start, stop = self.detection_range(i)
        boxes = self._open.annotations.boxes[start:stop].copy()
        missing = np.isnan(boxes[:, 0])
        if missing.any():
            masks = self.masks(i)
            assert masks is not None, "an annotation without a box has a mask"
            boxes[missing] = _tight_boxes(masks)[missing]
        return boxes

    def _detection_columns(self, content: Content) -> Columns:
        columns = {"class_id": content.class_ids, **content.annotations.columns}
        late = ["area", "offsets", "crop_shapes"]
        if "area" in columns:
            columns["data/area"] = columns.pop("area")
        if np.isnan(content.annotations.boxes).any():
            late.append("xyxy")
        else:
            columns["xyxy"] = content.annotations.boxes
        return Columns(columns, late, self._mask_columns)

    def _mask_columns(self) -> dict[str, Column]:
        n = self.n_detections
        columns: dict[str, Column] = {
            "xyxy": np.zeros((n, 4), dtype=np.float64),
            "area": np.zeros(n, dtype=np.int64),
            "offsets": np.zeros((n, 2), dtype=np.int32),
            "crop_shapes": np.zeros((n, 2), dtype=np.int32),
        }
        for i in range(self.n_images):
            rows = slice(*self.detection_range(i))
            columns["xyxy"][rows] = self._boxes(i)
            masks = self.masks(i)
            if masks is not None:
                columns["area"][rows] = masks.area
                columns["offsets"][rows] = masks.offsets
                columns["crop_shapes"][rows] = masks.crop_shapes
        return columns


def _tight_boxes(masks: Packed) -> npt.NDArray[np.float64]:
    """Give the boxes that pycocotools gives: x2, y2 after the last pixel, zeros for no pixel."""
    boxes = np.hstack((masks.offsets, masks.offsets + masks.crop_shapes[:, ::-1]))
    return np.where(masks.area[:, None] > 0, boxes, 0).astype(np.float64)


def _decode(mask: Packed) -> BoolMask:
    height, width = mask.crop_shapes[0].tolist()
    return dense.decode_crop(mask.data, height, width)
