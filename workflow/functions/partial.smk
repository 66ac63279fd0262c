# Inputs and parameters of the rules that draw and measure what figures 3, 4 and 6 show.


def partial_set(dataset, model):
    return f"<results>/partial/{dataset}/{model}/seed{FIRST_SEED}.npz"


def similar_set(dataset):
    model = CONFIG.similarity.model
    return f"<results>/similarity/{dataset}/{model}/seed{FIRST_SEED}.npz"


def partial_images(wildcards):
    images = [partial_set(wildcards.dataset, model) for model in CONFIG.partial_models]
    return refuse_left_out(images, "figures 3 and 6")


def similar_images(wildcards):
    return [similar_set(wildcards.dataset)]


def partial_measurements(wildcards):
    datasets = CONFIG.partial_datasets if CONFIG.partial_models else []
    return collect("<results>/partial/{dataset}.csv", dataset=datasets)


def similarity_measurements(wildcards):
    return collect(
        "<results>/similarity/{dataset}.csv", dataset=CONFIG.similar_datasets
    )


def values_of(dataset, names):
    """Mask values of a dataset's classes: what decides an image, whatever the classes are called."""
    known = CONFIG.datasets[dataset].class_names
    return [known.index(name) + 1 for name in names]


def partial_masks_json(wildcards):
    kept = CONFIG.datasets[wildcards.dataset].partial_masks
    return compact([values_of(wildcards.dataset, names) for names in kept])


def first_partial_values(wildcards):
    return values_of(wildcards.dataset, first_partial_mask(wildcards))


def partial_counts():
    partial = CONFIG.partial_masks
    if not partial:
        return []
    return ["--masks", partial.masks, "--samples-per-mask", partial.samples_per_mask]


def similarity_json():
    return CONFIG.similarity.to_json() if CONFIG.similarity else ""
