"""A dataset that must stay what it was, because positions in it are kept."""

from __future__ import annotations

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
        self._state = _state(dataset)

    @property
    def dataset(self) -> SegmentationDataset:
        """The dataset.

        Raises
        ------
        CompactMaskError
            Where it shows other images than before: it was refreshed, or opened again where it
            was unpickled.
        """
        if _state(self._dataset) != self._state:
            raise CompactMaskError(
                f"{self._dataset.path}: the dataset shows other images than when coco.COCO was "
                "made of it: it must not be refreshed meanwhile, make a new coco.COCO"
            )
        return self._dataset


def _state(dataset: SegmentationDataset) -> tuple[str, int, int, int]:
    """Give what differs whenever images were added or deleted."""
    source = dataset._source
    n = source.n_images
    return source.identity, n, source.n_detections, source.place(n)
