"""What a format that can be written implements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from supervision import Detections


@dataclass
class Loss:
    """What a format could not hold, counted while it is written."""

    masks: int = 0
    """Masks that do not come back equal."""
    pixels: int = 0
    """Pixels in which those differ from what comes back."""
    fields: frozenset[str] = frozenset()
    """Columns of the source that the format has no place for."""

    def __bool__(self) -> bool:
        return bool(self.masks or self.fields)


class Sink(Protocol):
    """Where a conversion leaves images, one after the other."""

    @property
    def path(self) -> str:
        """The file or folder as it is written, which may be another one than the final one."""

    classes: list[str]
    """Class names, which may be set before an image is appended."""

    metadata: dict[str, Any]
    """What the dataset says about itself, as JSON has it."""

    @property
    def loss(self) -> Loss:
        """What could not be held so far."""

    def has(self, *, file_name: str | None = None, id: int | None = None) -> bool:
        """Tell whether there is an image of a file name or id."""

    def append(
        self,
        detections: Detections,
        file_name: str | None = None,
        image_shape: tuple[int, int] | None = None,
        image_id: int | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one image. One that is refused changes nothing."""

    def close(self) -> None:
        """Complete what was written and put it in place. Closing twice is allowed."""

    def abandon(self) -> None:
        """Let go of it as it is, if it is not closed; nobody takes it for a complete one."""


def unheld(columns: Iterable[str], held: Iterable[str]) -> frozenset[str]:
    """Give the names of columns that a format has no place for."""
    return frozenset(columns) - frozenset(held)
