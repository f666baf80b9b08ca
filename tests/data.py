"""Where the real data lies, and the marker of the tests that need it."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the real data is not in {DATA.parent.name}/{DATA.name}"
)
