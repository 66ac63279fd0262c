"""The picture of a run, looked at through what it draws: bars, frames and words in their places."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from segguided.status.timeline.bars import timeline_of
from segguided.status.timeline.picture import COLOURS, timeline_figure
from support.status_scenes import recorded

ROOT = Path(__file__).parents[3]


def bars_of(figure, rule_colour):
    (axes,) = figure.axes
    return [patch for patch in axes.patches if to_hex(patch.get_facecolor()) == rule_colour]


def test_a_bar_is_as_long_as_its_job_and_starts_with_it(tmp_path):
    run = timeline_of(recorded("finished", tmp_path), tmp_path)
    figure = timeline_figure(run)
    (bar,) = [bar for bar in run.bars if bar.job.rule == "train_diffusion"]
    (drawn,) = bars_of(figure, COLOURS["train"])
    assert drawn.get_width() == pytest.approx(bar.seconds)
    assert drawn.get_x() == pytest.approx(bar.start - run.run.begun)
    assert len(bars_of(figure, COLOURS["download, prepare"])) == 8


def test_bars_of_one_rule_do_not_cover_each_other(tmp_path):
    run = timeline_of(recorded("finished", tmp_path), tmp_path)
    drawn = bars_of(timeline_figure(run), COLOURS["download, prepare"])
    boxes = sorted((round(p.get_y(), 3), p.get_x(), p.get_x() + p.get_width()) for p in drawn)
    for (y, _, end), (next_y, start, _) in pairwise(boxes):
        assert next_y > y or start >= end - 1e-6


@pytest.mark.parametrize("name", ["interrupted", "failed", "killed", "slurm", "group"])
def test_runs_that_went_wrong_are_drawn_too(tmp_path, name):
    recorded(name, tmp_path)
    command = [sys.executable, "scripts/draw_run.py", "--folder", tmp_path, "--png", tmp_path / "run.png"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    pixels = np.asarray(Image.open(tmp_path / "run.png").convert("L"))
    assert (pixels < 128).any(axis=1).sum() > 50


def test_where_nothing_ran_one_sentence_says_so(tmp_path):
    command = [sys.executable, "scripts/draw_run.py", "--folder", tmp_path, "--png", tmp_path / "run.png"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {tmp_path}/.snakemake/segguided: expected the journal of a run")
    assert not (tmp_path / "run.png").exists()
