"""No test patient of the demo is among the patients on whom settings are chosen."""

from pathlib import Path

import yaml
from snakemake.utils import update_config

from segguided.config.datasets import Dataset
from segguided.config.workflow import Config, load
from segguided.data.splits import assign_splits, read_manifest
from segguided.text_tables import TableRow

ROOT = Path(__file__).parents[2]


def merged(*files: str) -> Config:
    """The configuration that Snakemake makes of config.yaml and these files of workflow/."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for file in files:
        update_config(values, yaml.safe_load((ROOT / "workflow" / file).read_text()))
    return load(values)


DEMO = merged("demo.yaml")
TUNING = merged("demo.yaml", "tuning.yaml")


def who(dataset: Dataset, row: TableRow) -> tuple[object, ...]:
    """What a patient is made of: a real one's file, a phantom's seed and name, whatever its contrast."""
    if dataset.source.kind == "phantom":
        return ("phantom", dataset.source.seed, row["patient"])
    return (row["package"], row["member"])


def patients(config: Config, *splits: str) -> dict[tuple[object, ...], str]:
    """The patients of these splits of all demo datasets, with their names."""
    found = {}
    for name in ("ct-torso", "breast-phantom", "breast-phantom-t2"):
        dataset = config.datasets[name]
        rows = {row["patient"]: row for row in read_manifest(ROOT / dataset.manifest)}
        members = assign_splits(list(rows.values()), dataset.split)
        found |= {who(dataset, rows[patient]): patient for split in splits for patient in members[split]}
    return found


def test_no_test_patient_of_the_demo_is_tuned_on() -> None:
    tested = patients(DEMO, "test")
    tuned_on = patients(TUNING, "train", "held-out", "test")
    assert len(tested) == 1 + 16
    assert len(tuned_on) == 3 + 28
    assert not tested.keys() & tuned_on.keys()


def test_tuning_changes_only_who_the_patients_are() -> None:
    changed = {
        f"{name}.{field}"
        for name, dataset in DEMO.datasets.items()
        for field in Dataset.model_fields
        if getattr(dataset, field) != getattr(TUNING.datasets[name], field)
    }
    assert changed == {"ct-torso.manifest", "breast-phantom.source", "breast-phantom-t2.source"}
    others = set(Config.model_fields) - {"datasets", "pathvars"}
    assert all(getattr(DEMO, field) == getattr(TUNING, field) for field in others)
    assert TUNING.pathvars["results"] == "results/tuning"
