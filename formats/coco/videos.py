"""Videos: an image for each frame, and an instance for each frame that an object is seen in."""

from __future__ import annotations

from typing import Any

import numpy as np

from compactmask._kernels import json_objects
from compactmask._kernels.json_objects import Objects
from compactmask._kernels.json_scan import KINDS
from compactmask.errors import FormatError

from .annotations import TAKEN
from .compact import Array, Pieces, Places, Texts, narrow, positions, text_column
from .content import Categories, Content
from .faults import Faults
from .file import Bytes
from .further import FurtherKeys
from .gather import NO_INTEGER, NOTHING, Gather, Keys, integer_field, number_field
from .images import Images
from .instances import Instances, grouped
from .parse import kind_of
from .stream import Block, Further, Stream
from .values import NO_BOX, box, number, side, text

MOST_FRAMES = 1 << 20
"""Of a video."""


class Frames:
    """Images of videos, frame by frame.

    Parameters
    ----------
    keys : Keys
        The ids of videos.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._names: list[str] = []
        self._sizes: list[tuple[int, int]] = []
        self._starts: dict[int, int] = {}
        self._lengths: list[int] = []

    def add(self, number: int, names: list[str], size: tuple[int, int]) -> None:
        """Append a video: its number, the names of its frames, its height and width."""
        self._starts[number] = len(self._names)
        self._lengths.append(len(names))
        self._names += names
        self._sizes.append(size)

    def __contains__(self, number: int) -> bool:
        return number in self._starts

    def __len__(self) -> int:
        return len(self._lengths)

    def numbers(self) -> Array:
        """Give the numbers of the videos."""
        return np.array(list(self._starts), np.int64)

    def bounds(self) -> tuple[Array, Array]:
        """Give the first image and the number of frames of each video."""
        return np.array(list(self._starts.values()), np.int64), np.array(self._lengths, np.int64)

    def images(self) -> Images:
        """Give the images."""
        lengths = np.array(self._lengths, np.int64)
        sizes = np.array(self._sizes, np.int32).reshape(-1, 2).repeat(lengths, axis=0)
        numbers = self.numbers()
        shown: Array = numbers
        if self._keys.texts:
            texts = list(self._keys.texts)
            shown = text_column([texts[key] for key in numbers.tolist()])
        n = len(self._names)
        frame = np.arange(n) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return Images(
            ids=np.arange(n),
            numbers=np.arange(n),
            names=Texts(self._names),
            heights=sizes[:, 0].copy(),
            widths=sizes[:, 1].copy(),
            columns={"video_id": shown.repeat(lengths), "frame": frame},
        )


def read(stream: Stream, keys: Keys) -> Frames:
    """Read the list ``videos`` of a dataset.

    Raises
    ------
    FormatError
        Where one is not what COCO.md says.
    """
    frames = Frames(keys)
    if not stream.begin_list("videos"):
        return frames
    position = 0
    for block in stream.items(()):
        for row in range(len(block.kinds)):
            try:
                _add_video(frames, keys, block.value(row))
            except FormatError as error:
                raise FormatError(f"{stream.path}: videos[{position}]: {error}") from None
            position += 1
    return frames


def _add_video(frames: Frames, keys: Keys, item: Any) -> None:
    if not isinstance(item, dict):
        raise FormatError(f"found {kind_of(item)}, expected an object")
    key = item.get("id")
    if key is None:
        raise FormatError("id is None, expected an integer or text")
    number_ = keys.number(key)
    if number_ in frames:
        raise FormatError(f"id {keys.name(number_)} is that of another one too")
    names = item.get("file_names")
    length = item.get("length", len(names) if isinstance(names, list) else None)
    if names is None and type(length) is int and 0 <= length <= MOST_FRAMES:
        names = [f"{key}/{frame:05d}" for frame in range(length)]
    if not isinstance(names, list):
        raise FormatError(f"file_names is {kind_of(names)}, expected a list")
    size = side("height", item.get("height")), side("width", item.get("width"))
    frames.add(number_, [text("file_names", name) for name in names], size)


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
    _LEFT = frozenset({"height", "width"})

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
            for row in sorted(faults):
                key = None
                if block.kinds[row, 3] == KINDS["integer"]:
                    key = block.value(row, 3)
                self._faults.tell(key, block.base + int(block.spans[row, 0, 0]), faults[row])
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
        videos = gather.column("video_id").astype(np.int64)
        category = gather.column("category_id").astype(np.int64)
        ids, items = gather.column("id"), gather.items()
        lengths = np.array(self._lengths, np.int64)
        is_predicted = frames is None
        keep = np.ones(len(ids), np.bool_)
        nothing = videos == NO_INTEGER
        faults.refuse(
            keep, nothing, ids, items.starts, lambda _: "video_id is None, expected an integer"
        )
        nothing = category == NO_INTEGER
        faults.refuse(
            keep, nothing, ids, items.starts, lambda _: "category_id is None, expected an integer"
        )
        listed = categories
        if len(listed.ids):
            faults.refuse(
                keep,
                ~np.isin(category, listed.ids),
                ids,
                items.starts,
                lambda row: (
                    f"category_id {category[row]} is not among the {len(listed.ids)} categories"
                ),
            )
        found = self._named(videos, lengths) if frames is None else frames
        numbers = found.numbers()
        at = positions(numbers, videos)
        known = at >= 0
        faults.refuse(
            keep,
            ~known,
            ids,
            items.starts,
            lambda row: (
                f"video_id {self._keys.name(int(videos[row]))} is not among "
                f"the {len(numbers)} videos"
            ),
        )
        starts, n_frames = found.bounds()
        if len(numbers):
            faults.refuse(
                keep,
                lengths > n_frames[at],
                ids,
                items.starts,
                lambda row: (
                    f"segmentations has {lengths[row]} items, its video {n_frames[at[row]]} frames"
                ),
            )
        categories = listed.or_of(category[keep])
        class_of = np.zeros(len(keep), np.int64)
        class_of[keep] = positions(categories.ids, category[keep])
        item, frame = self._item.take().astype(np.int64), self._frame.take().astype(np.int64)
        rows = np.flatnonzero(keep[item])
        item = item[rows]
        images = found.images()
        image = starts[at[item]] + frame[rows]
        values = {"tracker_id": np.arange(len(ids)) if is_predicted else ids}
        if not is_predicted:
            values["annotation_id"] = ids
        for key, name in (("iscrowd", "iscrowd"), ("score", "confidence")):
            column = gather.column(key)
            if key in gather.present:
                values[name] = column
        values = {name: narrow(column[item]) for name, column in values.items()}
        if self._has_areas:
            values["area"] = self._areas.take()[rows]
        for key in self._LEFT:
            self._further.pop(key, None)
        indptr, order = grouped(image, len(images))
        instances = Instances(
            path=faults.path,
            indptr=indptr,
            order=order,
            item=narrow(item),
            boxes=self._boxes.take()[rows],
            class_ids=narrow(class_of[item]),
            category_ids=categories.ids,
            values=values,
            segmentations=Places(self._start.take()[rows], self._length.take()[rows]),
            items=items,
            further=FurtherKeys(
                faults.path,
                file,
                items,
                np.zeros(len(ids), np.int8),
                self._further,
                self._count,
                TAKEN | {"area", "iscrowd", "tracker_id"},
            ),
        )
        kind = "video results" if is_predicted else "video dataset"
        return Content(kind, categories.names, images, instances)

    def _named(self, videos: Array, lengths: Array) -> Frames:
        """Make the videos that predictions name, in the order of their first appearance."""
        frames = Frames(self._keys)
        longest: dict[int, int] = {}
        for number_, length in zip(videos.tolist(), lengths.tolist(), strict=True):
            longest[number_] = max(longest.get(number_, 0), length)
        texts = list(self._keys.texts)
        for number_, length in longest.items():
            key = texts[number_] if texts else number_
            frames.add(number_, [f"{key}/{frame:05d}" for frame in range(length)], (0, 0))
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
