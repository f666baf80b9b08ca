"""Videos as images: one for each frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from compactmask.errors import FormatError

from .compact import Array, Texts, text_column
from .gather import Keys
from .images import Images
from .parse import kind_of
from .values import sides, text

MOST_FRAMES = 1 << 20
"""Of an object of a video, and of all videos whose frames a document does not name."""


class Frames:
    """Images of videos, frame by frame.

    Parameters
    ----------
    keys : Keys
        The ids of videos.
    """

    def __init__(self, keys: Keys) -> None:
        self.n_unnamed = 0
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


def of_videos(path: str, listed: Any, keys: Keys) -> Frames:
    """Make the frames of what a document lists as its videos.

    Raises
    ------
    FormatError
        Where one is not what COCO.md says.
    """
    frames = Frames(keys)
    if not isinstance(listed, list):
        raise FormatError(f"{path}: 'videos' is {kind_of(listed)}, expected a list")
    for position, item in enumerate(listed):
        try:
            _add_video(frames, keys, item)
        except FormatError as error:
            raise FormatError(f"{path}: videos[{position}]: {error}") from None
    return frames


def _add_video(frames: Frames, keys: Keys, item: Any) -> None:
    if not isinstance(item, dict):
        raise FormatError(f"found {kind_of(item)}, expected an object")
    key = item.get("id")
    if key is None:
        raise FormatError("id is None, expected an integer or text")
    number = keys.number(key)
    if number in frames:
        raise FormatError(f"id {keys.name(number)} is that of another one too")
    names = item.get("file_names")
    length = item.get("length", len(names) if isinstance(names, list) else None)
    if names is None and type(length) is int and length >= 0:
        frames.n_unnamed += length
        if frames.n_unnamed > MOST_FRAMES:
            raise FormatError(
                f"length is {length}, expected at most {MOST_FRAMES:,} frames without file_names"
            )
        names = [f"{key}/{frame:05d}" for frame in range(length)]
    if not isinstance(names, list):
        raise FormatError(f"file_names is {kind_of(names)}, expected a list")
    frames.add(number, [text("file_names", name) for name in names], sides(item))
