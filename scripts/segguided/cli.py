"""The frame of every script: bad input ends in one sentence and a nonzero exit, a bug in its traceback."""

import logging
import sys
from collections.abc import Callable

LOG = logging.getLogger("segguided")


def run(main: Callable[[], None]) -> None:
    """Call `main` as a script's body.

    ValueError and OSError are the user's to mend: their message goes to stderr as one line, exit code 1.
    Anything else is a defect of this project and keeps its traceback.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {_one_line(error)}")


def _one_line(error: ValueError | OSError) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return " ".join(text.split()) or type(error).__name__
