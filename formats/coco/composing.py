"""One image and its detections as the lines that a document will hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from compactmask.errors import CompactMaskError, FormatError, ShapeMismatchError

from ..sink import Loss
from . import lines
from .categories import Categories, Category, Pair
from .checked import checked_fields
from .entry import JSON_SUFFIX, TAKEN, Entry, Instances, image_entry, keys_of, plain_value
from .values import LONGEST_SIDE, text

if TYPE_CHECKING:
    from compactmask.mask import CompactMask

Style = Literal["dataset", "results"]
ID_TEXT = f"id{JSON_SUFFIX}"


class Image(NamedTuple):
    """An image to write."""

    id: int
    file_name: str | None
    image_shape: tuple[int, int] | None
    """``(H, W)``; None where only its masks may tell it."""
    columns: Mapping[str, Any]
    """Further values by name."""

    @property
    def own_id(self) -> int | str:
        """The id as its document gave it: a text where that stands in the column ``id:json``."""
        if ID_TEXT not in self.columns:
            return self.id
        try:
            own = json.loads(self.columns[ID_TEXT])
        except (TypeError, ValueError):
            own = None
        return own if isinstance(own, str) else self.id


class Composed(NamedTuple):
    """An image that was written as lines."""

    entry: str
    """Its entry of ``images``."""
    lines: list[bytes]
    """Of each annotation its id, "" for none, a tab, and its other members; of a result a tab, and
    its members."""
    ids: list[int | None]
    """The annotations' ids."""
    categories: list[Category]
    """Those of its classes."""
    loss: Loss
    """What could not be held."""
    keys: tuple[frozenset[str], frozenset[str]]
    """Further keys of its annotations, and its own."""


@dataclass(frozen=True)
class Composer:
    """Writes images as lines."""

    style: Style
    polygons: bool
    allow_lossy: bool

    def compose(
        self, detections: Any, image: Image, categories: Categories, where: str
    ) -> Composed:
        """Check an image and its detections, and write them.

        Parameters
        ----------
        detections : sv.Detections
            What was found.
        image : Image
            Where.
        categories : Categories
            Those of the images before; they are not changed.
        where : str
            Begins every error message.
        """
        mask, instances = _checked(detections, where)
        shape = _image_shape(image.image_shape, mask, where)
        lost = set(instances.further()[1])
        if detections.metadata:
            lost.add("metadata")
        rows = range(len(instances))
        found = _find_categories(instances, categories, where)
        entries = instances.entries(rows, image.own_id, [category.id for category in found])
        loss = self._draw(mask, entries, instances, where)
        ids: list[int | None] = [None] * len(rows)
        stated = instances.known("annotation_id")
        if stated is not None:
            ids = [None if number == -1 else number for number in stated.tolist()]
        if self.style == "dataset":
            instances.add_areas(entries, rows)
            for entry, crowd in zip(entries, instances.crowds(rows), strict=True):
                entry["iscrowd"] = crowd
        else:
            self._complete_results(entries, instances, ids, where)
            lost |= _unheld_of_image(image, shape, instances)
        firsts = ["" if number is None else str(number) for number in ids]
        if self.style == "results":
            firsts = [""] * len(rows)
        instances.add_further(entries, rows)
        texts = instances.json_texts(rows)
        written = []
        for row, entry in enumerate(entries):
            at = f"{where}: instance {row}"
            if self.allow_lossy:
                entry, bad = lines.without_bad(entry, TAKEN)
                lost |= bad
            members = lines.members(entry, lines.joined(texts, row), at)
            written.append(f"{firsts[row]}\t{members}}}\n".encode())
        own = image_entry(image.own_id, image.file_name, shape)
        further_columns = image.columns.keys() - ({ID_TEXT} if own["id"] != image.id else set())
        keys, more = keys_of(further_columns, own.keys() | {"file_name", "height", "width"})
        lost |= more
        values = {
            key: plain_value(image.columns[name]) for name, key in keys.items() if key == name
        }
        if self.allow_lossy:
            values, bad = lines.without_bad(values)
            lost |= bad
        own |= values
        further = [(key, image.columns[name]) for name, key in keys.items() if key != name]
        entry_text = "{" + lines.members(own, further, where) + "}"
        loss = Loss(loss.masks, loss.pixels, frozenset(lost))
        own_keys = {key for name, key in instances.further()[0].items() if name == key}
        own_keys |= {key for key, values in texts.items() if any(values)}
        both = frozenset(own_keys), frozenset(keys.values())
        return Composed(entry_text, written, ids, found, loss, both)

    def _draw(
        self, mask: CompactMask | None, entries: Sequence[Entry], instances: Instances, where: str
    ) -> Loss:
        """Replace RLEs by polygons, all but those of crowds and of masks without pixels."""
        if not self.polygons or mask is None:
            return Loss()
        from .outline import polygons

        crowds = instances.crowds(range(len(instances)))
        areas = mask.area
        chosen = [
            row
            for row, entry in enumerate(entries)
            if "segmentation" in entry and areas[row] and not crowds[row]
        ]
        parts, lost = polygons(mask[chosen])
        for row, own, pixels in zip(chosen, parts, lost.tolist(), strict=True):
            if pixels and not self.allow_lossy:
                raise FormatError(
                    f"{where}: instance {row}: {pixels} pixels of its mask do not come back from "
                    "polygons: write RLE, or pass allow_lossy=True"
                )
            entries[row]["segmentation"] = own
        return Loss(int(np.count_nonzero(lost)), int(lost.sum()))

    def _complete_results(
        self, entries: Sequence[Entry], instances: Instances, ids: Sequence[int | None], where: str
    ) -> None:
        """Add what results have only where the dataset does; refuse one without a score."""
        for row, entry in enumerate(entries):
            if "score" not in entry:
                raise FormatError(
                    f"{where}: instance {row} has no confidence, and each result needs a score"
                )
        for name in ("area", "iscrowd"):
            values = instances.known(name)
            if values is not None:
                for entry, value in zip(entries, values.tolist(), strict=True):
                    if value == value:
                        entry[name] = value
        for entry, number in zip(entries, ids, strict=True):
            if number is not None:
                entry["id"] = number
        has_box = instances.known("has_box")
        if has_box is not None:
            for entry, stated in zip(entries, has_box.tolist(), strict=True):
                if not stated and "segmentation" in entry:
                    del entry["bbox"]


