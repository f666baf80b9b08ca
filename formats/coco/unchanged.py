"""A dataset that must stay what it was, because positions in it are kept."""

from __future__ import annotations

from typing import Any

from compactmask.errors import CompactMaskError

from ..dataset import SegmentationDataset


class Unchanged:
    """A dataset as it was when this was made.

    Parameters
    ----------
    dataset : SegmentationDataset
        Any.
    """

    def __init__(self, dataset: SegmentationDataset) -> None:
        self._dataset = dataset
        self._state = dataset._source.state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        _ = self.dataset

    @property
    def dataset(self) -> SegmentationDataset:
        """The dataset.

        Raises
        ------
        CompactMaskError
            Where it shows something else than before: it was refreshed, or opened again where it
            was unpickled.
        """
        if self._dataset._source.state != self._state:
            raise CompactMaskError(
                f"{self._dataset.path}: the dataset has changed since coco.COCO was made of it: it "
                "must not be refreshed meanwhile, make a new coco.COCO"
            )
        return self._dataset
