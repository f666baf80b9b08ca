"""A folder of YOLO segmentation texts as the source of a dataset."""

from __future__ import annotations

import codecs
import os
import struct
from collections.abc import Iterable
from typing import Any, BinaryIO, ClassVar

import numpy as np
import numpy.typing as npt

from compactmask.errors import FormatError, InvalidMaskError
from compactmask.packed import Packed

from ..dataset import SegmentationDataset
from ..folder import Entry, FolderSource, Index, Scanned
from ..source import Array, Columns, OnFault
from . import description, layout, lines
from .size import image_shape


def open(folder: str | os.PathLike[str], on_fault: OnFault | None = None) -> SegmentationDataset:
    """Open a dataset of YOLO segmentation, or the predictions that Ultralytics saves.

    Parameters
    ----------
    folder : path-like
        A folder as ``formats/YOLO.md`` describes it: with ``labels``, ``images`` beside it and
        ``data.yaml``, or one of label files. The texts are read once now; polygons are drawn when
        they are used.
    on_fault : callable, optional
        Called with the error of each bad line or image, which is left out; then polygons are
        drawn now too. By default the first error is raised.

    Returns
    -------
    SegmentationDataset
        The images in the order of their names.

    Raises
    ------
    NotADirectoryError
        Where it is no folder.
    FormatError
        Where a line is not of this format, or an image is missing.

    Examples
    --------
    >>> from PIL import Image
    >>> from compactmask.formats import yolo
    >>> folder = getfixture("tmp_path")
    >>> for name in ("images", "labels"):
    ...     (folder / name).mkdir()
    >>> Image.new("RGB", (10, 10)).save(folder / "images" / "a.png")
    >>> size = (folder / "labels" / "a.txt").write_text("0 .2 .2 .6 .2 .6 .6")
    >>> with yolo.open(folder) as ds:
    ...     print(ds.images["file_name"], ds.detections["area"], ds.detections["xyxy"])
    ['a.png'] [15] [[2. 2. 6. 6.]]
    """
    return SegmentationDataset(YoloSource(folder, on_fault))


