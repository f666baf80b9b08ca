"""What a conversion tells when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field

from compactmask.errors import CompactMaskError

from .sink import Loss


@dataclass(frozen=True)
class Report:
    """What a conversion did."""

    images: int
    """Images written now."""
    instances: int
    """Instances written now."""
    bytes_in: int
    """Size of the source file."""
    bytes_out: int
    """Size of the file written."""
    seconds: float
    """How long it took."""
    skipped: int = 0
    """Instances left out because they could not be read."""
    errors: list[CompactMaskError] = field(default_factory=list)
    """Why, with ``on_error="collect"``."""
    present: int = 0
    """Images that were there already, with ``resume``."""
    loss: Loss = field(default_factory=Loss)
    """What the format could not hold of the images written now. What was lost of those that were
    there already, the report of the conversion that wrote them tells; of images of a COCO document
    that were waiting it is told here again."""
