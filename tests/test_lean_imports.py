"""Scripts load MONAI without its optional packages, to the same numbers; other programs load all of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from segguided.lean_imports import OPTIONAL, hidden

SCRIPTS = Path(__file__).parents[1] / "scripts"
LEAN = "import sys; from segguided.lean_imports import LeanFinder; sys.meta_path.insert(0, LeanFinder)\n"
NUMBERS = """
import numpy as np, torch
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.spade import SpadeGenerator
from segguided.evaluation.image_pairs import structural_similarity
from segguided.models.segmenter import SegmenterLearner, build_segmenter
from segguided.models.spade import Generator
torch.manual_seed(0)
training = {"epochs": None, "steps": 2, "batch_size": 2, "learning_rate": 1e-3}
settings = Segmenter(channels=[4, 8], training=training)
network = build_segmenter(settings, 2)
learner = SegmenterLearner(network, settings, 2, None, torch.device("cpu"))
images, masks = torch.randint(256, (2, 16, 16)).byte(), torch.randint(3, (2, 16, 16)).byte()
for _ in range(2):
    print(float(learner.update(images, masks, torch.Generator())["loss"]))
generator = Generator(SpadeGenerator(channels=[4, 8], modulation_channels=4), 2, 16)
print(float(generator(masks).sum()))
print(structural_similarity(images.numpy(), images.flip(1).numpy()))
print(sorted({"matplotlib", "nibabel", "pandas"} & {*sys.modules}), "scipy.stats" in sys.modules)
"""


def said_by(code: str, *folders: Path) -> str:
    environment = {"PYTHONPATH": ":".join(map(str, [*folders, SCRIPTS])), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", ["train_segmenter", "train_spade", "evaluate_model"])
def test_a_script_loads_monai_without_what_it_does_not_use(script: str) -> None:
    command = [sys.executable, "-X", "importtime", f"{script}.py", "--help"]
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True)
    assert done.returncode == 0
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "monai.networks" in imported
    # Of a package that was looked for in vain, the list holds the name alone.
    assert (
        not {"matplotlib.figure", "nibabel.spatialimages", "pandas.core", "scipy.stats._stats_py"} & imported
    )


def test_networks_and_losses_give_the_same_bits() -> None:
    *lean, loaded_leanly = said_by(LEAN + NUMBERS).splitlines()
    *whole, loaded = said_by("import sys" + NUMBERS).splitlines()
    assert lean == whole
    assert (loaded_leanly, loaded) == ("[] False", "['matplotlib', 'nibabel', 'pandas'] True")


def test_what_monai_did_without_can_be_imported_afterwards() -> None:
    imports = "".join(f"import {name}; " for name in OPTIONAL)
    assert said_by(f"{LEAN}import monai; {imports}print('all')") == "all\n"


def test_a_monai_that_needs_an_optional_package_is_loaded_with_it(tmp_path: Path) -> None:
    package = tmp_path / "monai"
    package.mkdir()
    (package / "__init__.py").write_text("from monai import first, second\n")
    (package / "first.py").write_text("try:\n    import scipy\nexcept ImportError:\n    scipy = None\n")
    (package / "second.py").write_text("import pandas\n")
    told = "import monai; print(monai.second.pandas.__name__, monai.first.scipy.__name__, monai.__file__)"
    assert said_by(LEAN + told, tmp_path) == f"pandas scipy {package / '__init__.py'}\n"


def test_a_program_of_somebody_else_gets_all_of_monai() -> None:
    told = "import sys, segguided.cli, monai; print('pandas' in sys.modules, segguided.cli.__file__)"
    assert said_by(told) == f"True {SCRIPTS / 'segguided/cli.py'}\n"


def test_a_package_that_was_there_before_stays() -> None:
    assert "json" in sys.modules
    with hidden(["json", "segguided_absent"]):
        import json
    assert json is sys.modules["json"]
    assert "segguided_absent" not in sys.modules
