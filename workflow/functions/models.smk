# Inputs and parameters of the rules that train, import, generate and export.

from segguided.config.models.controlnet import AutoencoderStage, LatentStage
from segguided.planning.watched_files import model_files


def generated(dataset, model, seed, split):
    return f"<results>/generated/{dataset}/{model}/seed{seed}/{split}.npz"


def generated_held_out(wildcards):
    """The images a segmenter trains on in place of the real ones; none for the real segmenter."""
    if wildcards.train_set == REAL:
        return []
    return [
        generated(wildcards.dataset, wildcards.train_set, wildcards.seed, "held-out")
    ]


def perceptual_network(wildcards):
    """Files of the network in whose feature maps SPADE compares images; none where no such loss is configured."""
    perceptual = CONFIG.models[wildcards.model].perceptual
    if perceptual.kind == "vgg19":
        return [perceptual.weights]
    if perceptual.kind == "none":
        return []
    folder = f"<results>/perceptual/{wildcards.dataset}/{wildcards.model}/seed{wildcards.seed}"
    return [f"{folder}/model.safetensors", f"{folder}/config.json"]


def imported_files(wildcards):
    return model_files(Path(CONFIG.models[wildcards.model].folder))


def exported_training_slices(wildcards):
    """The real images of all splits leave together; models draw none for training patients' masks."""
    return training_slices(wildcards) if wildcards.model == REAL else []


def exported_training_list(wildcards):
    return [list_of(wildcards.dataset, "train")] if wildcards.model == REAL else []


def exported_images(wildcards):
    """The generated sets to export, in the order of `exported_argument`; none for the real images."""
    if wildcards.model == REAL:
        return []
    return [
        generated(wildcards.dataset, wildcards.model, wildcards.seed, split)
        for split in ("held-out", "test")
    ]


def model_json(wildcards):
    return CONFIG.models[wildcards.model].training_json()


def image_size(wildcards):
    return CONFIG.datasets[wildcards.dataset].image_size


def autoencoder_stage_json(wildcards):
    model = CONFIG.models[wildcards.model]
    return AutoencoderStage.from_settings(model.init, model.autoencoder).to_json()


def latent_stage_json(wildcards):
    model = CONFIG.models[wildcards.model]
    return LatentStage.from_settings(model.init, model.latent).to_json()


def control_json(wildcards):
    return CONFIG.models[wildcards.model].control.to_json()


def perceptual_segmenter_json(wildcards):
    return CONFIG.models[wildcards.model].perceptual.segmenter.to_json()


def perceptual_argument(wildcards, input):
    return optional("--perceptual", input.perceptual[:1])


def count_classes(wildcards):
    return len(CONFIG.datasets[wildcards.dataset].classes)


def class_names(wildcards):
    return list(CONFIG.datasets[wildcards.dataset].class_names)


def generated_argument(wildcards, input):
    return optional("--generated", input.generated)


def exported_training_argument(wildcards, input):
    return listed("--slices train", input.train_list)


def exported_argument(wildcards, input):
    pairs = zip(["held-out", "test"], input.generated)
    return [word for split, path in pairs for word in ("--generated", split, path)]
