"""A writer that tells whoever traces its system calls which of them go through the one place.

Its argument is the file to write. Each call of that place stands between two looks at names
that do not exist.
"""

import os
import sys

import crash_history
from crash_victim import CHANGING

import compactmask as cm
from compactmask.formats import disk

BEGIN, END = "/through-the-one-place", "/done-with-it"


def marked(function):
    """Make a function look at one name before, and at the other one after."""

    def run(*arguments):
        os.access(BEGIN, os.F_OK)
        try:
            return function(*arguments)
        finally:
            os.access(END, os.F_OK)

    return run


def main(path):
    for name in (*CHANGING, "open_to_write"):
        setattr(disk, name, marked(getattr(disk, name)))
    crash_history.use_tiny_chunks(setattr, 3000)
    changes = crash_history.changes(14, seed=1)
    for mode, part in (("x", changes[:9]), ("a", changes[9:]), ("w", changes[:1])):
        with cm.create(path, mode) as out:
            for change in part:
                crash_history.apply(change, out)


if __name__ == "__main__":
    main(sys.argv[1])
