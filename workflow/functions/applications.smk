# Inputs and parameters of the rules behind `snakemake applications`.


def application_files():
    """What `snakemake applications` makes, from the first seed."""
    chosen, files = CONFIG.applications, []
    folder = "<results>/applications"
    if chosen and chosen.model in CONFIG.grid.models:
        run = f"{chosen.model}/seed{FIRST_SEED}"
        for name in CONFIG.grid.datasets:
            if CONFIG.datasets[name].rare_class:
                files.append(f"{folder}/rare/{name}/{run}.csv")
        for one in CONFIG.translations:
            path = f"{folder}/translation/{one.masks}-to-{one.dataset}/{run}"
            files += [f"{path}.csv", f"{path}.png"]
    if chosen and chosen.partial_model in CONFIG.grid.models:
        run = f"{chosen.partial_model}/seed{FIRST_SEED}"
        files += [
            f"{folder}/paired/{name}/{run}.zip" for name in CONFIG.partial_datasets
        ]
    return files


def unseen_slices(wildcards):
    """The patients no generative model was trained on."""
    return held_out_slices(wildcards) + test_slices(wildcards)


def translated_slices(wildcards):
    """Those whose masks a model of another dataset draws from."""
    return slices_of(wildcards.masks, "test")


def own_slices(wildcards):
    """The same patients in the model's own modality, where its patient table names them."""
    return [
        f"<results>/slices/{wildcards.dataset}/{patient}.npz"
        for patient in SPLITS[wildcards.masks]["test"]
        if patient in MANIFESTS[wildcards.dataset]
    ]


def own_lists(wildcards):
    """Lists that name them among others, whom the scripts leave out."""
    return [list_of(wildcards.dataset, split) for split in SPLITS[wildcards.dataset]]


def own_argument(wildcards, input):
    return listed("--own", input.own_lists)


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


def rare_value(wildcards):
    return values_of(wildcards.dataset, [rare_class(wildcards)])[0]


def rare_images():
    return CONFIG.applications.rare_images if CONFIG.applications else 0


def mask_classes(wildcards):
    return list(CONFIG.datasets[wildcards.masks].class_names)


def translated_values(wildcards):
    """For each class of the masks the model's value of the class of that name; 0 where it has none."""
    known = class_names(wildcards)
    return [
        known.index(name) + 1 if name in known else 0
        for name in mask_classes(wildcards)
    ]


def translation_json(wildcards):
    drawn = (
        f"<results>/applications/translation/{wildcards.masks}-to-{wildcards.dataset}"
    )
    path = f"{drawn}/{wildcards.model}/seed{wildcards.seed}.npz"
    return figure_dataset(wildcards.masks, {wildcards.dataset: path})
