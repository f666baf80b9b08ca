"""``python -m compactmask``: the command line."""

import sys

from compactmask.cli import main

if __name__ == "__main__":
    sys.exit(main())
