"""COCO JSON: datasets and lists of results, as ``formats/COCO.md`` describes them."""

from .reader import open

__all__ = ["open"]
