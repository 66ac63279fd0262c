# What `snakemake all` and `snakemake applications` make.


def measured_partial_datasets():
    """The datasets on which images from partial masks are measured; none without a model that makes them."""
    return CONFIG.partial_datasets if CONFIG.partial_models else []


def partial_measurements():
    return collect(
        "<results>/partial/{dataset}.csv", dataset=measured_partial_datasets()
    )


def application_files():
    """The files of the applications whose models are in the grid, from the first seed."""
    chosen = CONFIG.applications
    models = CONFIG.grid.models
    files = []
    if chosen and chosen.model in models:
        files += translation_files(chosen.model)
        files += rare_files(chosen.model) if chosen.rare else []
        files += counterfactual_files(chosen.model) if chosen.counterfactuals else []
    if chosen and chosen.partial_model in models:
        files += paired_files(chosen.partial_model)
    return files


def rare_files(model):
    return collect(
        f"<results>/applications/rare/{{dataset}}/{model}.csv",
        dataset=CONFIG.grid.datasets,
    )


def counterfactual_files(model):
    return collect(
        f"<results>/applications/counterfactual/{{dataset}}/{model}/seed{FIRST_SEED}.{{format}}",
        dataset=CONFIG.grid.datasets,
        format=["csv", "md", "png"],
    )


def translation_files(model):
    pairs = [f"{t.masks}-to-{t.dataset}" for t in CONFIG.translations]
    return collect(
        f"<results>/applications/translation/{{pair}}/{model}/seed{FIRST_SEED}.{{format}}",
        pair=pairs,
        format=["csv", "png"],
    )


def paired_files(model):
    return collect(
        f"<results>/applications/paired/{{dataset}}/{model}/seed{FIRST_SEED}.zip",
        dataset=CONFIG.partial_datasets,
    )
