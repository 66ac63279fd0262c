"""A PNG layout and a UNet from elsewhere go through the workflow, and come out again."""

import csv

import numpy as np
import pytest
import torch
import yaml
from diffusers import DDIMScheduler, UNet2DModel

from segguided.data.formats.png import read_grey, write_grey
from support.miniature import ARGUMENTS, copy_repository, jobs_of, snakemake

SIZE, FOLDERS = 16, {"train": "p1", "val": "p2", "test": "p3"}
NUMBERS = (4, 5, *range(11, 19))  # enough slices to halve those of an only test patient
CONFIG = {
    "grid": {"datasets": ["pictures"], "models": ["theirs", "unconditional"], "seeds": [0]},
    "datasets": {
        "pictures": {
            "source": {"kind": "png", "images": "theirs/DATA", "masks": "theirs/MASKS/all"},
            "manifest": "workflow/manifests/pictures.tsv",
            "classes": [{"name": "body"}, {"name": "bone"}],
            "intensity": {"kind": "as-is"},
            "image_size": SIZE,
        }
    },
    "models": {
        "theirs": {"kind": "imported", "folder": "theirs/model", "conditioning": "index255"},
        "unconditional": {
            "unet": {"channels": [8], "attention_levels": [], "norm_groups": 4, "layers_per_block": 1}
        },
    },
    "segmenter": {"channels": [4, 8]},
    "sampling": {"steps": 2, "batch_size": 8, "precision": "fp32"},
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The repository beside a layout of three patients and a UNet with random weights."""
    root = copy_repository(tmp_path_factory.mktemp("interop"))
    rng = np.random.default_rng(0)
    for folder, patient in FOLDERS.items():
        for number in NUMBERS:
            for kind, values in (("DATA", 256), ("MASKS/all", 3)):
                path = root / "theirs" / kind / folder / f"{patient}_slice_{number}.png"
                write_grey(path, rng.integers(0, values, (SIZE, SIZE), np.uint8))
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=SIZE,
        in_channels=2,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
    )
    unet.save_pretrained(root / "theirs/model/unet")
    (root / "pictures.yaml").write_text(yaml.safe_dump(CONFIG))
    rows = "".join(f"{p}\t{'held-out' if f == 'val' else f}\n" for f, p in FOLDERS.items())
    (root / "workflow/manifests/pictures.tsv").write_text(f"patient\tsplit\n{rows}")
    return root


def run(repository, *arguments):
    result = snakemake(repository, *arguments, "--configfile", "pictures.yaml", *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def test_tables_follow_an_imported_model_as_they_do_a_trained_one(repository):
    jobs = jobs_of(run(repository, "-n", "all"))
    assert (jobs["import_model"], jobs["train_diffusion"], jobs["generate_diffusion"]) == (1, 1, 2)
    assert jobs["evaluate_model"] == 3
    assert not {"export_model", "export_layout"} & set(jobs)


def rows_of(receipt):
    with receipt.open() as file:
        return {row["name"]: row["split"] for row in csv.DictReader(file, delimiter="\t")}


def test_layout_and_model_come_out_as_they_went_in(repository):
    exports = "results/exports/pictures"
    real, generated = (f"{exports}/{model}/seed0/layout" for model in ("real", "theirs"))
    run(repository, f"{real}/receipt.tsv", f"{generated}/receipt.tsv", f"{exports}/theirs/seed0/README.md")
    splits = {"p1": "train", "p2": "held-out", "p3": "test"}
    names = {f"{p}_slice_{n}": split for p, split in splits.items() for n in NUMBERS}
    assert rows_of(repository / real / "receipt.tsv") == names
    exported = rows_of(repository / generated / "receipt.tsv")
    assert exported == {name: split for name, split in names.items() if split != "train"}
    for folder, patient in FOLDERS.items():
        name = f"{folder}/{patient}_slice_11.png"
        for kind, original in (("images", "DATA"), ("masks/all", "MASKS/all")):
            before = read_grey(repository / "theirs" / original / name)
            np.testing.assert_array_equal(read_grey(repository / real / kind / name), before)
            if folder != "train":
                same = np.array_equal(read_grey(repository / generated / kind / name), before)
                assert same == (kind == "masks/all")
    ours = UNet2DModel.from_pretrained(repository / exports / "theirs/seed0", subfolder="unet")
    theirs = UNet2DModel.from_pretrained(repository / "theirs/model", subfolder="unet")
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    scheduler = DDIMScheduler.from_pretrained(repository / exports / "theirs/seed0", subfolder="scheduler")
    assert scheduler.config["timestep_spacing"] == "leading"