def _unheld_of_image(image: Image, shape: tuple[int, int], instances: Instances) -> set[str]:
    """Name what a list of results says nothing of."""
    own = image.own_id
    lost = {name.removesuffix(JSON_SUFFIX) for name in image.columns.keys() - {ID_TEXT}}
    if image.file_name and image.file_name != own:
        lost.add("file_name")
    if not len(instances):
        lost.add("id")
    if all(shape) and not instances.has_mask.any():
        lost |= {"height", "width"}
    return lost


def _find_categories(instances: Instances, categories: Categories, where: str) -> list[Category]:
    n = len(instances)
    classes = [None] * n if instances.class_id is None else np.asarray(instances.class_id).tolist()
    stated = instances.known("category_id")
    pairs: list[Pair] = list(
        zip(classes, [None] * n if stated is None else stated.tolist(), strict=True)
    )
    names = instances.data.get("class_name")
    known: dict[int, str] = {}
    if names is not None:
        known = {
            class_id: text(f"{where}: class_name", str(name))
            for class_id, name in zip(classes, names, strict=True)
            if class_id is not None
        }
    found = categories.find(pairs, known, where)
    return [found[pair] for pair in pairs]


def _checked(detections: Any, where: str) -> tuple[CompactMask | None, Instances]:
    import supervision

    from compactmask.mask import CompactMask

    if not isinstance(detections, supervision.Detections):
        raise TypeError(f"{where}: sv.Detections expected, not {type(detections).__name__}")
    mask = detections.mask
    try:
        if mask is None or isinstance(mask, CompactMask):
            found = mask
        elif isinstance(mask, supervision.CompactMask):
            found = CompactMask.from_supervision(mask)
        else:
            found = CompactMask.from_dense(mask)
        fields = checked_fields(vars(detections))
    except (CompactMaskError, TypeError) as error:
        raise type(error)(f"{where}: {error}") from None
    if found is not None and len(found) != len(detections.xyxy):
        raise ShapeMismatchError(f"{where}: {len(found)} masks for {len(detections.xyxy)} boxes")
    return found, Instances(fields, None if found is None else found._packed)


def _image_shape(
    given: tuple[int, int] | None, mask: CompactMask | None, where: str
) -> tuple[int, int]:
    own = (0, 0) if mask is None else mask.image_shape
    try:
        height, width = own if given is None else (int(side) for side in given)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{where}: image_shape {given!r}, expected two integers (H, W)") from None
    if given is not None and ((height, width) != tuple(given) or height < 1 or width < 1):
        raise ShapeMismatchError(f"{where}: image_shape {given!r}, expected sides of 1 at least")
    if max(height, width) > LONGEST_SIDE:
        raise ShapeMismatchError(
            f"{where}: image_shape {(height, width)}, expected sides of {LONGEST_SIDE:,} at most"
        )
    if mask is not None and own != (height, width):
        raise ShapeMismatchError(f"{where}: image_shape {(height, width)}, its masks have {own}")
    return height, width
