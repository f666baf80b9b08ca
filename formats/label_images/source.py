"""A folder of label images as the source of a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from compactmask import _check
from compactmask._kernels.labels import Bundle
from compactmask._kernels.scan import Scan
from compactmask.errors import CorruptFileError, InvalidMaskError
from compactmask.packed import Packed

from ..dataset import SegmentationDataset
from ..folder import Entry, FolderSource, Scanned
from ..listing import walk
from ..source import Columns, OnFault
from . import pixels

SUFFIXES = (".png", ".tif", ".tiff")


def open(folder: str | os.PathLike[str], on_fault: OnFault | None = None) -> SegmentationDataset:
    """Open a folder of label images.

    Parameters
    ----------
    folder : path-like
        A folder as ``formats/LABEL_IMAGES.md`` describes it: PNG and TIFF files, also in
        sub-folders, 0 the background and every other value an instance. Each file is decoded
        once now, to count its instances, and again when its masks are used.
    on_fault : callable, optional
        Called with the error of each bad image, which is left out. By default the first error
        is raised.

    Returns
    -------
    SegmentationDataset
        An image for each file, in the order of their names; ``data["label"]`` is the value of
        each instance. There are no classes.

    Raises
    ------
    NotADirectoryError
        Where it is no folder.
    FormatError
        Where a file is no label image.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from compactmask.formats import label_images
    >>> folder = getfixture("tmp_path")
    >>> Image.fromarray(np.array([[7, 7, 0], [0, 2, 2]], np.uint8)).save(folder / "a.png")
    >>> with label_images.open(folder) as ds:
    ...     print(ds.images["file_name"], ds.detections["label"], ds.crop(0).shape)
    ['a.png'] [2 7] (1, 2)
    """
    return SegmentationDataset(LabelImageSource(folder, on_fault))


class LabelImageSource(FolderSource):
    """A folder of label images: columns in RAM, pixels decoded when they are asked for.

    Parameters
    ----------
    path : path-like
        The folder.
    on_fault : callable, optional
        As of :func:`open`.
    """

    SCHEMA: ClassVar[dict[str, np.dtype[Any]]] = {
        "label": np.dtype(np.uint32),
        "area": np.dtype(np.uint32),
        "offsets": np.dtype((np.int32, (2,))),
        "crop_shapes": np.dtype((np.int32, (2,))),
    }

    @property
    def classes(self) -> list[str]:
        """No class names: a label image has instances only."""
        self._opened()
        return []

    @property
    def about(self) -> dict[str, str | None]:
        """How it is stored."""
        self._opened()
        return {"format": "label images", "encoding": "PNG and TIFF", "compression": None}

    @property
    def detections(self) -> Columns:
        """Columns of the instances."""
        rows = self._opened().rows
        return Columns(
            {
                "xyxy": lambda: _boxes(rows["offsets"], rows["crop_shapes"]),
                "area": lambda: rows["area"].astype(np.int64),
                "offsets": rows["offsets"].copy,
                "crop_shapes": rows["crop_shapes"].copy,
                "label": lambda: rows["label"].astype(np.int64),
            }
        )

    def fields(self, i: int) -> dict[str, Any]:
        """Give the keyword arguments of image ``i``'s ``sv.Detections``, all but mask."""
        index, own = self._opened(), slice(*self.detection_range(i))
        return {
            "xyxy": _boxes(index.rows["offsets"][own], index.rows["crop_shapes"][own]),
            "data": {"label": index.rows["label"][own].astype(np.int64)},
            "class_id": None,
        }

    def _entries(self) -> Iterable[Entry]:
        return [Entry(name, name) for name in walk(self.path, SUFFIXES)]

    def _scan(self, entry: Entry) -> Scanned:
        masks, ids = self._decode(entry.file)
        return Scanned(
            masks.image_shape,
            {
                "label": ids,
                "area": masks.area,
                "offsets": masks.offsets,
                "crop_shapes": masks.crop_shapes,
            },
        )

    def _pack(self, i: int, start: int, stop: int) -> Packed:
        index = self._opened()
        name = index.files[i]
        masks, ids = self._decode(name, index.stamps[i, :2])
        if not np.array_equal(ids, index.rows["label"][start:stop]):
            raise CorruptFileError(
                f"{os.path.join(self.path, name)}: found {masks.n} other instances than when it "
                "was looked at; refresh() reads it again"
            )
        return masks

    def _one(self, i: int, k: int, start: int, stop: int) -> tuple[Packed, int]:
        masks = self.masks(i)
        assert masks is not None
        return masks, k - start

    def _decode(
        self, name: str, stamp: npt.NDArray[np.int64] | None = None
    ) -> tuple[Packed, npt.NDArray[np.integer[Any]]]:
        path = os.path.join(self.path, name)
        with self._file(name, stamp) as file:
            labels = pixels.read(file, path)
            self._bytes_read += os.fstat(file.fileno()).st_size
        try:
            lines = _check.label_image(labels)
            height, width = lines.shape
            bundle = Bundle([Scan(lines, 0)], height, width, True)
            return Packed(bundle.pack(0, len(bundle.ids))), bundle.ids
        except InvalidMaskError as error:
            raise InvalidMaskError(f"{path}: {error}") from None


def _boxes(
    offsets: npt.NDArray[np.int32], crop_shapes: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Give tight boxes; x2 and y2 are after the last pixel."""
    return np.hstack((offsets, offsets + crop_shapes[:, ::-1])).astype(np.float64)
