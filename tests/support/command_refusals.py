"""Calls of the command `segguided` that must be refused: one sentence, and nothing of the user's changed."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from segguided.app import commands

State = dict[str, tuple[object, ...]]


def state_of(folder: Path) -> State:
    """Every file, link and folder below: kind, permissions and, of a file, time and bytes."""
    state: State = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        content = (about.st_mtime_ns, path.read_bytes()) if path.is_file() else ()
        target = str(path.readlink()) if path.is_symlink() else ""
        state[str(path.relative_to(folder))] = (about.st_mode, target, *content)
    return state


def refusal_of(words: Sequence[object], folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What the command says: the sentence with which it ends, one line, and what it printed before.

    Its exit code is not 0. `folder` holds all that the call may reach; it is the same afterwards.
    """
    before = state_of(folder)
    stderr = sys.stderr
    arguments = sys.argv
    sys.argv = ["segguided", *map(str, words)]
    try:
        with pytest.raises(SystemExit) as end:
            commands.main()
    finally:
        sys.argv = arguments
        sys.stderr = stderr
    assert state_of(folder) == before, "a refused call changes nothing and leaves nothing"
    assert end.value.code not in (0, None)
    shown = capsys.readouterr()
    # sys.exit prints its text when the process ends; argparse prints its own, below the usage.
    sentence = end.value.code if isinstance(end.value.code, str) else shown.err.splitlines()[-1]
    assert isinstance(sentence, str) and "error: " in sentence and "\n" not in sentence
    assert "Traceback" not in sentence
    return sentence.partition("error: ")[2], shown.out
