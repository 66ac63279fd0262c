# Inputs and parameters of the rules that generate images of one dataset from the masks of another.


def translated_slices(wildcards):
    """The test patients of the other dataset: a model of this one generates images from their masks."""
    return slices_of(wildcards.masks, "test")


def own_slices(wildcards):
    """The same patients in the model's own modality, where its patient table names them."""
    return [
        f"<results>/slices/{wildcards.dataset}/{patient}.npz"
        for patient in SPLITS[wildcards.masks]["test"]
        if patient in MANIFESTS[wildcards.dataset]
    ]


def own_lists(wildcards):
    """The lists that name these patients, and others, whom the scripts leave out."""
    return [list_of(wildcards.dataset, split) for split in SPLITS[wildcards.dataset]]


def own_argument(wildcards, input):
    return option_with_lists("--own", input.own_lists)


def mask_classes(wildcards):
    return list(CONFIG.datasets[wildcards.masks].class_names)


def translation_options(wildcards):
    """For each class of the masks, the value of the model's class of that name; 0 where there is none."""
    known = class_names(wildcards)
    names = mask_classes(wildcards)
    values = [known.index(name) + 1 if name in known else 0 for name in names]
    return option("--values", values)


def start_lists(wildcards, input):
    """Apart from the options: Snakemake does not compare what depends on inputs."""
    return lists_argument(wildcards, input) + option_with_lists(
        "--train", input.train_list
    )


def start_options(wildcards):
    start = CONFIG.applications.translation_start
    few_calls = CONFIG.sampling_of(wildcards.model).sampler == "renoise"
    return (
        option("--translation", [start.to_json()])
        + translation_options(wildcards)
        + option("--sampler", ["renoise"] if few_calls else [])
    )


def translation_json(wildcards):
    pair = f"{wildcards.masks}-to-{wildcards.dataset}"
    run = f"{wildcards.model}/seed{wildcards.seed}"
    path = f"<results>/applications/translation/{pair}/{run}.npz"
    return figure_dataset(wildcards.masks, {wildcards.dataset: path})
