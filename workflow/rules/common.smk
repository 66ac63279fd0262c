# The checked configuration, the splits, and the functions rules use for their inputs and parameters.

import json
import shlex
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


def library(script):
    """The library files scripts/<script>.py imports: with them as inputs, an edit reruns what it affects."""
    return [str(path) for path in dependencies(Path("scripts", f"{script}.py"))]


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
    """Where a patient's volume comes from: files made by a rule, or the user's own."""
    dataset, patient = wildcards.dataset, wildcards.patient
    source, row = CONFIG.datasets[dataset].source, MANIFESTS[dataset][patient]
    if source.kind == "phantom":
        return [f"<results>/raw/{dataset}/receipts/{patient}.json"]
    if source.kind == "demo-ct":
        return [f"<results>/downloads/{row['package']}.tar.gz"]
    if source.kind == "nifti":
        return [
            f"{source.folder}/{pattern.format(**row)}"
            for pattern in (source.image, source.mask)
        ]
    return [f"{source.images}/{patient}", source.masks]


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


def optional(flag, files):
    """`flag files` on a command line, or nothing where there are no files."""
    return f"{flag} {files}" if files else ""


def generated_argument(wildcards, input):
    return optional("--generated", " ".join(input.generated) if input.generated else "")


def lookup_sha256(wildcards):
    """The recorded checksum of a package; one the patient tables do not name cannot be fetched."""
    if wildcards.package not in PACKAGES:
        raise WorkflowError(
            f"no patient table names the package '{wildcards.package}'; named: {', '.join(sorted(PACKAGES))}"
        )
    return PACKAGES[wildcards.package]


# Parameters: the smallest part of the configuration that decides an output, so that a changed value
# reruns exactly the jobs it affects.


def compact(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def source_json(wildcards):
    return CONFIG.datasets[wildcards.dataset].source.to_json()


def preparation_json(wildcards):
    return CONFIG.datasets[wildcards.dataset].preparation_json()


def manifest_row(wildcards):
    row = MANIFESTS[wildcards.dataset][wildcards.patient]
    return compact(
        {column: value for column, value in row.items() if column != "split"}
    )


def splits_json(wildcards):
    splits = SPLITS[wildcards.dataset]
    seed = CONFIG.evaluation.halves_seed
    return compact({"splits": splits, "halves": halve_test(splits["test"], seed)})


def halves_json(wildcards):
    return compact(
        halve_test(SPLITS[wildcards.dataset]["test"], CONFIG.evaluation.halves_seed)
    )


def model_json(wildcards):
    return CONFIG.models[wildcards.model].to_json()


def count_classes(wildcards):
    return len(CONFIG.datasets[wildcards.dataset].classes)


def class_names(wildcards):
    return list(CONFIG.datasets[wildcards.dataset].class_names)


def evaluation_json(wildcards):
    return CONFIG.evaluation.to_json()


def table_settings_json():
    datasets = [
        {
            "name": name,
            "paper_column": CONFIG.datasets[name].paper_column,
            "classes": CONFIG.datasets[name].class_names,
        }
        for name in CONFIG.grid.datasets
    ]
    return compact({"datasets": datasets, "models": CONFIG.grid.models})


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


def figure_arguments(wildcards):
    """A --dataset argument for each dataset: classes and colours, its test slices, its generated sets.

    Not made from `input`: Snakemake leaves parameters that are out of its rerun decision.
    """
    results = CONFIG.pathvars.get("results", "results")
    arguments = []
    for name in CONFIG.grid.datasets:
        images = {model: generated(name, model, CONFIG.grid.seeds[0], "test") for model in CONFIG.grid.models}
        value = {
            "name": name,
            "classes": [{"name": c.name, "color": c.color} for c in CONFIG.datasets[name].classes],
            "slices": slices_of(name, "test"),
            "generated": images,
        }
        arguments.append(f"--dataset {shlex.quote(compact(value).replace('<results>', results))}")
    return " ".join(arguments)


def publishable_datasets():
    """Datasets whose real images are ours to show: the phantoms."""
    ours = [
        name
        for name in CONFIG.grid.datasets
        if CONFIG.datasets[name].source.kind == "phantom"
    ]
    return optional("--real", " ".join(ours))
