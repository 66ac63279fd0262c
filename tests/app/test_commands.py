"""The command `segguided`: it knows its commands, calls the one that is named, and refuses all others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import generate as script
from segguided.app import commands
from segguided.app.commands import COMMANDS, dispatch, function_of, help_text

SCRIPTS = Path(script.__file__).parent


def segguided(*words):
    """Run the command in a process of its own, from this checkout."""
    program = "from segguided.app.commands import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", program, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_function_and_help_of_its_own(name, capsys):
    first_line = function_of(name).__doc__.splitlines()[0]
    assert f"{name} " in help_text() and first_line in " ".join(help_text().split())
    with pytest.raises(SystemExit) as end:
        dispatch([name, "--help"])
    assert end.value.code == 0
    assert f"usage: segguided {name}" in capsys.readouterr().out


def test_the_help_loads_no_torch():
    program = (
        "import sys; from segguided.app.commands import help_text; help_text(); print('torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "False\n"


def test_a_line_in_the_table_is_enough_for_a_new_command(monkeypatch, capsys):
    monkeypatch.setitem(COMMANDS, "first", "os.path:join")
    monkeypatch.setattr(commands, "import_module", lambda _module: Stand)
    dispatch(["first", "--a", "b"])
    assert capsys.readouterr().out == "['--a', 'b']\n"


class Stand:
    join = print


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["generat"], "error: segguided has no command 'generat'; it has generate"),
        (["--verbose"], "error: segguided has no command '--verbose'; it has generate"),
        (["\x1b[31m"], r"error: segguided has no command '\x1b[31m'; it has generate"),
        ([], "error: segguided needs the name of a command; it has generate"),
    ],
)
def test_what_is_no_command_is_refused_in_one_sentence(words, sentence):
    done = segguided(*words)
    assert done.returncode == 2
    assert done.stderr.startswith(sentence) and len(done.stderr.splitlines()) == 1
    assert not done.stdout


def test_generate_takes_the_words_of_the_script(run_folder, png_masks, tmp_path):
    mask = next(iter(sorted(png_masks.iterdir())))
    words = [run_folder, mask, "--noise-seeds", "0", "3", "--threads", "1"]
    assert segguided("generate", *words[:2], tmp_path / "command", *words[2:]).returncode == 0
    command = [sys.executable, SCRIPTS / "generate.py", *words[:2], tmp_path / "script", *words[2:]]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    made, expected = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "command", tmp_path / "script")
    )
    assert len(made) == 4 and made == expected
    wrong = segguided("generate", run_folder, tmp_path / "nowhere", tmp_path / "out")
    assert wrong.returncode == 1 and "nowhere: expected masks" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1
    assert segguided("generate").returncode == 2
