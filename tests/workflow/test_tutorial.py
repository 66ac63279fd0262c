"""Each command of the tutorial runs, in order, with networks so small that it takes a minute or two."""

import csv
import re
import shlex
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from segguided.app.example_data import LABELS, MASKS, write_example
from support.miniature import ROOT, copy_repository, environment

PAGE = ROOT / "workflow/docs/tutorial.md"
START = "python scripts/start.py data/example"


def commands():
    """Those of the page, one a line."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def shrink(path: Path) -> None:
    """Give the configuration the miniature's networks and images of 32×32; everything else stays."""
    values = yaml.safe_load(path.read_text())
    small = yaml.safe_load((ROOT / "tests/support/miniature.yaml").read_text())
    for name in values["models"]:
        values["models"][name] = small["models"][name]
    values["datasets"]["mine"]["image_size"] = 32
    for section in ("segmenter", "diversity"):
        values[section] = small[section]
    values["partial_masks"] |= {"masks": 4, "samples_per_mask": 2}
    values["similarity"] |= {"masks": 4}
    path.write_text(yaml.safe_dump(values))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which all commands ran, and what each printed."""
    repository = copy_repository(tmp_path_factory.mktemp("tutorial"))
    printed = {}
    for command in commands():
        words = shlex.split(command)
        ran = subprocess.run(words, cwd=repository, capture_output=True, text=True, env=environment())
        assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
        printed[command] = ran.stdout
        if command == START:
            shrink(repository / "mine.yaml")
    return repository, printed


def test_it_shows_what_start_says(done):
    repository, printed = done
    said = printed[START].replace(f"{repository}/", "")
    shown = re.search(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)
    for line in shown.replace("…", "").splitlines():
        assert line.strip() in said


def test_there_are_tables_figures_and_images(done):
    repository, _ = done
    results = repository / "results/mine"
    for name in ("table1.md", "table2.md", "table3.md", "figure2.png", "data/mine/overview.png"):
        assert (results / name).stat().st_size > 0
    for folder, images in (("my-images", 5 * MASKS), ("my-hearts", 2 * MASKS)):
        assert len(list((repository / folder / "images").glob("*.png"))) == images
        with (repository / folder / "manifest.csv").open() as file:
            assert len(list(csv.DictReader(file))) == images
        assert (repository / folder / "contact_sheet.png").is_file()


def test_the_first_exercise_is_a_configuration(done, tmp_path):
    repository, _ = done
    page = PAGE.read_text(encoding="utf-8")
    changes = re.findall(r"`((?:models|pathvars|grid): [^`]*)`", page)
    assert len(changes) == 3
    added = tmp_path / "added.yaml"
    for change in changes:
        added.write_text(change + "\n", encoding="utf-8")
        command = ["snakemake", "-n", "all", "--configfile", "mine.yaml", str(added)]
        planned = subprocess.run(command, cwd=repository, capture_output=True, text=True, env=environment())
        assert planned.returncode == 0, planned.stdout + planned.stderr


def test_the_example_is_the_same_each_time_and_overwrites_nothing(tmp_path):
    for name in ("one", "other"):
        write_example(tmp_path / name, patients=1)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 3 + MASKS
    for path in files:
        if path.suffix != ".gz":  # whose header holds the time
            assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "other" / path).read_bytes()
    labels = [
        np.asarray(nib.load(tmp_path / name / "labelsTr/case_00.nii.gz").dataobj) for name in ("one", "other")
    ]
    assert np.array_equal(*labels)
    assert set(np.unique(labels[0])) == set(LABELS.values())
    with pytest.raises(ValueError, match="exists, and nothing is overwritten"):
        write_example(tmp_path / "one")
    with pytest.raises(ValueError, match="0 patients were asked for"):
        write_example(tmp_path / "none", patients=0)
    assert not (tmp_path / "none").exists()
