"""Which program owns this process: one of our scripts, or somebody else's that imports the library."""

import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]


def is_our_script() -> bool:
    """Whether the main program is a file of `scripts/`."""
    started = getattr(sys.modules["__main__"], "__file__", None)
    return started is not None and Path(started).resolve().parent == SCRIPTS
