# Parameters of the rules: the smallest part of the configuration that decides an output, so that a changed value
# reruns exactly the jobs it affects.

import json
import shlex

from segguided.config.controlnet import AutoencoderStage, LatentStage


def compact(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def source_json(wildcards):
    return CONFIG.datasets[wildcards.dataset].source.to_json()


def preparation_json(wildcards):
    return CONFIG.datasets[wildcards.dataset].preparation_json()


def manifest_row(wildcards):
    row = MANIFESTS[wildcards.dataset][wildcards.patient]
    deciding = CONFIG.datasets[wildcards.dataset].split_column
    return compact(
        {column: value for column, value in row.items() if column != deciding}
    )


def source_row(wildcards):
    """The columns of a patient's row that tell where its files come from."""
    row = MANIFESTS[wildcards.dataset][wildcards.patient]
    columns = CONFIG.datasets[wildcards.dataset].source.columns
    return compact({column: row[column] for column in columns})


def mask_folder(wildcards):
    return CONFIG.datasets[wildcards.dataset].source.masks


def endpoint(wildcards):
    return CONFIG.datasets[wildcards.dataset].source.endpoint or ""


def mask_files(wildcards):
    """Names of the files that hold a patient's masks, each once."""
    classes = CONFIG.datasets[wildcards.dataset].classes
    names = [one.file.format(patient=wildcards.patient) for one in classes]
    return list(dict.fromkeys(names))


def test_halves(dataset):
    return halve_test(SPLITS[dataset]["test"], CONFIG.evaluation.halves_seed)


def splits_json(wildcards):
    dataset = wildcards.dataset
    return compact({"splits": SPLITS[dataset], "halves": test_halves(dataset)})


def overview_json(wildcards):
    """What an overview shows: classes and their colours, and patients by split, of how many."""
    name = wildcards.dataset
    value = {
        "name": name,
        "classes": figure_classes(name),
        "splits": sample_patients(SPLITS[name], MOST_PATIENTS),
        "totals": {split: len(patients) for split, patients in SPLITS[name].items()},
    }
    return compact(value)


def card_json(wildcards):
    """What a data card says that no slice file knows."""
    dataset = CONFIG.datasets[wildcards.dataset]
    value = {
        "name": wildcards.dataset,
        "about": dataset.about.model_dump(),
        "preparation": json.loads(dataset.preparation_json()),
        "split": dataset.split.model_dump() if dataset.split else None,
        "halves_seed": CONFIG.evaluation.halves_seed,
    }
    return compact(value)


def slices_folder(wildcards, input):
    """The folder of a dataset's slice files: thousands of names would not fit on a command line."""
    return Path(input.slices[0]).parent


def halves_json(wildcards):
    return compact(test_halves(wildcards.dataset))


def model_json(wildcards):
    return CONFIG.models[wildcards.model].training_json()


def image_size(wildcards):
    return CONFIG.datasets[wildcards.dataset].image_size


def autoencoder_stage_json(wildcards):
    model = CONFIG.models[wildcards.model]
    return AutoencoderStage.of(model.init, model.autoencoder).to_json()


def latent_stage_json(wildcards):
    model = CONFIG.models[wildcards.model]
    return LatentStage.of(model.init, model.latent).to_json()


def control_json(wildcards):
    return CONFIG.models[wildcards.model].control.to_json()


def count_classes(wildcards):
    return len(CONFIG.datasets[wildcards.dataset].classes)


def class_names(wildcards):
    return list(CONFIG.datasets[wildcards.dataset].class_names)


def evaluation_json(wildcards):
    return CONFIG.evaluation.to_json()


def title_of(model):
    """A model's name as tables and figures show it."""
    return CONFIG.models[model].title or model


def table_settings_json():
    datasets = [
        {
            "name": name,
            "paper_column": CONFIG.datasets[name].paper_column,
            "classes": CONFIG.datasets[name].class_names,
        }
        for name in CONFIG.grid.datasets
    ]
    models = [{"name": name, "title": title_of(name)} for name in CONFIG.grid.models]
    return compact({"datasets": datasets, "models": models})


def optional(flag, files):
    """`flag files` on a command line, or nothing where there are no files."""
    return f"{flag} {files}" if files else ""


def generated_argument(wildcards, input):
    return optional("--generated", " ".join(input.generated))


def exported_argument(wildcards, input):
    pairs = zip(["held-out", "test"], input.generated)
    return " ".join(f"--generated {split} {shlex.quote(path)}" for split, path in pairs)


def run_argument(wildcards, input):
    return optional("--run", input.run)


def held_out_argument(wildcards, input):
    return optional("--held-out", input.held_out)


def perceptual_segmenter_json(wildcards):
    return CONFIG.models[wildcards.model].perceptual.segmenter.to_json()


def perceptual_argument(wildcards, input):
    return optional("--perceptual", " ".join(map(shlex.quote, input.perceptual[:1])))


def lookup_sha256(wildcards):
    """The recorded checksum of a package; one the patient tables do not name cannot be fetched."""
    if wildcards.package not in PACKAGES:
        raise WorkflowError(
            f"no patient table names the package '{wildcards.package}'; named: {', '.join(sorted(PACKAGES))}"
        )
    return PACKAGES[wildcards.package]


def partial_masks_json(wildcards):
    return compact(CONFIG.datasets[wildcards.dataset].partial_masks)


def partial_counts():
    partial = CONFIG.partial_masks
    return f"--masks {partial.masks} --draws {partial.draws}" if partial else ""


def first_partial_mask(wildcards):
    masks = CONFIG.datasets[wildcards.dataset].partial_masks
    if not masks:
        raise WorkflowError(
            f"datasets.{wildcards.dataset}.partial_masks is empty; list the classes to keep"
        )
    return list(masks[0])


def rare_class(wildcards):
    name = CONFIG.datasets[wildcards.dataset].rare_class
    if name is None:
        raise WorkflowError(
            f"datasets.{wildcards.dataset}.rare_class is not set; name the class to draw more often"
        )
    return name


def rare_images():
    return CONFIG.applications.rare_images if CONFIG.applications else 0


def mask_classes(wildcards):
    return list(CONFIG.datasets[wildcards.masks].class_names)


def own_argument(wildcards, input):
    return optional("--own", " ".join(input.own))


def translation_json(wildcards):
    drawn = (
        f"<results>/applications/translation/{wildcards.masks}-to-{wildcards.dataset}"
    )
    path = f"{drawn}/{wildcards.model}/seed{wildcards.seed}.npz"
    return figure_dataset(wildcards.masks, {wildcards.dataset: path})


def kept_json():
    """The classes that figure 4 keeps, by dataset."""
    return compact(
        {
            name: CONFIG.datasets[name].partial_masks[0]
            for name in CONFIG.similar_datasets
        }
    )


def similarity_json():
    return CONFIG.similarity.to_json() if CONFIG.similarity else ""


def figure_arguments(wildcards):
    """What figures of all models show: their images of the test masks."""
    return dataset_arguments(
        {
            dataset: {
                model: generated(dataset, model, FIRST_SEED, "test")
                for model in CONFIG.grid.models
            }
            for dataset in CONFIG.grid.datasets
        }
    )


def partial_arguments(wildcards):
    """What figures 3 and 6 show: images of partial masks."""
    return dataset_arguments(
        {
            dataset: {
                model: partial_set(dataset, model) for model in CONFIG.partial_models
            }
            for dataset in CONFIG.partial_datasets
        }
    )


def similarity_arguments(wildcards):
    """What figure 4 shows: images by their similarity to real ones."""
    return dataset_arguments(
        {
            dataset: {CONFIG.similarity.model: similar_set(dataset)}
            for dataset in CONFIG.similar_datasets
        }
    )


def dataset_arguments(sets):
    """A --dataset argument for each dataset: classes, colours, test slices, and the files of `sets` by model.

    Not made from `input`: Snakemake leaves parameters that are out of its rerun decision.
    """
    return " ".join(
        f"--dataset {shlex.quote(figure_dataset(name, of_model))}"
        for name, of_model in sets.items()
    )


def figure_classes(name):
    return [{"name": c.name, "color": c.color} for c in CONFIG.datasets[name].classes]


def figure_dataset(name, generated_sets):
    """What a figure must know of a dataset, as JSON."""
    value = {
        "name": name,
        "classes": figure_classes(name),
        "slices": slices_of(name, "test"),
        "generated": generated_sets,
    }
    return compact(value).replace(
        "<results>", CONFIG.pathvars.get("results", "results")
    )


def column_arguments(models):
    """A --model argument for each of a figure's models: name and title, in order."""
    return " ".join(
        f"--model {shlex.quote(name)} {shlex.quote(title_of(name))}" for name in models
    )


def publishable_datasets():
    """Datasets whose real images are ours to show: the phantoms."""
    ours = [
        name
        for name in CONFIG.grid.datasets
        if CONFIG.datasets[name].source.kind == "phantom"
    ]
    return optional("--real", " ".join(ours))
