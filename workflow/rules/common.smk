# The checked configuration, the splits, and the functions rules use for their inputs.

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Relative, so that Snakemake compares script inputs by content and a moved checkout reruns nothing.
sys.path.insert(0, "scripts")

from segguided.config.workflow import REAL, load
from segguided.data.splits import assign_splits, halve_test, read_manifest
from segguided.dependencies import dependencies

TABLES = [1, 2]
FIGURES = [1, 2]

try:
    CONFIG = load(config)
    MANIFESTS = {
        name: {
            row["patient"]: row
            for row in read_manifest(Path(CONFIG.datasets[name].manifest))
        }
        for name in CONFIG.grid.datasets
    }
    for name, rows in MANIFESTS.items():
        dataset = CONFIG.datasets[name]
        dataset.source.check_columns(list(next(iter(rows.values()))), dataset.manifest)
    SPLITS = {
        name: assign_splits(list(rows.values()), CONFIG.datasets[name].split)
        for name, rows in MANIFESTS.items()
    }
except ValueError as error:
    raise WorkflowError(str(error)) from None

PACKAGES = {
    row["package"]: row["sha256"]
    for name, rows in MANIFESTS.items()
    if CONFIG.datasets[name].source.kind == "demo-ct"
    for row in rows.values()
}


wildcard_constraints:
    dataset="|".join(CONFIG.grid.datasets),
    model="|".join([*CONFIG.grid.models, REAL]),
    train_set="|".join([*CONFIG.grid.models, REAL]),
    seed="|".join(map(str, CONFIG.grid.seeds)),
    patient="[^/]+",
    package="[^/]+",
    table="|".join(map(str, TABLES)),


def models_of(*kinds):
    """A rule's constraint on its model: those of the grid that are of these kinds, or nothing at all."""
    names = [name for name in CONFIG.grid.models if CONFIG.models[name].kind in kinds]
    return "|".join(names) or "(?!)"


def library(name):
    """The library files scripts/<name>.py imports: with them as inputs, an edit reruns what it affects."""
    script = Path("scripts", f"{name}.py")
    return [str(path) for path in dependencies(script) if path != script]


def slices_of(dataset, split):
    """Slice files of one split."""
    return [
        f"<results>/slices/{dataset}/{patient}.npz"
        for patient in SPLITS[dataset][split]
    ]


def training_slices(wildcards):
    return slices_of(wildcards.dataset, "train")


def held_out_slices(wildcards):
    return slices_of(wildcards.dataset, "held-out")


def test_slices(wildcards):
    return slices_of(wildcards.dataset, "test")


def all_slices(wildcards):
    return [
        path
        for split in SPLITS[wildcards.dataset]
        for path in slices_of(wildcards.dataset, split)
    ]


def raw_files(wildcards):
    row = MANIFESTS[wildcards.dataset][wildcards.patient]
    return CONFIG.datasets[wildcards.dataset].source.raw_files(row, wildcards.dataset)


def generated_held_out(wildcards):
    """The images a segmenter trains on in place of the real ones; none for the real segmenter."""
    if wildcards.train_set == REAL:
        return []
    return [
        generated(wildcards.dataset, wildcards.train_set, wildcards.seed, "held-out")
    ]


def generated(dataset, model, seed, split):
    return f"<results>/generated/{dataset}/{model}/seed{seed}/{split}.npz"


def generated_test(wildcards):
    """The images to measure; none for the real images' own record."""
    if wildcards.model == REAL:
        return []
    return [generated(wildcards.dataset, wildcards.model, wildcards.seed, "test")]


def metrics_records(wildcards):
    return collect(
        "<results>/metrics/{dataset}/{model}/seed{seed}.json",
        dataset=CONFIG.grid.datasets,
        model=[*CONFIG.grid.models, REAL],
        seed=CONFIG.grid.seeds,
    )


def figure_slices(wildcards):
    return [
        path for dataset in CONFIG.grid.datasets for path in slices_of(dataset, "test")
    ]


def figure_images(wildcards):
    return [
        generated(dataset, model, CONFIG.grid.seeds[0], "test")
        for dataset in CONFIG.grid.datasets
        for model in CONFIG.grid.models
    ]


def imported_folder(wildcards):
    return CONFIG.models[wildcards.model].folder


def exported_training_slices(wildcards):
    """The real images of all splits leave together; models draw none for training patients' masks."""
    return training_slices(wildcards) if wildcards.model == REAL else []


def exported_images(wildcards):
    """The generated sets to export, in the order of `exported_argument`; none for the real images."""
    if wildcards.model == REAL:
        return []
    return [
        generated(wildcards.dataset, wildcards.model, wildcards.seed, split)
        for split in ("held-out", "test")
    ]
