"""The frame of every script: bad input ends in one sentence and a nonzero exit, a bug in its traceback."""

import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

LOG = logging.getLogger("segguided")
SCRIPTS = Path(__file__).resolve().parents[1]
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: the same command continues


class Interrupted(Exception):
    """A signal asked the run to stop; what it has is saved, and the same command continues it."""


def run(main: Callable[[], None]) -> None:
    """Call `main` as a script's body.

    OSError, and ValueError raised by this project, are the user's to mend: their message goes to stderr as
    one line, exit code 1. Interrupted likewise, with exit code 75. Anything else, a ValueError out of a
    library too, is a defect of this project and keeps its traceback.
    """
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    LOG.setLevel(logging.INFO)
    try:
        main()
    except Interrupted as stop:
        LOG.info("%s", stop)
        sys.exit(TRY_AGAIN)
    except (ValueError, OSError) as error:
        if isinstance(error, ValueError) and not _raised_here(error):
            raise
        sys.exit(f"error: {_one_line(error)}")


def _raised_here(error: ValueError) -> bool:
    """Whether the innermost frame of the traceback is a script's or this package's."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return Path(frame.f_code.co_filename).resolve().is_relative_to(SCRIPTS)


def _one_line(error: ValueError | OSError) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return " ".join(text.split()) or type(error).__name__
