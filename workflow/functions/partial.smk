# Inputs and parameters of the rules that generate and measure what figures 3, 4 and 6 show.


def lists_argument(wildcards, input):
    return option_with_lists("--slices", input.lists)


def partial_sampling_json(wildcards):
    """How a model of any kind samples its images; what is said of steps is nothing to one that takes none."""
    sampling = CONFIG.sampling_of(wildcards.model)
    if CONFIG.trained(wildcards.model).timesteps is None:
        sampling = sampling.in_one_call()
    return sampling.to_json()


def partial_options(wildcards):
    settings = require_for_figure(CONFIG.partial_masks, "figures 3 and 6")
    masks = CONFIG.datasets[wildcards.dataset].partial_masks
    kept = compact([values_of(wildcards.dataset, names) for names in masks])
    n_classes = count_classes(wildcards)
    return (
        option("--n-classes", [n_classes])
        + option("--partial-masks", [kept])
        + option("--masks", [settings.masks])
        + option("--samples-per-mask", [settings.samples_per_mask])
        + measuring_half_option()
    )


def partial_images(wildcards):
    images = [partial_set(wildcards.dataset, model) for model in CONFIG.partial_models]
    return require_for_figure(images, "figures 3 and 6")


def similar_options(wildcards):
    settings = require_for_figure(CONFIG.similarity, "figure 4")
    kept = first_partial_values(wildcards)
    few_steps = CONFIG.sampling_of(settings.model).sampler == "renoise"
    return (
        option("--similarity", [settings.to_json()])
        + option("--n-classes", [count_classes(wildcards)])
        + option("--kept", kept)
        + option("--sampler", ["renoise"] if few_steps else [])
        + measuring_half_option()
    )


def similar_images(wildcards):
    return [similar_set(wildcards.dataset)]


def training_list(wildcards):
    return [list_of(wildcards.dataset, "train")]


def training_option(wildcards, input):
    return option_with_lists("--train", input.train_list)
