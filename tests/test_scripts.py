"""Each script is a command line and one function of the script's name, and the two fit together."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
# What the launcher takes from the command line before it calls the function.
OF_THE_LAUNCHER = {"threads", "deterministic", "compile", "gpus", "preview_every", "tensorboard"}


def names():
    return sorted(
        path.stem for path in SCRIPTS.glob("*.py") if "command_line()" in path.read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("name", names())
def test_the_command_line_gives_exactly_the_arguments_of_the_function(name):
    script = importlib.import_module(name)
    given = {action.dest for action in script.command_line()._actions} - {"help"}
    taken = set(inspect.signature(getattr(script, name)).parameters)
    assert given - OF_THE_LAUNCHER == taken - OF_THE_LAUNCHER


def test_a_training_without_a_discriminator_does_not_wait_for_monai():
    code = "import sys, train_diffusion; sys.exit('monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS).returncode == 0
