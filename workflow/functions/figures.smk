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


FREE_IMAGES = 12  # of figure 1, which shows the first of them


def figure1_images(wildcards):
    models = require_for_figure(figure1_models(CONFIG), "figure 1")
    return [
        generated(dataset, model, FIRST_SEED, "test")
        for dataset in CONFIG.grid.datasets
        for model in models
    ]


def free_sets():
    """By dataset the images of figure 1 whose masks are made from nothing; none without a model that makes masks."""
    if CONFIG.free_model is None:
        return {}
    return {
        dataset: f"<results>/free/{dataset}/{CONFIG.free_model}/seed{FIRST_SEED}.npz"
        for dataset in CONFIG.grid.datasets
    }


def free_images(wildcards):
    return list(free_sets().values())


def free_options(wildcards):
    return option("--n-classes", [count_classes(wildcards)]) + option(
        "--count", [FREE_IMAGES]
    )


def figure1_arguments(wildcards):
    sets = {
        dataset: {
            model: generated(dataset, model, FIRST_SEED, "test")
            for model in figure1_models(CONFIG)
        }
        for dataset in CONFIG.grid.datasets
    }
    return dataset_arguments(sets, free_sets())


def figure1_columns(wildcards):
    titles = figure1_models(CONFIG).items()
    return [word for name, title in titles for word in ("--model", name, title)]


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
