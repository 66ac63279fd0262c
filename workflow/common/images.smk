# The paths of real and generated images, and the arguments that name them in commands.

from segguided.data.annotation import check_held_out


def slices_of(dataset, split):
    """The slice files of one split."""
    return [
        f"<results>/slices/{dataset}/{patient}.npz"
        for patient in SPLITS[dataset][split]
    ]


def list_of(dataset, split):
    """The file that lists the slice files of a split: the names of thousands do not fit on a command line."""
    return f"<results>/data/{dataset}/{split}.txt"


def training_slices(wildcards):
    return slices_of(wildcards.dataset, "train")


def held_out_slices(wildcards):
    return slices_of(wildcards.dataset, "held-out")


def whole_held_out_slices(wildcards):
    """The same, for what is made of whole masks; one of the patients must have them."""
    name = wildcards.dataset
    try:
        check_held_out(name, SPLITS[name]["held-out"], NOT_ANNOTATED[name])
    except ValueError as error:
        raise WorkflowError(str(error)) from None
    return held_out_slices(wildcards)


def test_slices(wildcards):
    return slices_of(wildcards.dataset, "test")


def all_slices(wildcards):
    return [
        path
        for split in SPLITS[wildcards.dataset]
        for path in slices_of(wildcards.dataset, split)
    ]


def slices_folder(wildcards):
    return f"{RESULTS}/slices/{wildcards.dataset}"


def generated(dataset, model, seed, split):
    """The set of a model's images, one for each mask of a split."""
    return f"<results>/generated/{dataset}/{model}/seed{seed}/{split}.npz"


def generated_argument(wildcards, input):
    return option("--generated", input.generated)


def partial_set(dataset, model):
    """The set of a model's images from partial masks."""
    return f"<results>/partial/{dataset}/{model}/seed{FIRST_SEED}.npz"


def similar_set(dataset):
    """The set of images of adjustable similarity to real ones."""
    model = CONFIG.similarity.model
    return f"<results>/similarity/{dataset}/{model}/seed{FIRST_SEED}.npz"