class YoloSource(FolderSource):
    """A dataset of YOLO segmentation: columns in RAM, polygons drawn when they are asked for.

    Parameters
    ----------
    path : path-like
        The folder.
    on_fault : callable, optional
        As of :func:`open`.
    """

    SCHEMA: ClassVar[dict[str, np.dtype[Any]]] = {
        "class_id": np.dtype(np.int32),
        "box": np.dtype((np.float64, (4,))),
        "confidence": np.dtype(np.float64),
        "has_mask": np.dtype(np.bool_),
        "line": np.dtype(np.int32),
        "start": np.dtype(np.int64),
        "stop": np.dtype(np.int64),
    }
    ROW = struct.Struct("=i4dd?iqq")
    """An instance, while a file is read: the columns of the schema back to back."""

    def __init__(self, path: str | os.PathLike[str], on_fault: OnFault | None = None) -> None:
        self._described: description.Description | None = None
        self._drawn: tuple[Index, dict[str, Array]] | None = None
        super().__init__(path, on_fault)

    def close(self) -> None:
        """Let go of the folder."""
        super().close()
        self._drawn = None

    @property
    def classes(self) -> list[str]:
        """The names that the description gives; the numbers of the classes where there is none."""
        index = self._opened()
        if self._described is not None:
            return self._described.names
        return [str(k) for k in range(int(index.rows["class_id"].max(initial=-1)) + 1)]

    @property
    def metadata(self) -> dict[str, Any]:
        """What else the description says."""
        self._opened()
        return {} if self._described is None else dict(self._described.metadata)

    @property
    def about(self) -> dict[str, str | None]:
        """How it is stored."""
        self._opened()
        return {"format": "YOLO segmentation", "encoding": "polygons as text", "compression": None}

    @property
    def detections(self) -> Columns:
        """Columns of the instances; those of the masks draw all polygons."""
        index, rows = self._opened(), self._opened().rows

        columns = {
            "xyxy": lambda: _in_pixels(index, slice(None)),
            "class_id": lambda: rows["class_id"].astype(np.int64),
            "area": lambda: self._mask_columns()["area"].copy(),
            "offsets": lambda: self._mask_columns()["offsets"].copy(),
            "crop_shapes": lambda: self._mask_columns()["crop_shapes"].copy(),
        }
        if self._has_confidence:
            columns["confidence"] = rows["confidence"].copy
        if self._is_mixed:
            columns["has_mask"] = rows["has_mask"].copy
        return Columns(columns)

    def fields(self, i: int) -> dict[str, Any]:
        """Give the keyword arguments of image ``i``'s ``sv.Detections``, all but mask."""
        index, own = self._opened(), slice(*self.detection_range(i))
        rows = index.rows
        return {
            "xyxy": _in_pixels(index, own, i),
            "class_id": rows["class_id"][own].astype(np.int64),
            "confidence": rows["confidence"][own].copy() if self._has_confidence else None,
            "data": {"has_mask": rows["has_mask"][own].copy()} if self._is_mixed else {},
        }

    def _side_files(self) -> list[str]:
        path = layout.described_by(self.path)
        return [] if path is None else [path]

    def _entries(self) -> Iterable[Entry]:
        files = self._side_files()
        self._described = description.read(files[0]) if files else None
        return layout.entries(self.path, self._fault)

    def _read(self, before: Index | None) -> Index:
        described = self._described
        try:
            index = super()._read(before)
        except BaseException:
            self._described = described
            raise
        has_mask, masked = index.rows["has_mask"], _masked(index)
        self._masked = masked
        self._is_mixed = not bool(has_mask[np.repeat(masked, np.diff(index.indptr))].all())
        self._has_confidence = not bool(np.isnan(index.rows["confidence"]).all())
        return index

    def _scan(self, entry: Entry) -> Scanned:
        with self._file(entry.image) as file:
            shape = image_shape(file, os.path.join(self.path, entry.image))
        rows = bytearray()
        if entry.file:
            path = os.path.join(self.path, entry.file)
            with self._file(entry.file) as file:
                number, stop = 0, len(codecs.BOM_UTF8)
                if file.read(stop) != codecs.BOM_UTF8:
                    stop = file.seek(0)
                while text := file.readline(lines.LONGEST):
                    number, start, stop = number + 1, stop, stop + len(text)
                    rest = text
                    while len(rest) == lines.LONGEST and not rest.endswith(b"\n"):
                        rest = file.readline(lines.LONGEST)
                        stop += len(rest)
                    try:
                        line = self._line(text, shape)
                    except (FormatError, InvalidMaskError) as error:
                        self._fault(type(error)(f"{path}: line {number}: {error}"))
                        continue
                    if line is not None:
                        rows += self.ROW.pack(
                            line.class_id,
                            *line.box,
                            line.confidence,
                            line.polygon is not None,
                            number,
                            start,
                            stop,
                        )
                self._bytes_read += stop
        table = np.frombuffer(rows, np.dtype(list(self.SCHEMA.items())))
        return Scanned(shape, {name: table[name] for name in self.SCHEMA})

    def _line(self, text: bytes, shape: tuple[int, int]) -> lines.Line | None:
        if len(text) >= lines.LONGEST:
            raise FormatError(f"found {lines.LONGEST:,} bytes or more, expected fewer")
        line = lines.parse(text)
        if line is None:
            return None
        if self._described is not None and line.class_id >= len(self._described.names):
            raise FormatError(
                f"class is {line.class_id}, expected one of the {len(self._described.names)} "
                f"that {description.NAME} names"
            )
        if self._on_fault is not None:
            lines.draw([line.polygon], shape)
        return line

    def _has_masks(self, i: int) -> bool:
        start, stop = self.detection_range(i)
        return start == stop or bool(self._masked[i])

    def _pack(self, i: int, start: int, stop: int) -> Packed:
        index = self._opened()
        height, width = index.shapes[i].tolist()
        polygons: list[lines.Polygon | None] = [None] * (stop - start)
        chosen = (start + np.flatnonzero(index.rows["has_mask"][start:stop])).tolist()
        if chosen:
            with self._file(index.files[i], index.stamps[i, :2]) as file:
                for k in chosen:
                    polygons[k - start] = self._polygon(file, index, i, k)
        try:
            return lines.draw(polygons, (height, width))
        except InvalidMaskError as error:
            if stop - start > 1:  # one by one, to name the line
                for k in range(start, stop):
                    self._pack(i, k, k + 1)
            raise InvalidMaskError(f"{self._name(index, i, start)}: {error}") from None

    def _polygon(self, file: BinaryIO, index: Index, i: int, k: int) -> lines.Polygon:
        first, end = int(index.rows["start"][k]), int(index.rows["stop"][k])
        file.seek(first)
        text = file.read(end - first)
        self._bytes_read += len(text)
        polygon = lines.read(text).polygon
        assert polygon is not None, "the file is the one that was looked at"
        return polygon

    def _name(self, index: Index, i: int, k: int) -> str:
        return f"{os.path.join(self.path, index.files[i])}: line {index.rows['line'][k]}"

    def _mask_columns(self) -> dict[str, Array]:
        index = self._opened()
        if self._drawn is None or self._drawn[0] is not index:
            self._drawn = index, self._draw_all()
        return self._drawn[1]

    def _draw_all(self) -> dict[str, Array]:
        n = self.n_detections
        columns: dict[str, Array] = {
            "area": np.zeros(n, np.int64),
            "offsets": np.zeros((n, 2), np.int32),
            "crop_shapes": np.zeros((n, 2), np.int32),
        }
        for i in range(self.n_images):
            masks = self.masks(i)
            if masks is not None:
                own = slice(*self.detection_range(i))
                columns["area"][own] = masks.area
                columns["offsets"][own] = masks.offsets
                columns["crop_shapes"][own] = masks.crop_shapes
        return columns


def _masked(index: Index) -> npt.NDArray[np.bool_]:
    """Tell which images have an instance with a mask."""
    before = np.concatenate(([0], np.cumsum(index.rows["has_mask"])))
    result: npt.NDArray[np.bool_] = np.diff(before[index.indptr]) > 0
    return result


def _in_pixels(index: Index, own: slice, i: int | None = None) -> npt.NDArray[np.float64]:
    """Give boxes in pixels, of all images or of one."""
    if i is None:
        shapes = np.repeat(index.shapes, np.diff(index.indptr), axis=0)
    else:
        shapes = index.shapes[i : i + 1]
    boxes: npt.NDArray[np.float64] = index.rows["box"][own] * shapes[:, [1, 0, 1, 0]]
    return boxes
