"""The frame of every script: bad input ends in one sentence and a nonzero exit, a bug in its traceback."""

import argparse
import io
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from segguided.seals import read_listed
from segguided.shown import printable, without_secrets

LOG = logging.getLogger("segguided")
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: the same command continues


class Plain(io.TextIOBase):
    """A stream for logs: what a terminal would obey is written out, logins of addresses are left out.

    Names of files, headers and answers of servers come from elsewhere, and a log is shown in terminals.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write the text; a carriage return stays, for progress bars."""
        self.stream.write("\r".join(map(printable, without_secrets(text).split("\r"))))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's own."""
        return self.stream.encoding

    def fileno(self) -> int:
        """The stream's own."""
        return self.stream.fileno()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self.stream.isatty()


class Interrupted(Exception):
    """A signal asked the run to stop; what it has is saved, and the same command continues it."""


class _SlicesParser(argparse.ArgumentParser):
    """A parser that holds each list it is given against the checksum beside it."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # argparse's own signature
        """The arguments. Raises ValueError where a list is damaged or another's."""
        for argument in sys.argv[1:] if args is None else args:
            if argument.startswith("@") and Path(argument[1:]).is_file():
                read_listed(Path(argument[1:]))
        return super().parse_known_args(args, namespace)


def slices_parser(description: str | None) -> argparse.ArgumentParser:
    """The command line of a script that takes slice files.

    An argument @FILE stands for the lines of FILE, one argument each: Linux ends what a shell is given at
    128 KiB, too short for the names of thousands of patients.
    """
    return _SlicesParser(description=description, fromfile_prefix_chars="@")


Arguments = dict[str, Any]
Launcher = Callable[[Callable[..., None], Arguments], None]


def here(function: Callable[..., None], arguments: Arguments) -> None:
    """Call `function` in this process, with the CPU threads that the argument `threads` asks for."""
    if "threads" in arguments:  # of a script that computes; the others never wait for this import
        import_module("torch").set_num_threads(arguments.pop("threads"))
    function(**arguments)


def call(
    function: Callable[..., None],
    parser: argparse.ArgumentParser,
    launch: Launcher = here,
    words: Sequence[str] | None = None,
) -> None:
    """Call a script's function with the arguments that `parser` finds in `words` (None: the command line)."""
    launch(function, vars(parser.parse_args(words)))


def run(function: Callable[..., None], parser: argparse.ArgumentParser, launch: Launcher = here) -> None:
    """Run a script: `call` it, and end the process as `framed` says."""
    framed(lambda: call(function, parser, launch))


def framed(body: Callable[[], None]) -> None:
    """Call `body`; what stops it becomes one line on stderr and an exit code.

    ValueError and OSError are the user's to fix: their message is that line, exit code 1. Interrupted
    likewise, with exit code 75. Anything else is a defect of this project and keeps its traceback; so is a
    ValueError from inside an installed library, which only wrong arguments of ours raise.
    """
    if not isinstance(sys.stderr, Plain):
        sys.stderr = Plain(sys.stderr)  # argparse, warnings and tracebacks too
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    LOG.setLevel(logging.INFO)
    try:
        body()
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing half-written was left, the same command runs again")
    except Interrupted as stop:
        LOG.info("%s", stop)
        sys.exit(TRY_AGAIN)
    except (ValueError, OSError) as error:
        if isinstance(error, ValueError) and _raised_in_a_library(error):
            raise
        sys.exit(f"error: {_one_line(error)}")


def _raised_in_a_library(error: ValueError) -> bool:
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    return "site-packages" in Path(innermost.f_code.co_filename).parts


def _one_line(error: ValueError | OSError) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return " ".join(text.split()) or type(error).__name__
