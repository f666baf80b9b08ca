"""What tests of bounded memory measure: the growth of a process while it works, and only that."""

import fresh
import numpy as np

MIB = 1 << 20
HELD = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p

def hold(size):
    pages = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(size)))
    libc.memset(pages, 1, ctypes.c_size_t(size))
    return pages

libc.free(hold(300_000_000))
kept = hold(20_000_000)
small = [hold(50_000) for _ in range(2_000)]
for pages in small:
    libc.free(pages)
"""


def test_an_allocation_of_a_kernel_is_seen_though_it_is_freed_again():
    grown = fresh.peak_growth(HELD, "libc.free(hold(100_000_000))")
    assert 98_000_000 <= grown < 104_000_000


def test_many_small_allocations_are_seen_though_set_up_freed_as_many():
    grown = fresh.peak_growth(HELD, "more = [hold(50_000) for _ in range(2_000)]")
    assert 98_000_000 <= grown < 108_000_000


def test_neither_set_up_nor_the_parent_process_counts():
    ballast = np.ones(200_000_000, np.uint8)
    assert fresh.peak_growth(HELD, "") < 2 * MIB
    assert ballast.all()
