"""The command `segguided`: its first word names a command, the further words are that command's own."""

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from segguided.cli import framed

# Each command's function, as module:function. It is given the words after the command's name, writes its own
# help, and raises what `framed` turns into one sentence. Its docstring's first line is the help below.
COMMANDS = {
    "generate": "segguided.app.command_line:main",
    "start": "segguided.app.start.main:command",
}
PACKAGE = Path(__file__).parents[1]
WRONG_USE = 2  # argparse's exit code

Function = Callable[[Sequence[str]], None]


def main() -> None:
    """Run the command that the command line names, and end the process as `framed` says."""
    framed(lambda: _in_one_sentence(lambda: dispatch(sys.argv[1:])))


def dispatch(words: Sequence[str]) -> None:
    """Call the command that the first word names with the further words.

    Without a word, or with one that is no command, the process ends with exit code 2.
    """
    first, further = (words[0], words[1:]) if words else ("", [])
    if first in ("-h", "--help"):
        print(help_text(), end="")
    elif first == "--version":
        print(f"segguided {version('segguided')}")
    elif first in COMMANDS:
        function_of(first)(further)
    else:
        wrong = f"segguided has no command {first!r}" if first else "segguided needs the name of a command"
        print(f"error: {wrong}; it has {', '.join(COMMANDS)}: see segguided --help", file=sys.stderr)
        sys.exit(WRONG_USE)


def function_of(command: str) -> Function:
    """The function of a command, whose module is loaded only now: some load torch."""
    module, _, name = COMMANDS[command].partition(":")
    function: Function = getattr(import_module(module), name)
    return function


def help_text() -> str:
    """What `segguided --help` prints."""
    parser = argparse.ArgumentParser(
        prog="segguided",
        usage="segguided COMMAND …",
        description="Images that follow an anatomical mask. `segguided COMMAND --help` lists its options.",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_argument_group("commands")
    for name in COMMANDS:
        commands.add_argument(name, help=_first_line(function_of(name)))
    return parser.format_help()


def _first_line(function: Function) -> str:
    assert function.__doc__, "the help of a command is its function's docstring"
    return function.__doc__.splitlines()[0]


def _in_one_sentence(body: Callable[[], None]) -> None:
    """Call `body`; a ValueError that this package raises is one sentence also where it is installed.

    `framed` takes an error from anything in site-packages for a defect of ours.
    """
    try:
        body()
    except ValueError as error:
        *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
        if not Path(innermost.f_code.co_filename).is_relative_to(PACKAGE):
            raise
        sys.exit(f"error: {' '.join(str(error).split())}")
