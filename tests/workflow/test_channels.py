"""Phantoms whose two contrasts are the channels of one image, from raw files to Table 1 and figure 2."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from segguided.data.slices import read_generated, read_slices
from segguided.training.storage import read_description
from support.miniature import ARGUMENTS, MINIATURE, ROOT, copy_repository, snakemake

DATASET = "breast-two-contrasts"
CHANNELS = "workflow/channels.yaml"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    repository = copy_repository(tmp_path_factory.mktemp("channels"))
    shutil.copy(ROOT / "tests/support/channels.yaml", repository / CHANNELS)
    targets = ["results/table1.csv", "results/figure2.png"]
    done = snakemake(repository, *targets, "--configfile", MINIATURE, CHANNELS, *ARGUMENTS)
    assert done.returncode == 0, done.stdout + done.stderr
    return repository / "results"


def test_table_1_has_a_row_of_a_model_of_both_channels(results):
    with (results / "table1.csv").open() as file:
        rows = {row["model"]: row for row in csv.DictReader(file) if row["class"] == "macro"}
    assert set(rows) == {"segguided-plus", "real (ceiling)"}
    assert float(rows["segguided-plus"]["training_images"]) == 12 * 4
    assert 0 <= float(rows["segguided-plus"]["dice_mask"]) < 1
    assert 0 < float(rows["real (ceiling)"]["dice_mask"]) < 1, "of a segmenter that learnt from both channels"


def test_networks_have_the_channels_of_the_slices(results):
    slices = read_slices(sorted((results / "slices" / DATASET).glob("*.npz")))
    assert slices.channels == 2
    greys = slices.images[slices.masks == 1].astype(float)
    assert abs(np.corrcoef(greys.T)[0, 1]) < 0.9, "two contrasts, not one twice"
    for weights in ("runs/{}/segguided-plus/seed0", "segmenters/{}/real/seed0"):
        description = read_description(results / weights.format(DATASET) / "model.safetensors")
        assert description["channels"] == 2
    images_NHW, _ = read_generated(results / f"generated/{DATASET}/segguided-plus/seed0/test.npz")
    assert images_NHW.shape[1:] == (32, 32, 2)
    assert len(np.unique(images_NHW)) > 50


def test_figure_2_shows_the_channels_in_two_colours(results):
    pixels = np.asarray(Image.open(results / "figure2.png").convert("RGB")).astype(int)
    red, green, blue = np.moveaxis(pixels, -1, 0)
    assert ((red == blue) & (red > green + 30)).mean() > 0.01, "magenta where the first channel is brighter"
    assert ((red == blue) & (green > red + 30)).mean() > 0.01, "green where the second is"
