# Parameters of the rules: the smallest part of the configuration that decides an output, so that a changed value
# reruns exactly the jobs it affects.

import json
import shlex


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


def test_halves(dataset):
    return halve_test(SPLITS[dataset]["test"], CONFIG.evaluation.halves_seed)


def splits_json(wildcards):
    dataset = wildcards.dataset
    return compact({"splits": SPLITS[dataset], "halves": test_halves(dataset)})


def halves_json(wildcards):
    return compact(test_halves(wildcards.dataset))


def model_json(wildcards):
    return CONFIG.models[wildcards.model].to_json()


def image_size(wildcards):
    return CONFIG.datasets[wildcards.dataset].image_size


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


def optional(flag, files):
    """`flag files` on a command line, or nothing where there are no files."""
    return f"{flag} {files}" if files else ""


def generated_argument(wildcards, input):
    return optional("--generated", " ".join(input.generated))


def exported_argument(wildcards, input):
    pairs = zip(["held-out", "test"], input.generated)
    return " ".join(f"--generated {split} {shlex.quote(path)}" for split, path in pairs)


def lookup_sha256(wildcards):
    """The recorded checksum of a package; one the patient tables do not name cannot be fetched."""
    if wildcards.package not in PACKAGES:
        raise WorkflowError(
            f"no patient table names the package '{wildcards.package}'; named: {', '.join(sorted(PACKAGES))}"
        )
    return PACKAGES[wildcards.package]


def figure_arguments(wildcards):
    """A --dataset argument for each dataset: classes and colours, its test slices, its generated sets.

    Not made from `input`: Snakemake leaves parameters that are out of its rerun decision.
    """
    results = CONFIG.pathvars.get("results", "results")
    arguments = []
    for name in CONFIG.grid.datasets:
        images = {
            model: generated(name, model, CONFIG.grid.seeds[0], "test")
            for model in CONFIG.grid.models
        }
        value = {
            "name": name,
            "classes": [
                {"name": c.name, "color": c.color}
                for c in CONFIG.datasets[name].classes
            ],
            "slices": slices_of(name, "test"),
            "generated": images,
        }
        arguments.append(
            f"--dataset {shlex.quote(compact(value).replace('<results>', results))}"
        )
    return " ".join(arguments)


def publishable_datasets():
    """Datasets whose real images are ours to show: the phantoms."""
    ours = [
        name
        for name in CONFIG.grid.datasets
        if CONFIG.datasets[name].source.kind == "phantom"
    ]
    return optional("--real", " ".join(ours))
