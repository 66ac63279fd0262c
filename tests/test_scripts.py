"""Each script is a command line and one function of the script's name, and the two fit together."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"
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


def by_hand():
    """The scripts that the documentation tells users to call."""
    pages = [ROOT / "README.md", *(ROOT / "workflow/docs").glob("*.md")]
    return sorted(set(re.findall(r"python scripts/(\w+)\.py", "".join(map(Path.read_text, pages)))))


@pytest.mark.parametrize("name", by_hand())
def test_a_script_outside_its_environment_says_which_package_is_missing(name):
    """`-S` leaves site-packages out, as Python does outside the environment."""
    command = [sys.executable, "-S", SCRIPTS / f"{name}.py", "--help"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(
        r"error: \S+ lacks the package \w+; run `make env` once, then in each shell "
        r"`source \.venv/bin/activate`, and then this command again\n",
        result.stderr,
    ), result.stderr


def test_a_missing_module_of_our_own_keeps_its_traceback(tmp_path):
    """It is a defect; and a program that imports the library keeps its own handling of errors."""
    (tmp_path / "segguided").symlink_to(SCRIPTS / "segguided")
    code = "import segguided.missing_packages\nimport {}\n"
    for module, script in (("segguided.nowhere", SCRIPTS / "start.py"), ("nowhere", tmp_path / "own.py")):
        program = f"import sys; sys.modules['__main__'].__file__ = {str(script)!r}\n" + code.format(module)
        result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
        assert result.stderr.startswith("Traceback"), module
        assert "make env" not in result.stderr


# What takes seconds to import, and the scripts that need it: a new script needs nothing until it is listed.
DIFFUSERS = {
    *("train_diffusion", "train_regression", "train_completer", "time_training"),
    *("train_autoencoder", "train_latent_diffusion", "train_controlnet", "generate_controlnet"),
    *("generate_diffusion", "generate_regression", "generate_counterfactual", "generate_rare"),
    *("generate_free", "generate_paired", "generate_partial", "generate_similar"),
    *("translate_images", "translate_masks", "import_model", "export_model", "export_program"),
}
MONAI = {
    *("train_segmenter", "train_augmented", "train_spade", "generate_spade", "evaluate_model"),
    *("measure_counterfactual", "measure_partial", "measure_rare", "measure_similarity"),
    *("measure_translation", "time_training"),
}
TORCH = DIFFUSERS | MONAI | {"train_perceptual", "write_run"}
MATPLOTLIB = {name for name in names() if name.startswith("draw_")}
PREPARING = {"prepare_patient", "list_split", "split_dataset", "repeat_masks", "gather_images"}


@pytest.mark.parametrize(
    ("scripts", "unneeded"),
    [
        ({*names()} - TORCH, "torch diffusers monai torchmetrics"),
        ({*names()} - TORCH - MATPLOTLIB, "matplotlib"),
        (PREPARING, "pandas scipy.ndimage SimpleITK"),
        (TORCH - DIFFUSERS, "diffusers torch._dynamo torchmetrics"),
        # diffusers imports scipy.stats itself, MONAI pandas and matplotlib.
        (TORCH - MONAI, "monai pandas matplotlib torchmetrics"),
    ],
    ids=["no-network", "no-figure", "preparing", "no-diffusers", "no-monai"],
)
def test_scripts_import_nothing_large_that_they_do_not_need(scripts, unneeded):
    """Imports of a script delay each of its jobs, and most jobs are short."""
    code = (
        "import importlib, sys\n"
        "unneeded, *scripts = sys.argv[1:]\n"
        "for script in scripts:\n"
        "    importlib.import_module(script)\n"
        "    found = [name for name in unneeded.split() if name in sys.modules]\n"
        "    if found: sys.exit(f'{script} imports {found}')\n"
    )
    assert scripts <= {*names()}
    command = [sys.executable, "-c", code, unneeded, *sorted(scripts)]
    result = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
