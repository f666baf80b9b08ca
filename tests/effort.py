"""How much of what could be tried is tried, by COMPACTMASK_EFFORT: "little", "some" or "all".

Little is for the debug build, which looks for what leaves its bounds or overflows.
"""

import os

LEVELS = ("little", "some", "all")
LEVEL = os.environ.get("COMPACTMASK_EFFORT", "some")
if LEVEL not in LEVELS:
    raise ValueError(f"COMPACTMASK_EFFORT is {LEVEL!r}, expected one of {', '.join(LEVELS)}")
IS_ALL = LEVEL == "all"


def of(*numbers):
    """Choose a number for little, for some and for all."""
    return numbers[LEVELS.index(LEVEL)]
