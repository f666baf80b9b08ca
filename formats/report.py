"""What a conversion tells when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field

from compactmask.errors import CompactMaskError


@dataclass(frozen=True)
class Report:
    """What a conversion did."""

    images: int
    """Images written."""
    instances: int
    """Instances written."""
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
