# Inputs and parameters of the rules that import models, and export models and images.

from segguided.planning.watched_files import model_files


def imported_files(wildcards):
    return model_files(Path(CONFIG.models[wildcards.model].folder))


def import_options(wildcards):
    """Those of a training, and how many channels the dataset's images have, if several."""
    names = CONFIG.datasets[wildcards.dataset].channel_names
    channels = [len(names)] if len(names) > 1 else []
    return [*model_options(wildcards), *option("--channels", channels)]


def image_size(wildcards):
    return CONFIG.datasets[wildcards.dataset].image_size


def exported_training_slices(wildcards):
    """Of real images all splits are exported; no model generates images for the training patients' masks."""
    return training_slices(wildcards) if wildcards.model == REAL else []


def exported_training_list(wildcards):
    return [list_of(wildcards.dataset, "train")] if wildcards.model == REAL else []


def exported_training_argument(wildcards, input):
    return option_with_lists("--slices train", input.train_list)


def exported_images(wildcards):
    """The generated sets to export, in the order of `exported_argument`; none for the real images."""
    if wildcards.model == REAL:
        return []
    return [
        generated(wildcards.dataset, wildcards.model, wildcards.seed, split)
        for split in ("held-out", "test")
    ]


def exported_argument(wildcards, input):
    pairs = zip(["held-out", "test"], input.generated)
    return [word for split, path in pairs for word in ("--generated", split, path)]
