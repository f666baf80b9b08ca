"""One operation done by several libraries, and the table of several of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from benchmarks.timing import compare, table, verdict

Item = TypeVar("Item")


class Case(NamedTuple):
    """One operation: for each library a call that does all of it, and the ratio asked for."""

    name: str
    calls: dict[str, Callable[[], Any]]
    rival: str = "supervision"
    target: float | None = None


def each(call: Callable[[Item], Any], items: Sequence[Item]) -> Callable[[], None]:
    """Return a function that does a call for every item."""

    def run() -> None:
        for item in items:
            call(item)

    return run


def parts(
    call: Callable[[Any], Any], part: Callable[[Item], Iterable[Any]], items: Sequence[Item]
) -> Callable[[], None]:
    """Return a function that does a call for every part of every item."""

    def run() -> None:
        for item in items:
            for one in part(item):
                call(one)

    return run


def compared(
    cases: Sequence[Case], rivals: Sequence[str], unit: str, a_unit: float, budget: float
) -> str:
    """Time cases and return their Markdown table.

    Parameters
    ----------
    cases : sequence of Case
        In the order of the rows.
    rivals : sequence of str
        The columns beside ours.
    unit : str
        What the figures are, such as ``"us a mask"``.
    a_unit : float
        How many of them a second of one round is.
    budget : float
        Seconds each library may take for a case.
    """
    rows = []
    for case in cases:
        timing = compare(case.calls, budget)
        row = [case.name, f"{a_unit * timing.seconds('ours'):.2f}"]
        for rival in rivals:
            if rival in timing:
                figure = a_unit * timing.seconds(rival)
                row.append(f"{figure:.2f} ({timing.ratio(rival):.1f}x)")
            else:
                row.append("")
        rival = case.rival if case.rival in timing else next(iter(set(timing) - {"ours"}))
        row.append(f"{100 * timing.noise(rival):.0f} %")
        asked = case.target and case.rival in timing
        row.append(verdict(timing.ratio(case.rival), case.target) if asked else "")
        rows.append(row)
    return table([unit, "ours", *rivals, "noise", "target"], rows)
