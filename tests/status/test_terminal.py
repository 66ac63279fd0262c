"""The same in a terminal: wide, narrow, and without colours in a file."""

import io
import re

import pytest
from rich.console import Console

from segguided.status.terminal import rendered
from support.status_scenes import SCENES, scene


def shown(name, folder, width=100, **options):
    file = io.StringIO()
    Console(file=file, width=width, **options).print(rendered(scene(name, folder)))
    return file.getvalue()


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("width", [40, 80, 160])
def test_every_scene_fits(tmp_path, name, width):
    text = shown(name, tmp_path / name, width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text


def test_what_a_training_tells(tmp_path):
    text = " ".join(re.sub(r"[│━╸]", " ", shown("running", tmp_path / "a", 200)).split())
    assert "step 1,500 of 6,000 · loss 0.136 · 80 images/s · 3 min left" in text
    assert "3 of 6 jobs" in text
    assert "1 running · 2 waiting" in text


def test_a_failure_tells_its_log_and_what_to_do(tmp_path):
    text = shown("failed", tmp_path / "a", 200)
    assert "Failed: train_diffusion breast-phantom/segguided-mat/seed0, attempt 2" in text
    assert "→ the same command with more: --set-resources train_diffusion:mem_mb=…" in text
    assert "RuntimeError: shapes do not match" in text
    assert "log: logs/prepare_patient/breast-phantom/tiny_1.log" in text
    assert text.index("Failed:") < text.index("To go on")


def test_orphans_come_before_all_else(tmp_path):
    text = shown("slurm_orphaned", tmp_path / "a", 200)
    assert text.index("no Snakemake waits for it") < text.index("resume.py") < text.index("Failed:")
    assert "train_spade breast-phantom/spade/seed0, running" in text


def test_hours(tmp_path):
    text = shown("retrying", tmp_path / "a", 200)
    assert re.search(r"train_diffusion +1 +2 +1\.33 ", text)
