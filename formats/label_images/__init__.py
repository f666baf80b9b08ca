"""Folders of label images, as ``formats/LABEL_IMAGES.md`` describes them."""

from .source import open
from .writer import create

__all__ = ["create", "open"]
