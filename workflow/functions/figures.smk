# Inputs and parameters of the figures.


def figure_partial_images(wildcards):
    images = [
        partial_set(dataset, model)
        for dataset in CONFIG.partial_datasets
        for model in CONFIG.partial_models
    ]
    return refuse_left_out(images, "figures 3 and 6")


def figure_similar_images(wildcards):
    images = [similar_set(dataset) for dataset in CONFIG.similar_datasets]
    return refuse_left_out(images, "figure 4")


def figure_compared_images(wildcards):
    return refuse_left_out(figure_images(wildcards) if 1 in FIGURES else [], "figure 1")


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


def kept_json():
    """The classes that figure 4 keeps, by dataset."""
    return compact(
        {
            name: CONFIG.datasets[name].partial_masks[0]
            for name in CONFIG.similar_datasets
        }
    )


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
    return [
        word
        for name, of_model in sets.items()
        for word in ("--dataset", figure_dataset(name, of_model))
    ]


def figure_classes(name):
    return [{"name": c.name, "color": c.color} for c in CONFIG.datasets[name].classes]


def figure_dataset(name, generated_sets):
    """What a figure must know of a dataset, as JSON."""
    sets = {
        model: path.replace("<results>", RESULTS)
        for model, path in generated_sets.items()
    }
    value = {
        "name": name,
        "classes": figure_classes(name),
        "slices": f"@{list_of(name, 'test')}".replace("<results>", RESULTS),
        "generated": sets,
    }
    return compact(value)


def guided_columns(wildcards):
    return column_arguments(refuse_left_out(CONFIG.guided_models, "figures 2 and 5"))


def partial_columns(wildcards):
    return column_arguments(CONFIG.partial_models)


def first_partial_column(wildcards):
    return column_arguments(CONFIG.partial_models[:1])


def column_arguments(models):
    """A --model argument for each of a figure's models: name and title, in order.

    By way of functions: Snakemake takes braces in a parameter that is none for wildcards.
    """
    return [word for name in models for word in ("--model", name, title_of(name))]


def publishable_datasets():
    """Datasets whose real images are ours to show: the phantoms."""
    ours = [
        name
        for name in CONFIG.grid.datasets
        if CONFIG.datasets[name].source.kind == "phantom"
    ]
    return optional("--real", ours)
