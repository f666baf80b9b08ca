"""What an open file holds: its tree, checked against the format and laid out as columns."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any, Final, Literal, cast

import numpy as np
import numpy.typing as npt

from compactmask.errors import CorruptFileError, InvalidMaskError
from compactmask.packed import LazyPacked

from ..source import Instance
from . import schema
from .chunks import ChunkCache
from .column import AnyColumn, Column, Indptr, MaskBytes, NoText, Text
from .extent import Extent
from .handle import Handle
from .layout import Layout, Tree
from .masks import MaskStore

Array = npt.NDArray[Any]
Compression = Literal["gzip", "zstd"] | None
SIDES = (0, schema.MAX_SIDE)
NO_IMAGES: Final[Tree] = {
    extent.path: extent
    for extent in (
        *(
            Extent(f"images/{name}", like.dtype, (0,), 1, inline=b"")
            for name, like in schema.IMAGE_BASE.items()
        ),
        Extent("detections/indptr", schema.I64, (1,), 1, inline=bytes(8)),
        Extent("detections/xyxy", np.dtype("<f4"), (0, 4), 1, inline=b""),
    )
}
"""What a file without a single dataset holds."""


class Contents:
    """One state of a file. It keeps the file open and stays as it is.

    Parameters
    ----------
    handle : Handle
        The file.
    layout : Layout
        What its structure says.
    tree : Tree
        Its datasets, with the rows that its log adds.

    Raises
    ------
    CorruptFileError
        Where a dataset is missing, or has a shape or dtype that the format does not give it.
    """

    def __init__(self, handle: Handle, layout: Layout, tree: Tree) -> None:
        self.handle = handle
        self.version = layout.version
        self.layout: Final = layout
        self.tree: Final = tree or NO_IMAGES
        self._cache = ChunkCache()
        self.columns: dict[str, Column | Text] = {}
        """All columns by their path."""
        self.n_images = n = self._extent("images/id").shape[0]
        self.n_detections = m = self._extent("detections/xyxy").shape[0]
        self.images = self._image_columns(n)
        self._present = self._column("images/present", n, schema.U32)
        self._metadata = self._optional_text("images/metadata", n)
        self.deleted = self._deleted(n)
        self.detection_indptr = self._starts("detections/indptr", n, m)
        self.detections: dict[str, AnyColumn] = {
            "xyxy": self._column("detections/xyxy", m, None, (4,))
        }
        for field in schema.FIELDS:
            if f"detections/{field}" in self.tree:
                self.detections[field] = self._column(f"detections/{field}", m, None)
        self.mask_store = self._mask_store(m) if "masks/indptr" in self.tree else None
        if self.mask_store is not None:
            for name in ("area", "offsets", "crop_shapes"):
                self.detections[name] = self.columns[f"masks/{name}"]
        self._data = self._data_columns(n, m)
        for name, (_, column) in self._data.items():
            shown = f"data/{name}" if name in schema.DETECTION_COLUMNS else name
            self.detections[shown] = column
        self._classes = self._optional_text("classes", None)
        self._about = self._optional_text("metadata", None)

    @property
    def path(self) -> str:
        """The file."""
        return self.handle.path

    @property
    def compression(self) -> Compression:
        """What the packed masks are compressed with."""
        packed = self.tree.get("masks/bytes")
        stored = None if packed is None else packed.codec
        return cast(Compression, stored or self.layout.compression)

    @functools.cached_property
    def class_names(self) -> list[str]:
        """Class names, which are read once."""
        return self.classes()

    def classes(self) -> list[str]:
        """Read the class names."""
        return [] if self._classes is None else self._classes.rows(0, len(self._classes))

    def metadata(self) -> dict[str, Any]:
        """Read what the dataset says about itself, which is the last text of its kind."""
        about = self._about
        if about is None or not len(about):
            return {}
        return self._json(about.rows(len(about) - 1, len(about))[0], about.path)

    def detection_range(self, i: int) -> tuple[int, int]:
        """Give the first instance of an image and the one after its last."""
        return self.detection_indptr.range(i)

    def image(self, i: int) -> tuple[int, str, tuple[int, int]]:
        """Read the id, file name and shape of an image; "" and zeros where there are none."""
        number, height, width = (
            self.columns[f"images/{name}"].rows(i, i + 1)[0] for name in ("id", "height", "width")
        )
        names = self.images["file_name"]
        name = names.rows(i, i + 1)[0] if isinstance(names, Text) else ""
        return int(number), str(name), (int(height), int(width))

    def fields(self, i: int) -> dict[str, Any]:
        """Read the keyword arguments of an image's ``sv.Detections``, all but mask."""
        start, stop = self.detection_indptr.range(i)
        present = self._present.value(i)
        xyxy = self._numbers("xyxy", start, stop)
        if not np.isfinite(xyxy).all():
            raise CorruptFileError(f"{self.path}: /detections/xyxy: image {i}: not finite")
        fields: dict[str, Any] = {"xyxy": xyxy}
        for field, bit in schema.FIELDS.items():
            if present & bit:
                fields[field] = self._numbers(field, start, stop)
        fields["data"] = {
            name: _contained(form, column, start, stop)
            for name, (forms, column) in self._data.items()
            if (form := forms.value(i)) != schema.ABSENT
        }
        if present & schema.METADATA:
            if self._metadata is None:
                raise self._missing("images/metadata")
            text = self._metadata.rows(i, i + 1)[0]
            fields["metadata"] = self._json(text, f"{self._metadata.path}: image {i}")
        return fields

    def having(self, name: str) -> npt.NDArray[np.bool_]:
        """Tell which images have a field, "mask" or a data column."""
        bit = schema.MASK if name == "mask" else schema.FIELDS.get(name)
        if bit is not None:
            return (self._present.all() & bit).astype(np.bool_)
        forms, _ = self._data[name]
        return np.not_equal(forms.all(), schema.ABSENT)

    def masks(self, i: int) -> LazyPacked | None:
        """Give the masks of an image, lazily."""
        if not self._present.value(i) & schema.MASK:
            return None
        start, stop = self.detection_indptr.range(i)
        shape = self._side("height", i), self._side("width", i)
        return self.existing_masks().lazy(start, stop, shape, i)

    def crops(self, ks: list[int]) -> list[npt.NDArray[np.bool_]]:
        """Read the crops of several instances."""
        return self.existing_masks().crops(ks) if ks else []

    def instance(self, k: int) -> Instance:
        """Read an instance."""
        masks = self.existing_masks()
        crop = masks.crop(k)
        image = self.detection_indptr.find(k)
        x, y = offset = masks.offset(k)
        height, width = self._side("height", image), self._side("width", image)
        if y + crop.shape[0] > height or x + crop.shape[1] > width:
            raise CorruptFileError(
                f"{self.path}: /masks/offsets: image {image}, instance {k}: a crop of {crop.shape} "
                f"at {offset} is outside of its image {(height, width)}"
            )
        class_id = None
        if self._present.value(image) & schema.FIELDS["class_id"]:
            class_id = self._numbers("class_id", k, k + 1).item()
        return Instance(image, self._numbers("xyxy", k, k + 1)[0], class_id, offset, crop)

    def check(self) -> None:
        """Read all columns, but the packed masks, chunk by chunk.

        Raises
        ------
        CorruptFileError
            Where a chunk is damaged, or holds what may not stand there, or images share an id.
        """
        starts = [self.detection_indptr]
        if self.mask_store is not None:
            starts.append(self.mask_store.indptr)
        for column in (*starts, *self.columns.values()):
            column.check()
        self.metadata()
        self._check_ids()

    def _check_ids(self) -> None:
        """Refuse an id that two images have, of those that are not deleted."""
        living = np.delete(np.arange(self.n_images), self.deleted)
        ids = self.columns["images/id"].all()[living]
        order = np.argsort(ids, kind="stable")
        same = np.flatnonzero(ids[order[1:]] == ids[order[:-1]])
        if len(same):
            first, second = living[order[same[0] : same[0] + 2]].tolist()
            raise CorruptFileError(
                f"{self.path}: /images/id: images {first} and {second} have the id "
                f"{ids[order[same[0]]]}, expected one each"
            )

    def _deleted(self, n: int) -> npt.NDArray[np.int64]:
        if "images/deleted" not in self.tree:
            return np.empty(0, np.int64)
        limits = (0, n - 1)
        return self._column("images/deleted", None, schema.I64, limits=limits).all()

    def _image_columns(self, n: int) -> dict[str, AnyColumn]:
        columns: dict[str, AnyColumn] = {"id": self._column("images/id", n, schema.I64)}
        columns["file_name"] = self._optional_text("images/file_name", n) or NoText(n)
        for side in ("height", "width"):
            columns[side] = self._column(f"images/{side}", n, schema.I32, limits=SIDES)
        for name, path in self._named("images/columns"):
            if name in schema.IMAGE_COLUMNS:
                raise CorruptFileError(f"{self.path}: /{path}: images have {name!r} of their own")
            columns[name] = self._named_column(path, n)
        return columns

    def _data_columns(self, n: int, m: int) -> dict[str, tuple[Column, Column | Text]]:
        limits = (schema.OBJECT, schema.MAX_TEXT_WIDTH)
        columns = {}
        for name, path in self._named("detections/data"):
            link = path.rpartition("/")[2]
            forms = self._column(f"images/data/{link}", n, schema.I32, limits=limits)
            columns[name] = forms, self._named_column(path, m)
        for name, path in self._named("images/data"):
            if name not in columns:
                raise self._missing(path.replace("images", "detections", 1))
        return columns

    def _mask_store(self, m: int) -> MaskStore:
        packed = self._extent("masks/bytes")
        if packed.dtype != schema.U8 or len(packed.shape) != 1:
            raise self._mismatch(packed, schema.U8, "any length")
        limits = {"offsets": SIDES, "crop_shapes": SIDES, "area": (0, schema.MAX_CROP_PIXELS)}
        columns = {
            name: self._column(
                f"masks/{name}", m, like.dtype, like.shape[1:], limits=limits.get(name)
            )
            for name, like in schema.MASK_COLUMNS.items()
        }
        return MaskStore(
            columns,
            self._starts("masks/indptr", m, packed.shape[0]),
            MaskBytes(packed, self.handle, self._cache),
            self.detection_indptr,
            self.handle,
        )

    def existing_masks(self) -> MaskStore:
        """Give the masks, or refuse where no image has any."""
        if self.mask_store is None:
            raise InvalidMaskError(f"{self.path}: no image has masks")
        return self.mask_store

    def _side(self, name: str, i: int) -> int:
        column = self.images[name]
        assert isinstance(column, Column)
        side: int = column.value(i)
        if side < 1:
            raise CorruptFileError(f"{column.path}: image {i}: 0, and the image has masks")
        return side

    def _numbers(self, name: str, start: int, stop: int) -> Array:
        column = self.detections.get(name)
        if not isinstance(column, Column):
            raise self._missing(f"detections/{name}")
        return column.rows(start, stop).copy()

    def _named(self, group: str) -> Iterator[tuple[str, str]]:
        """Give the name and path of each column of a group."""
        links = {
            path[len(group) + 1 :].partition("/")[0]
            for path in self.tree
            if path.startswith(f"{group}/")
        }
        for link in sorted(links):
            yield schema.column_name(link), f"{group}/{link}"

    def _named_column(self, path: str, rows: int) -> Column | Text:
        if path in self.tree:
            return self._column(path, rows, None, self.tree[path].shape[1:])
        return self._text(path, rows)

    def _optional_text(self, path: str, rows: int | None) -> Text | None:
        return self._text(path, rows) if f"{path}/indptr" in self.tree else None

    def _text(self, path: str, rows: int | None) -> Text:
        data = Column(self._extent(f"{path}/bytes"), self.handle, self._cache)
        self._check(data.extent, None, schema.U8, ())
        text = Text(self._starts(f"{path}/indptr", rows, len(data)), data)
        self.columns[path] = text
        return text

    def _starts(self, path: str, lists: int | None, total: int) -> Indptr:
        extent = self._extent(path)
        if lists is None:
            lists = max(extent.shape[0] - 1, 0)
        self._check(extent, lists + 1, schema.I64, ())
        return Indptr(extent, self.handle, self._cache, total=total)

    def _column(
        self,
        path: str,
        rows: int | None,
        dtype: np.dtype[Any] | None,
        inner: tuple[int, ...] = (),
        *,
        limits: tuple[int, int] | None = None,
    ) -> Column:
        extent = self._extent(path)
        self._check(extent, rows, dtype, inner)
        column = Column(extent, self.handle, self._cache, limits=limits)
        self.columns[path] = column
        return column

    def _check(
        self,
        extent: Extent,
        rows: int | None,
        dtype: np.dtype[Any] | None,
        inner: tuple[int, ...],
    ) -> None:
        """Refuse a column that is not what it must be; None stands for any."""
        expected = extent.shape[0] if rows is None else rows, *inner
        if extent.shape != expected or dtype not in (None, extent.dtype):
            raise self._mismatch(extent, dtype or extent.dtype, expected)
        if extent.inline is None and extent.codec is None:
            raise CorruptFileError(
                f"{self.path}: /{extent.path}: neither compact nor compressed, so without a "
                "checksum"
            )

    def _extent(self, path: str) -> Extent:
        if path not in self.tree:
            raise self._missing(path)
        return self.tree[path]

    def _missing(self, path: str) -> CorruptFileError:
        return CorruptFileError(f"{self.path}: /{path}: missing")

    def _mismatch(self, extent: Extent, dtype: Any, expected: Any) -> CorruptFileError:
        return CorruptFileError(
            f"{self.path}: /{extent.path}: {extent.dtype} of shape {extent.shape}, "
            f"expected {dtype} of {expected}"
        )

    def _json(self, text: str | bytes, where: str) -> dict[str, Any]:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CorruptFileError(f"{where}: not JSON: {error}") from None
        if not isinstance(value, dict):
            raise CorruptFileError(f"{where}: a JSON object expected, not {type(value).__name__}")
        return value


def _contained(form: int, column: Column | Text, start: int, stop: int) -> Any:
    """Give rows of a data column in the container that they were appended in."""
    if isinstance(column, Column):
        rows = column.rows(start, stop)
        if form in (schema.LIST, schema.NDARRAY):
            return rows.tolist() if form == schema.LIST else rows.copy()
    if start == stop or isinstance(column, Text):
        texts = column.rows(start, stop) if isinstance(column, Text) else []
        if form == schema.LIST:
            return texts
        if form == schema.OBJECT:
            return np.array(texts, dtype=object)
        if form >= max(map(len, texts), default=0):
            return np.array(texts, dtype=f"<U{form}")
    raise CorruptFileError(f"{column.path}: rows {start} to {stop} cannot be of form {form}")
