# Inputs and parameters of the figures of partial masks (3 and 6) and of similarity to a real image (4).


def figure_partial_images(wildcards):
    images = [
        partial_set(dataset, model)
        for dataset in CONFIG.partial_datasets
        for model in CONFIG.partial_models
    ]
    return require_for_figure(images, "figures 3 and 6")


def partial_arguments(wildcards):
    return dataset_arguments(
        {
            dataset: {
                model: partial_set(dataset, model) for model in CONFIG.partial_models
            }
            for dataset in CONFIG.partial_datasets
        }
    )


def partial_columns(wildcards):
    return model_arguments(CONFIG.partial_models)


def first_partial_column(wildcards):
    return model_arguments(CONFIG.partial_models[:1])


def figure_similar_images(wildcards):
    images = [similar_set(dataset) for dataset in CONFIG.similar_datasets]
    return require_for_figure(images, "figure 4")


def similarity_arguments(wildcards):
    return dataset_arguments(
        {
            dataset: {CONFIG.similarity.model: similar_set(dataset)}
            for dataset in CONFIG.similar_datasets
        }
    )


def similarity_measurements(wildcards):
    return collect(
        "<results>/similarity/{dataset}.csv", dataset=CONFIG.similar_datasets
    )


def kept_json():
    """The classes that figure 4 keeps, by dataset."""
    masks = {d: CONFIG.datasets[d].partial_masks for d in CONFIG.similar_datasets}
    return compact({dataset: partial[0] for dataset, partial in masks.items()})
