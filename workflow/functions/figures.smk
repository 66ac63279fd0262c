# Inputs and parameters of the figures that show each model's images of the test masks.


def figure_slices(wildcards):
    return [
        path for dataset in CONFIG.grid.datasets for path in slices_of(dataset, "test")
    ]


def figure_lists(wildcards):
    return [list_of(dataset, "test") for dataset in CONFIG.grid.datasets]


def figure_images(wildcards):
    return [
        generated(dataset, model, FIRST_SEED, "test")
        for dataset in CONFIG.grid.datasets
        for model in CONFIG.grid.models
    ]


def figure1_images(wildcards):
    images = figure_images(wildcards) if 1 in FIGURES else []
    return require_for_figure(images, "figure 1")


def figure_arguments(wildcards):
    return dataset_arguments(
        {
            dataset: {
                model: generated(dataset, model, FIRST_SEED, "test")
                for model in CONFIG.grid.models
            }
            for dataset in CONFIG.grid.datasets
        }
    )


def guided_columns(wildcards):
    return model_arguments(require_for_figure(CONFIG.guided_models, "figures 2 and 5"))


def publishable_datasets():
    """The phantoms: their real images may be published by anyone."""
    datasets = CONFIG.grid.datasets
    phantoms = [d for d in datasets if CONFIG.datasets[d].source.kind == "phantom"]
    return option("--real", phantoms)
