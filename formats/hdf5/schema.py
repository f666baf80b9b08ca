"""What HDF5.md says, as names: versions, attributes, presence bits, forms and limits."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

FORMAT: Final = "compactmask"
FORMAT_VERSION: Final = (1, 0)
ENCODING: Final = "edge-words"
ENCODING_VERSION: Final = 1

ORDER: Final = "F"
BOXES: Final = "xyxy as given; offsets are x, y of a crop's first pixel, crop_shapes its h, w"
# Bits of /images/present: what the image's Detections had. xyxy is always there.
MASK: Final = 1
FIELDS: Final = {"confidence": 2, "class_id": 4, "tracker_id": 8}
FILE_NAME: Final = 16
METADATA: Final = 32

# Values of /images/data/<name>: what held the column in the image's Detections.data.
ABSENT: Final = 0
NDARRAY: Final = 1
"""For text, an ndarray is given by the width of its dtype instead, which is at least 1."""
LIST: Final = -1
OBJECT: Final = -2

MAX_SIDE: Final = 1 << 20
MAX_CROP_PIXELS: Final = (1 << 32) - 1
MAX_TEXT_WIDTH: Final = 65_535
MAX_CHUNK_BYTES: Final = 1 << 24
MAX_DIMENSIONS: Final = 8
MAX_COLUMNS: Final = 1024
"""In one group of columns that a writer names."""

CHUNK_ROWS: Final = 4_096
CHUNK_BYTES: Final = 1 << 19
"""A chunk of wide rows holds as many as fit into this, at least one."""
TEXT_CHUNK_BYTES: Final = 1 << 16
MASK_CHUNK_BYTES: Final = 1 << 16

I32: Final = np.dtype("<i4")
I64: Final = np.dtype("<i8")
U8: Final = np.dtype("u1")
U32: Final = np.dtype("<u4")

IMAGE_COLUMNS: Final = ("id", "file_name", "height", "width")
"""Names that a further column of images cannot have."""
DETECTION_COLUMNS: Final = (
    "xyxy",
    "class_id",
    "confidence",
    "tracker_id",
    "area",
    "offsets",
    "crop_shapes",
)
"""Columns that a dataset shows itself; a data column of such a name is shown as data/<name>."""

IMAGE_BASE: Final[dict[str, npt.NDArray[Any]]] = {
    "id": np.empty(0, I64),
    "height": np.empty(0, I32),
    "width": np.empty(0, I32),
    "present": np.empty(0, U32),
}
"""The columns that /images always has, each with its dtype."""
MASK_COLUMNS: Final[dict[str, npt.NDArray[Any]]] = {
    "offsets": np.empty((0, 2), I32),
    "crop_shapes": np.empty((0, 2), I32),
    "area": np.empty(0, I64),
    "crc": np.empty(0, U32),
}
"""The columns of /masks, each with its dtype and the shape of its rows."""

TEXT_DATASETS: Final = ("bytes", "indptr")
DATASETS: Final = (
    *(f"images/{name}" for name in IMAGE_BASE),
    "images/file_name",
    "images/metadata",
    "images/deleted",
    "detections/indptr",
    "detections/xyxy",
    *(f"detections/{field}" for field in FIELDS),
    "masks/indptr",
    "masks/bytes",
    *(f"masks/{name}" for name in MASK_COLUMNS),
    "classes",
    "metadata",
)
"""Every dataset, or group of text, that the format gives a name."""
NAMED_GROUPS: Final = ("images/columns", "images/data", "detections/data")
"""Groups of columns that a writer names."""


def chunk_rows(row_bytes: int) -> int:
    """Give how many rows of a column share a chunk."""
    return max(1, min(CHUNK_ROWS, CHUNK_BYTES // max(row_bytes, 1)))


def link_name(name: str) -> str:
    """Give the HDF5 link name of a column: %, / and NUL, and the name "." are percent-encoded."""
    if name == ".":
        return "%2E"
    return name.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")


def column_name(link: str) -> str:
    """Give back the name of a column from its link."""
    if link == "%2E":
        return "."
    return link.replace("%00", "\0").replace("%2F", "/").replace("%25", "%")


def is_dataset(path: Any) -> bool:
    """Tell whether the format has a dataset of this path."""
    try:
        path.encode()
    except (AttributeError, UnicodeEncodeError):
        return False
    parent, _, name = path.rpartition("/")
    return _is_column(path) or (name in TEXT_DATASETS and _is_column(parent))


def instead_of(path: str) -> tuple[str, ...]:
    """Give the datasets that cannot exist beside one: a column is numbers or text."""
    return path.rpartition("/")[0], *(f"{path}/{part}" for part in TEXT_DATASETS)


def _is_column(path: str) -> bool:
    parent, _, name = path.rpartition("/")
    is_link = name != "" and name == link_name(column_name(name))
    return path in DATASETS or (parent in NAMED_GROUPS and is_link)
