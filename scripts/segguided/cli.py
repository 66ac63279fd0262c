"""What all scripts share: bad input ends in one sentence and a nonzero exit code, a bug in a traceback."""

import argparse
import io
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from segguided.lean_imports import import_leanly
from segguided.seals import read_listed
from segguided.shown import printable, without_secrets

LOG = logging.getLogger("segguided")
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: the same command continues

import_leanly()  # each script imports this module before any that needs MONAI


class PlainStream(io.TextIOBase):
    """A stream for logs: terminal codes are shown as text, logins in addresses are left out.

    A log is shown in terminals, but may hold names of files, headers and answers of servers from elsewhere.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write the text. Carriage returns stay, because progress bars need them."""
        self.stream.write("\r".join(map(printable, without_secrets(text).split("\r"))))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream behind."""
        return self.stream.encoding

    def fileno(self) -> int:
        """The file number of the stream behind."""
        return self.stream.fileno()

    def isatty(self) -> bool:
        """Whether the stream behind is a terminal."""
        return self.stream.isatty()


class Interrupted(Exception):
    """A signal asked the run to stop. Its state is saved, and the same command continues it."""


class _SlicesParser(argparse.ArgumentParser):
    """A parser that compares each list of arguments with the checksum beside it."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # argparse's own signature
        """The arguments. Raises ValueError where a list is damaged or was written for another place."""
        for argument in sys.argv[1:] if args is None else args:
            if argument.startswith("@") and Path(argument[1:]).is_file():
                read_listed(Path(argument[1:]))
        return super().parse_known_args(args, namespace)


def slices_parser(description: str | None) -> argparse.ArgumentParser:
    """The command line of a script that takes slice files.

    An argument @FILE means the lines of FILE, one argument each. Linux allows a shell command of 128 KiB, too
    short for the names of thousands of patients.
    """
    return _SlicesParser(description=description, fromfile_prefix_chars="@")


def add_computing_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of scripts that compute with torch."""
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument(
        "--deterministic", type=int, choices=(0, 1), default=0, help="1: on a GPU, the same bits each time"
    )
    parser.add_argument(
        "--compile",
        type=int,
        choices=(0, 1, 2, 3),
        default=0,
        help="networks become fused kernels; 0: no, 1: yes, 2: on a GPU, where it pays, 3: as 2, in "
        "channels_last order",
    )


Arguments = dict[str, Any]
Launcher = Callable[[Callable[..., None], Arguments], None]


def in_this_process(function: Callable[..., None], arguments: Arguments) -> None:
    """Call `function` in this process, computing as the options of `add_computing_options` say."""
    if "threads" not in arguments:
        function(**arguments)
        return
    from segguided.compiling import Compiling  # noqa: PLC0415 - other scripts need not wait for torch
    from segguided.computing import computing  # noqa: PLC0415

    deterministic, choice = bool(arguments.pop("deterministic", 0)), Compiling(arguments.pop("compile", 0))
    with computing(arguments.pop("threads"), deterministic, choice):
        function(**arguments)


def call(
    function: Callable[..., None],
    parser: argparse.ArgumentParser,
    launch: Launcher = in_this_process,
    words: Sequence[str] | None = None,
) -> None:
    """Call a script's function with the arguments that `parser` finds in `words` (None: the command line)."""
    launch(function, vars(parser.parse_args(words)))


def run(
    function: Callable[..., None], parser: argparse.ArgumentParser, launch: Launcher = in_this_process
) -> None:
    """Run a script: `call` it, and end the process as `framed` says."""
    framed(lambda: call(function, parser, launch))


def framed(body: Callable[[], None]) -> None:
    """Call `body`; an error that stops it becomes one line on stderr and an exit code.

    The user can fix a ValueError or an OSError: its message is that line, and the exit code is 1. For
    Interrupted the exit code is 75. Any other error is a defect of this project and keeps its traceback. So
    does a ValueError from inside an installed library, because only wrong arguments of ours raise it.
    """
    if not isinstance(sys.stderr, PlainStream):
        sys.stderr = PlainStream(sys.stderr)  # argparse, warnings and tracebacks write there, too
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
