"""A document in one pass: told by what it holds, checked, and turned to columns."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from compactmask.errors import CompactMaskError, FormatError, InvalidMaskError

from ..source import OnFault
from . import images as image_lists
from . import sa1b
from .annotations import Annotations
from .content import Categories, Content
from .faults import Faults
from .file import JsonFile
from .frames import of_videos
from .gather import Keys
from .images import Images
from .masklets import Masklets
from .masks import JsonMasks, MaskReader
from .panoptic import Segments, folder_of
from .parse import kind_of
from .segmentation import pack, size_of
from .stream import Stream
from .tracks import Tracks
from .values import short

Gathered = Annotations | Tracks | Segments


@dataclass(frozen=True)
class Document:
    """What a document says, what else it says about itself, and what reads its masks."""

    content: Content
    metadata: dict[str, Any]
    masks: MaskReader
    file_bytes: int
    state: str
    """Tells it from another document, and from what it was before."""

    @cached_property
    def some_lack_boxes(self) -> bool:
        """Whether these are results of which some have no box: it makes a difference there."""
        return self.content.kind == "results" and bool(
            np.isnan(self.content.instances.boxes[:, 0]).any()
        )


def read(path: str, on_fault: OnFault | None) -> Document:
    """Read a document.

    Parameters
    ----------
    path : str
        A JSON file, which may be compressed by gzip.
    on_fault : callable, optional
        Called with the error of each bad annotation, which is then left out; to know them all,
        each segmentation is turned to a mask here. Without, the first error is raised, and
        segmentations are checked when they are used.

    Raises
    ------
    FormatError
        Where it is not JSON, or nothing that COCO.md describes.
    """
    faults = Faults(path, on_fault)
    if os.path.isdir(path):
        content, folder = sa1b.read(path, faults)
        masks: MaskReader = JsonMasks(folder, content.instances, content.images)
        return _checked(Document(content, {}, masks, folder.size, folder.state()), faults)
    file = JsonFile(path)
    state = str(file.look())
    stream = Stream(file)
    first = stream.peek()
    if first == b"[":
        content = _of_list(stream, file, faults)
        metadata: dict[str, Any] = {}
        masks = JsonMasks(file, content.instances, content.images)
    elif first == b"{":
        content, metadata, masks = _Object(stream, file, faults).read()
    elif not first:
        raise FormatError(f"{path}: the file is empty, expected COCO JSON")
    else:
        kind = kind_of(stream.value())
        raise FormatError(
            f"{path}: found a JSON {kind}, expected a COCO dataset (an object with 'images') "
            "or a list of results"
        )
    found = Document(content, metadata, masks, os.path.getsize(path), state)
    return _checked(found, faults)


def _checked(document: Document, faults: Faults) -> Document:
    content, masks = document.content, document.masks
    if isinstance(masks, JsonMasks):
        _find_sizes(content, masks, faults)
    return _without_bad_masks(document, faults) if faults.are_left_out else document


def _of_list(stream: Stream, file: JsonFile, faults: Faults) -> Content:
    keys = Keys()
    gathered: Annotations | Tracks = Annotations(keys, faults)
    if stream.begin_list("results"):
        if "segmentations" in _first_keys(stream, ["segmentations"]):
            gathered = Tracks(keys, faults)
        gathered.read(stream)
    stream.end()
    none = Categories.parse(stream.path, None)
    if isinstance(gathered, Tracks):
        return gathered.finish(None, none, file)
    return gathered.dataset(None, none, file)


def _first_keys(stream: Stream, keys: Sequence[str]) -> Container[str]:
    """Give which keys the first object of a list has, by which it is told what the list is of."""
    try:
        return stream.first(keys) or ()
    except FormatError:
        return ()  # what is wrong with it is told when the list is read


class _Object:
    """Reads a document that is an object, whatever the order of its keys."""

    def __init__(self, stream: Stream, file: JsonFile, faults: Faults) -> None:
        self._stream = stream
        self._file = file
        self._faults = faults
        self._path = stream.path
        self._keys = Keys()
        self._images: Images | None = None
        self._masklets: Masklets | None = None
        self._gathered: Gathered | None = None
        self._rest: dict[str, Any] = {}

    def read(self) -> tuple[Content, dict[str, Any], MaskReader]:
        """Go over the document, and tell what it is."""
        stream = self._stream
        for key in stream.members():
            if key == "images":
                self._images = image_lists.read(stream, self._file, self._keys)
            elif key == "annotations":
                self._read_annotations()
            elif key == "masklet":
                self._masklets = Masklets(self._path)
                self._masklets.read(stream)
            else:
                self._rest[key] = stream.value()
        stream.end()
        content, masks = self._finish()
        _check_metadata(self._path, self._rest)
        return (
            content,
            self._rest,
            masks or JsonMasks(self._file, content.instances, content.images),
        )

    def _read_annotations(self) -> None:
        if not self._stream.begin_list("annotations"):
            return
        kinds: dict[str, type[Gathered]] = {"segmentations": Tracks, "segments_info": Segments}
        first = _first_keys(self._stream, list(kinds))
        found = [kind for key, kind in kinds.items() if key in first]
        self._gathered = (found or [Annotations])[0](self._keys, self._faults)
        self._gathered.read(self._stream)

    def _finish(self) -> tuple[Content, MaskReader | None]:
        categories = Categories.parse(self._path, self._rest.get("categories"))
        gathered = self._gathered
        if self._masklets is not None:
            return self._masklets.finish(self._rest), None
        if "videos" in self._rest and self._images is None:
            if not isinstance(gathered, Tracks):
                self._check_gathered("segmentations", "videos")
                gathered = Tracks(self._keys, self._faults)
            videos = self._rest["videos"]
            frames = of_videos(self._path, videos, self._keys)
            # The names of frames are those of images.
            self._rest["videos"] = [
                {key: value for key, value in video.items() if key != "file_names"}
                for video in videos
            ]
            return gathered.finish(frames, categories, self._file), None
        if self._images is not None and isinstance(gathered, Segments):
            return gathered.finish(self._images, categories, folder_of(self._path))
        if self._images is None and isinstance(self._rest.get("image"), dict):
            return self._single_image(), None
        if self._images is None:
            found = ", ".join(map(short, list(self._rest)[:8])) or "no key at all"
            raise FormatError(
                f"{self._path}: a COCO dataset has 'images' (a video one 'videos', SA-1B 'image', "
                f"SA-V 'masklet'), found {found}"
            )
        if not isinstance(gathered, Annotations):
            self._check_gathered("segmentation", "images")
            gathered = Annotations(self._keys, self._faults)
        return gathered.dataset(self._images, categories, self._file), None

    def _check_gathered(self, expected: str, beside: str) -> None:
        if self._gathered is not None:
            raise FormatError(
                f"{self._path}: its first annotation has no {expected!r}, as a document with "
                f"{beside!r} has"
            )

    def _single_image(self) -> Content:
        image = self._rest.pop("image")
        gathered = self._gathered
        if not isinstance(gathered, Annotations):
            self._check_gathered("segmentation", "image")
            gathered = Annotations(self._keys, self._faults)
        return gathered.single_images(image_lists.single(self._path, [image]), self._file)


def _find_sizes(content: Content, masks: JsonMasks, faults: Faults) -> None:
    """Take the size of images that have none from their first RLE."""
    images, instances = content.images, content.instances
    unknown = (images.heights == 0) & (np.diff(instances.indptr) > 0)
    for i in np.flatnonzero(unknown).tolist():
        start, stop = instances.indptr[i : i + 2].tolist()
        for k in range(start, stop):
            try:
                (segmentation,) = masks.segmentations(i, k, k + 1)
            except FormatError:
                if not faults.are_left_out:
                    raise
                continue
            size = size_of(segmentation)
            if size is not None and (not faults.are_left_out or _is_good(segmentation, size)):
                images.set_shape(i, size)
                break


def _is_good(segmentation: Any, size: tuple[int, int]) -> bool:
    try:
        pack([segmentation], size)
    except InvalidMaskError:
        return False
    return True


def _without_bad_masks(document: Document, faults: Faults) -> Document:
    """Turn every segmentation to a mask, and leave instances out whose is not valid."""
    content, masks = document.content, document.masks
    instances = content.instances
    keep = np.ones(len(instances), np.bool_)
    for i in range(len(content.images)):
        start, stop = instances.indptr[i : i + 2].tolist()
        if not masks.is_masked(i) or _packs(masks, i, start, stop) is None:
            continue
        has_mask = masks.has_mask(instances.rows(start, stop)).tolist()
        for k in range(start, stop):
            error = _packs(masks, i, k, k + 1) if has_mask[k - start] else None
            if error is not None:
                keep[instances.row(k)] = False
                faults.tell_named(error)
    if keep.all():
        return document
    kept = instances.kept(keep, len(content.images))
    return replace(document, content=replace(content, instances=kept), masks=masks.of(kept))


def _packs(masks: MaskReader, i: int, start: int, stop: int) -> CompactMaskError | None:
    """Give the error of masks that are not valid."""
    try:
        masks.pack(i, start, stop)
    except CompactMaskError as error:
        return error
    return None


def _check_metadata(path: str, metadata: dict[str, Any]) -> None:
    """Refuse what cannot be written as JSON again: half characters, and too deep nesting."""
    for key, item in metadata.items():
        try:
            json.dumps({key: item}, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{path}: {short(key)} is not valid JSON: {error}") from None
