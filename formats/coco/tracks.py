"""Objects of videos: an instance for each frame in which one is seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from compactmask._kernels import json_objects
from compactmask._kernels.json_objects import Objects
from compactmask._kernels.json_scan import KINDS
from compactmask.errors import FormatError

from .annotations import TAKEN
from .compact import Array, Pieces, Places, narrow, positions
from .content import Categories, Content
from .faults import Faults
from .file import Bytes
from .frames import MOST_FRAMES, Frames
from .further import FurtherKeys
from .gather import NO_INTEGER, NOTHING, Gather, Keys, integer_field, number_field
from .instances import Instances, grouped
from .parse import kind_of
from .stream import Block, Further, Stream
from .values import NO_BOX, box, number

OF_VIDEO = frozenset({"height", "width"})
"""Keys that say what the video says."""


class Tracks:
    """Gathers annotations of videos, each of which is an object with a mask for each frame.

    Parameters
    ----------
    keys : Keys
        The ids of videos.
    faults : Faults
        What becomes of bad annotations.
    """

    KEYS = (
        "video_id",
        "category_id",
        "id",
        "iscrowd",
        "score",
        "segmentations",
        "bboxes",
        "areas",
    )

    def __init__(self, keys: Keys, faults: Faults) -> None:
        self._keys = keys
        self._faults = faults
        fields = [
            keys.field("video_id"),
            integer_field("category_id", NO_INTEGER),
            integer_field("id", -1),
            integer_field("iscrowd", 0),
            number_field("score"),
        ]
        self._gather = Gather(fields)
        self._further: dict[str, Further] = {}
        self._count = 0
        self._lengths: list[int] = []
        self._frame = Pieces(np.int64)
        self._item = Pieces(np.int64)
        self._start = Pieces(np.int64)
        self._length = Pieces(np.int64)
        self._boxes = Pieces(np.float64, (4,))
        self._areas = Pieces(np.float64)
        self._has_areas = False

    def read(self, stream: Stream) -> None:
        """Gather the items of a list that was begun."""
        for block in stream.items(self.KEYS, self._further):
            columns, faults = self._gather.read(block)
            for row in range(len(block.kinds)):
                if row in faults:
                    continue
                try:
                    self._add_frames(block, row)
                except FormatError as error:
                    faults[row] = error
            self._faults.tell_rows(block, 1 + self.KEYS.index("id"), faults)
            self._gather.take(block, columns, np.delete(np.arange(len(block.kinds)), list(faults)))
            self._count += len(block.kinds)

    def _add_frames(self, block: Block, row: int) -> None:
        """Append the frames of an annotation; nothing where it is refused."""
        column = 1 + self.KEYS.index("segmentations")
        if block.kinds[row, column] != KINDS["array"]:
            found = kind_of(block.value(row, column))
            raise FormatError(f"segmentations is {found}, expected a list")
        start, stop = block.spans[row, column].tolist()
        spans, kinds = items_of(block.text, start, stop)
        n = len(kinds)
        if n > MOST_FRAMES:
            raise FormatError(f"segmentations has {n} items, expected at most {MOST_FRAMES}")
        boxes = self._list_of(block, row, "bboxes", n)
        areas = self._list_of(block, row, "areas", n)
        frames = np.flatnonzero(kinds > NOTHING)
        corners = np.array([NO_BOX if b is None else box(b) for b in boxes], np.float64)
        sizes = np.array([np.nan if a is None else number("areas", a) for a in areas], np.float64)
        item = len(self._lengths)
        self._lengths.append(n)
        self._frame.add(frames)
        self._item.add(np.full(len(frames), item))
        self._start.add(spans[frames, 0] + block.base)
        self._length.add(spans[frames, 1] - spans[frames, 0])
        self._boxes.add(corners.reshape(-1, 4)[frames])
        self._areas.add(sizes[frames])
        self._has_areas |= not bool(np.isnan(sizes).all())

    def _list_of(self, block: Block, row: int, key: str, n: int) -> list[Any]:
        value = block.value(row, 1 + self.KEYS.index(key))
        if value is None:
            return [None] * n
        if not isinstance(value, list) or len(value) != n:
            found = len(value) if isinstance(value, list) else kind_of(value)
            raise FormatError(f"{key} is {found}, expected a list of {n} items as segmentations")
        return value

    def finish(self, frames: Frames | None, categories: Categories, file: Bytes) -> Content:
        """Make the content of ground truth, or of predictions (no videos)."""
        gather, faults = self._gather, self._faults
        videos, category = gather.column("video_id"), gather.column("category_id")
        ids, items = gather.column("id"), gather.items()
        lengths = np.array(self._lengths, np.int64)
        check = faults.of_rows(ids, items.starts)
        check.missing("video_id", videos)
        check.missing("category_id", category)
        categories = check.listed(category, categories)
        keep = check.keep
        found = self._named(videos[keep], lengths[keep]) if frames is None else frames
        at = positions(found.numbers(), videos)
        check.refuse(
            at < 0,
            lambda row: (
                f"video_id {self._keys.name(int(videos[row]))} is not among the {len(found)} videos"
            ),
        )
        starts, n_frames = found.bounds()
        if len(found):
            check.refuse(
                lengths > n_frames[at],
                lambda row: (
                    f"segmentations has {lengths[row]} items, its video {n_frames[at[row]]} frames"
                ),
            )
        item, frame = self._item.take().astype(np.int64), self._frame.take().astype(np.int64)
        rows = np.flatnonzero(check.keep[item])
        item = item[rows]
        images = found.images()
        image = starts[at[item]] + frame[rows]
        values = {"tracker_id": narrow((np.arange(len(ids)) if frames is None else ids)[item])}
        for key, name in (("iscrowd", "iscrowd"), ("score", "confidence")):
            column = gather.column(key)
            if key in gather.present:
                values[name] = column[item]
        if self._has_areas:
            values["area"] = self._areas.take()[rows]
        indptr, order = grouped(image, len(images))
        further = {key: told for key, told in self._further.items() if key not in OF_VIDEO}
        instances = Instances(
            path=faults.path,
            indptr=indptr,
            order=order,
            item=narrow(item),
            boxes=self._boxes.take()[rows],
            class_ids=narrow(positions(categories.ids, category)[item]),
            category_ids=categories.ids,
            values=values,
            segmentations=Places(self._start.take()[rows], self._length.take()[rows]),
            items=items,
            further=FurtherKeys(
                faults.path, file, items, np.zeros(len(ids), np.int8), further, self._count, TAKEN
            ),
        )
        kind = "video results" if frames is None else "video dataset"
        return Content(kind, categories.names, images, instances)

    def _named(self, videos: Array, lengths: Array) -> Frames:
        """Make the videos that predictions name, in the order of their first appearance."""
        frames = Frames(self._keys)
        longest: dict[int, int] = {}
        for number_of, length in zip(videos.tolist(), lengths.tolist(), strict=True):
            longest[number_of] = max(longest.get(number_of, 0), length)
        texts = list(self._keys.texts)
        for number_of, length in longest.items():
            key = texts[number_of] if texts else number_of
            frames.add(number_of, [f"{key}/{frame:05d}" for frame in range(length)], (0, 0))
        return frames


def items_of(text: bytes, start: int, stop: int) -> tuple[Array, Array]:
    """Give where the items of a list stand that is at ``text[start:stop]``, and their kinds."""
    spans = np.empty((0, 1, 2), np.int64)
    kinds = np.empty((0, 1), np.uint8)
    inside = text[start + 1 : stop]
    if inside[:-1].strip() == b"":
        return spans[:, 0], kinds[:, 0]
    pieces = []
    objects = Objects([])
    at = len(inside) - len(inside.lstrip())
    while True:
        spans, kinds = np.empty((256, 1, 2), np.int64), np.empty((256, 1), np.uint8)
        rows, at, outcome = objects.scan(inside, at, spans, kinds)
        pieces.append((spans[:rows, 0] + start + 1, kinds[:rows, 0]))
        if outcome == json_objects.END:
            break
        if outcome != json_objects.FULL:
            raise FormatError(f"not JSON at character {at} of a list of {len(inside)}")
    return np.concatenate([s for s, _ in pieces]), np.concatenate([k for _, k in pieces])
