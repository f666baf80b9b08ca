"""Rounds of fresh processes, and the cells that tell what these told."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

from benchmarks.coco import Told
from benchmarks.timing import Timing


class Rounds:
    """What fresh processes told of several ways, in turn."""

    def __init__(self, ways: Mapping[str, Callable[[], Told]], rounds: int) -> None:
        self.told: dict[str, list[Told]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                self.told[name].append(way())

    def middle(self, name: str, key: str) -> float:
        """Return the median of what was told."""
        return statistics.median(one[key] for one in self.told[name])

    def ratio(self, name: str, key: str = "cpu") -> float:
        """Return how many times what ours told a rival told."""
        rivals = {way: [one[key] for one in self.told[way]] for way in ("ours", name)}
        return Timing(rivals).ratio(name)

    def same(self, *keys: str) -> None:
        """Assert that all who told something told the same."""
        for key in keys:
            found = {str(one[key]) for told in self.told.values() for one in told if key in one}
            assert len(found) == 1, (key, found)

    def seconds(self, name: str) -> str:
        """Return a cell: processor time, time on the clock, and how many times that of ours."""
        return times(
            f"{self.middle(name, 'cpu'):.3g} ({self.middle(name, 'wall'):.3g})", self.ratio(name)
        )

    def peak(self, name: str) -> str:
        """Return a cell: the peak of the process, beyond its imports, and to that of ours."""
        peak = self.middle(name, "peak")
        beyond = peak - self.middle(name, "imports")
        return times(f"{peak:.0f} ({beyond:.0f})", self.ratio(name, "peak"))


def times(text: str, ratio: float) -> str:
    """Return a figure with its ratio to ours, in bold where ours is worse."""
    if ratio == 1:  # ours with itself
        return text
    return f"{text}, {ratio:.1f}x" if ratio >= 0.995 else f"{text}, **{ratio:.2g}x**"
