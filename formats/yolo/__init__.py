"""Folders of YOLO segmentation texts, as ``formats/YOLO.md`` describes them."""

from .source import open
from .writer import create

__all__ = ["create", "open"]
