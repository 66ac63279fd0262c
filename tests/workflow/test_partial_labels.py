"""Partial labels from the patient table to the record of Table 1, on phantoms of 32 pixels."""

import re
from pathlib import Path

import numpy as np
import pytest

from evaluate_model import evaluate_model
from generate_diffusion import generate_diffusion
from prepare_patient import prepare_patient
from repeat_masks import repeat_masks
from segguided.data.slices import read_slices, read_stack
from segguided.data.splits import halve_test
from segguided.models.segmenter_run import run_segmenter
from segguided.seals import read_sealed
from segguided.training.storage import read_description
from split_dataset import split_dataset
from support.miniature import ARGUMENTS, MINIATURE, copy_repository, snakemake
from support.miniature_config import config
from train_completer import train_completer
from train_diffusion import train_diffusion
from write_phantom import write_phantom

FREE = {"conditioning": "onehot_free", "mask_ablation": "sample", "ablated_share": 0.5}
SPLITS = {"train": ("t1", "t2"), "held-out": ("h1", "h2"), "test": ("e1", "e2", "e3", "e4")}
VESSELS = 2
MEASURED = [patient for patient, half in halve_test(SPLITS["test"], 0).items() if half == "test"]
LACKING = {"t2", "h2", MEASURED[0]}


@pytest.fixture(scope="module")
def settings():
    return config(models={"segguided-plus": FREE})


@pytest.fixture(scope="module")
def files(tmp_path_factory, settings):
    """The slice files of each split; a patient of each lacks the vessels."""
    folder = tmp_path_factory.mktemp("partial")
    dataset = settings.datasets["breast-phantom"]
    for patient in sum(SPLITS.values(), ()):
        receipt = folder / "raw" / "receipts" / f"{patient}.json"
        write_phantom(patient, dataset.source, receipt)
        lacking = (VESSELS,) if patient in LACKING else ()
        prepare_patient({"patient": patient}, dataset, [receipt], folder / f"{patient}.npz", lacking)
    return {split: [folder / f"{patient}.npz" for patient in of_split] for split, of_split in SPLITS.items()}


def test_what_lies_below_a_class_that_is_not_annotated_shows(files, settings, tmp_path):
    """A hole of the vessels' shape would tell where they are."""
    path = files["train"][1]
    stack = read_stack(path)
    receipt = path.parent / "raw" / "receipts" / f"{stack.patient}.json"
    prepare_patient({"patient": "t2"}, settings.datasets["breast-phantom"], [receipt], tmp_path / "t2.npz")
    whole = read_stack(tmp_path / "t2.npz")
    vessels_SHW = whole.masks_SHW == VESSELS
    assert stack.not_annotated == (VESSELS,) and vessels_SHW.any()
    assert not (stack.masks_SHW == VESSELS).any()
    assert (stack.masks_SHW[vessels_SHW] != 0).mean() > 0.9
    np.testing.assert_array_equal(stack.images_SHW, whole.images_SHW)


def test_from_slices_to_the_record(files, settings, tmp_path):
    names = settings.datasets["breast-phantom"].class_names
    split_dataset(files["train"], files["held-out"], files["test"], 0, names, tmp_path / "splits.csv")
    rows = (tmp_path / "splits.csv").read_text()
    assert re.search(r"^t2,train,,6,\d+,,\d+$", rows, re.MULTILINE)
    trained = {}
    for name in ("segguided", "segguided-mat", "segguided-plus"):
        trained[name] = tmp_path / name / "model.safetensors"
        train_diffusion(files["train"], settings.models[name], len(names), 0, trained[name], 600)
    assert {name: read_description(path).get("left_out") for name, path in trained.items()} == {
        "segguided": ["t2"],
        "segguided-mat": None,
        "segguided-plus": None,
    }
    completer = settings.models["segguided-plus"].completer
    train_completer(files["train"], completer, len(names), True, 0, tmp_path / "c" / "model.safetensors")
    segmenter = tmp_path / "segmenter" / "model.safetensors"
    validation = read_slices(files["test"])
    run_segmenter(read_slices(files["held-out"]), validation, settings.segmenter, len(names), 0, segmenter)
    repeat_masks(files["test"], 4, 2, tmp_path / "repeated-masks.npz")
    outputs = [tmp_path / "test.npz", tmp_path / "repeated.npz"]
    weights = trained["segguided-plus"]
    sets = [files["test"], [tmp_path / "repeated-masks.npz"]]
    generate_diffusion(weights, settings.sampling_of("segguided-plus"), sets, outputs, 0)
    evaluate_model(
        *("breast-phantom", "segguided-plus", 0, files["test"], files["train"], *outputs),
        *(weights.with_name("config.json"), None, segmenter, segmenter, names, settings.evaluation),
        tmp_path / "record.json",
    )
    record = read_sealed(tmp_path / "record.json")
    lacking = MEASURED[0]
    assert record[f"faithfulness.mask.patients_mean.vessels.patient.{lacking}"] is None
    assert record[f"quality.ceiling.patients_mean.vessels.patient.{lacking}"] is None
    assert record[f"faithfulness.mask.patients_mean.breast.patient.{lacking}"] is not None
    assert record["faithfulness.mask.dice.vessels"] is not None
    assert record["faithfulness.patients"] == 4


def test_the_table_decides_the_slices_of_its_patient_alone(tmp_path: Path) -> None:
    repository = copy_repository(tmp_path)
    table = repository / "workflow/manifests/miniature.tsv"
    cells = {"tiny_1": "vessels, FGT", "tiny_2": "", "tiny_3": "", "tiny_4": ""}
    table.write_text("patient\tnot_annotated\n" + "".join(f"{p}\t{cell}\n" for p, cell in cells.items()))
    few = repository / "few.yaml"  # translation is of fully annotated test patients
    few.write_text("{grid: {models: [segguided-mat]}, applications: null}")
    dry = (
        "-n",
        "-p",
        "results/data/breast-phantom/splits.csv",
        "--configfile",
        MINIATURE,
        few.name,
        *ARGUMENTS,
    )
    result = snakemake(repository, *dry)
    commands = re.findall(r"python scripts/prepare_patient.py .*", result.stdout + result.stderr)
    told = {re.search(r"tiny_\d", command)[0]: "--not-annotated 2 3 " in command for command in commands}
    assert told == {patient: bool(cell) for patient, cell in cells.items()}, result.stdout + result.stderr
    table.write_text("patient\tnot_annotated\ntiny_1\tveins\n" + "tiny_2\t\ntiny_3\t\ntiny_4\t\n")
    result = snakemake(repository, *dry)
    expected = "miniature.tsv, line 2: the column not_annotated of patient tiny_1 names veins, but the"
    assert result.returncode == 1 and expected in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
