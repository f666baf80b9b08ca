"""The masklets of SA-V: for each frame an RLE for each object."""

from __future__ import annotations

from typing import Any

import numpy as np

from compactmask._kernels.json_scan import KINDS
from compactmask.errors import FormatError

from .compact import Array, Pieces, Places, narrow
from .content import Content
from .frames import Frames
from .gather import NOTHING, Keys
from .instances import Instances, grouped
from .parse import kind_of
from .stream import Stream
from .tracks import items_of
from .values import integer, sides, text

SCORES = "masklet_stability_score"


class Masklets:
    """Gathers the list ``masklet`` of a document.

    Parameters
    ----------
    path : str
        The document, for messages.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._starts = Pieces(np.int64)
        self._lengths = Pieces(np.int64)
        self._objects = Pieces(np.int64)
        self._counts: list[int] = []
        self._frame_starts: list[int] = []

    def read(self, stream: Stream) -> None:
        """Gather the frames.

        Raises
        ------
        FormatError
            Where one is no list.
        """
        if not stream.begin_list("masklet"):
            return
        for block in stream.items(()):
            for row in range(len(block.kinds)):
                start, stop = block.spans[row, 0].tolist()
                try:
                    if block.kinds[row, 0] != KINDS["array"]:
                        found = kind_of(block.value(row))
                        raise FormatError(f"found {found}, expected a list")
                    spans, kinds = items_of(block.text, start, stop)
                except FormatError as error:
                    where = f"{self._path}: masklet[{len(self._counts)}]"
                    raise FormatError(f"{where}: {error}") from None
                seen = np.flatnonzero(kinds > NOTHING)
                self._starts.add(spans[seen, 0] + block.base)
                self._lengths.add(spans[seen, 1] - spans[seen, 0])
                self._objects.add(seen)
                self._counts.append(len(seen))
                self._frame_starts.append(start + block.base)

    def finish(self, rest: dict[str, Any]) -> Content:
        """Make the content of the document, and take what belongs to it from its rest.

        Raises
        ------
        FormatError
            Where something is missing or contradicts the masklets.
        """
        n_frames = len(self._counts)
        try:
            key = text("video_id", rest.get("video_id"))
            size = sides(rest, "video_height", "video_width")
            listed = rest.get("masklet_id")
            if not isinstance(listed, list):
                raise FormatError(f"masklet_id is {kind_of(listed)}, expected a list")
            ids = np.array([integer("masklet_id", item) for item in listed], np.int64)
            objects = self._objects.take().astype(np.int64)
            if len(objects) and objects.max() >= len(ids):
                raise FormatError(
                    f"a frame has {int(objects.max()) + 1} masks, masklet_id {len(ids)} items"
                )
            frame = np.repeat(np.arange(n_frames), self._counts)
            values = {"tracker_id": narrow(ids[objects])}
            scores = rest.pop(SCORES, None)
            if not _is_nothing(scores):
                values["stability_score"] = _scores(scores, frame, objects)
        except FormatError as error:
            raise FormatError(f"{self._path}: {error}") from None
        keys = Keys()
        frames = Frames(keys)
        names = [f"{key}/{i:05d}" for i in range(n_frames)]
        frames.add(keys.number(key), names, size)
        images = frames.images()
        indptr, order = grouped(frame, n_frames)
        instances = Instances(
            path=self._path,
            indptr=indptr,
            order=order,
            item=narrow(frame),
            boxes=np.full((len(frame), 4), np.nan),
            class_ids=None,
            category_ids=np.empty(0, np.int64),
            values=values,
            segmentations=Places(self._starts.take(), self._lengths.take()),
            items=Places(np.array(self._frame_starts, np.int64), np.zeros(n_frames, np.int64)),
            further=None,
        )
        return Content("SA-V", [], images, instances)


def _is_nothing(scores: Any) -> bool:
    """Tell whether there are none: null, or a null for each object."""
    return scores is None or (isinstance(scores, list) and all(item is None for item in scores))


def _scores(listed: Any, frame: Array, objects: Array) -> Array:
    try:
        table = np.array(listed, np.float64)
        if table.ndim == 2:
            found: Array = table[frame, objects]
            return found
    except (ValueError, TypeError, IndexError, OverflowError):
        pass  # ragged, no numbers, too few, too large
    raise FormatError(f"{SCORES}: expected a number for each object of each of the frames")
