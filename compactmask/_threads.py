"""A kernel called once for all masks, or by several threads for a part of them each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from compactmask import _check
from compactmask._kernels import block
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

Result = TypeVar("Result")

PARTS_A_THREAD = 4
"""More parts than threads, so that one with large masks does not keep all others waiting."""


def thread_count(num_threads: int) -> int:
    """Return a number of threads, or refuse it with a ValueError that says why."""
    threads = _check.integer(num_threads, "num_threads")
    if threads < 1:
        raise ValueError(f"num_threads is {threads}, expected 1 at least")
    return threads


def each_range(call: Callable[[int, int], Result], n: int, num_threads: int) -> list[Result]:
    """Call a function on equal parts of ``range(n)`` and return its results in order.

    Parameters
    ----------
    call : callable
        Takes the first mask and the one behind the last, and lets go of the GIL.
    n : int
        Masks.
    num_threads : int
        Threads, 1 at least. With 1, and for fewer than two masks, there is one call, in the
        caller's own thread.

    Raises
    ------
    ValueError
        If `num_threads` is below 1.
    """
    threads = thread_count(num_threads)
    if threads == 1 or n < 2:
        return [call(0, n)]
    ends = np.linspace(0, n, min(n, PARTS_A_THREAD * threads) + 1).astype(np.int64).tolist()
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(call, ends[:-1], ends[1:]))
    except InvalidMaskError:
        return [call(0, n)]  # fails again, but counts masks from the first of all


def each_part(
    kernel: Callable[..., Result], sets: Sequence[Packed], num_threads: int
) -> list[Result]:
    """Call a kernel on equally cut sets of masks, as `each_range` does.

    Parameters
    ----------
    kernel : callable
        Takes one block for each of `sets` and lets go of the GIL.
    sets : sequence of Packed
        Equally long; a set of one mask is given whole to every call.
    num_threads : int
        Threads.
    """
    if thread_count(num_threads) == 1:
        return [kernel(*sets)]
    n = max(one.n for one in sets)

    def call(first: int, last: int) -> Result:
        if last - first == n:
            return kernel(*sets)
        chosen = np.arange(first, last, dtype=np.int64)
        return kernel(*(one if one.n == 1 else block.gather(one, chosen) for one in sets))

    return each_range(call, n, num_threads)


def map_blocks(kernel: Callable[..., bytes], sets: Sequence[Packed], num_threads: int) -> Packed:
    """Call a kernel that gives a block with a mask for each mask, as `each_part` does."""
    return join(each_part(kernel, sets, num_threads))


def join(blocks: Sequence[bytes]) -> Packed:
    """Join the blocks of parts, one at least."""
    return Packed(blocks[0] if len(blocks) == 1 else block.concat(blocks))
