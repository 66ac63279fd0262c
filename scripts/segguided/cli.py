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
        text = error.strerror if isinstance(error, OSError) and error.strerror and not error.filename else str(error)
        sys.exit(f"error: {text}")
