# Inputs and parameters of the rules that measure models and write tables.

from segguided.config.row_notes import row_notes


def generated_test(wildcards):
    """The images to measure; none for the real images' own record."""
    if wildcards.model == REAL:
        return []
    return [generated(wildcards.dataset, wildcards.model, wildcards.seed, "test")]


def generated_repeated(wildcards):
    """Several images of each of some test masks; none for the real images' own record."""
    if wildcards.model == REAL:
        return []
    return [generated(wildcards.dataset, wildcards.model, wildcards.seed, "repeated")]


def repeated_argument(wildcards, input):
    return option("--repeated", input.repeated)


def run_description(wildcards):
    """What the trainings of the model and of the networks that it needs cost; none for the real images."""
    if wildcards.model == REAL:
        return []
    return [model_description(wildcards), *further_descriptions(wildcards)]


def further_descriptions(wildcards):
    """The config.json of each network that the model needs and that is trained in a run of its own.

    Models may share a perceptual network: it counts for each. A completer costs the same with each seed, and
    figures show the first seed's: the others are not trained.
    """
    completer = completer_of(wildcards.dataset, wildcards.model, FIRST_SEED)
    return perceptual_network(wildcards)[1:] + completer[1:]


def run_argument(wildcards, input):
    return option("--run", input.run[:1]) + option("--further-runs", input.run[1:])


def reference_slices(wildcards):
    """The real images that the real images' own record compares to those of the test patients."""
    return held_out_slices(wildcards) if wildcards.model == REAL else []


def reference_list(wildcards):
    return [list_of(wildcards.dataset, "held-out")] if wildcards.model == REAL else []


def reference_argument(wildcards, input):
    return option_with_lists("--held-out", input.held_out_list)


def evaluation_json(wildcards):
    return CONFIG.evaluation.to_json()


def metrics_records(wildcards):
    return collect(
        "<results>/metrics/{dataset}/{model}/seed{seed}.json",
        dataset=CONFIG.grid.datasets,
        model=[*CONFIG.grid.models, REAL],
        seed=CONFIG.grid.seeds,
    )


def notes_of(model):
    return row_notes(
        CONFIG.trained(model),
        CONFIG.sampling_of(model),
        lacks_annotation=some_training_patient_lacks_annotation(),
    )


def some_training_patient_lacks_annotation():
    return any(
        NOT_ANNOTATED[dataset][patient]
        for dataset in CONFIG.grid.datasets
        for patient in SPLITS[dataset]["train"]
    )


def table_settings_json(wildcards):
    return settings_of(CONFIG.grid.models)


def settings_of(models):
    """What a table must know of datasets and models, as JSON."""
    datasets = [
        {
            "name": name,
            "paper_column": CONFIG.datasets[name].paper_column,
            "is_papers_data": CONFIG.datasets[name].is_papers_data,
            "classes": CONFIG.datasets[name].class_names,
            "titles": CONFIG.datasets[name].class_titles,
        }
        for name in CONFIG.grid.datasets
    ]
    rows = [
        {"name": name, "title": title_of(name), "notes": notes_of(name)}
        for name in models
    ]
    return compact({"datasets": datasets, "models": rows})
