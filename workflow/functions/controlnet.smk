# Parameters of the three stages of the latent-diffusion baseline.

from segguided.config.models.controlnet import AutoencoderStage, LatentStage


def autoencoder_options(wildcards):
    model = CONFIG.models[wildcards.model]
    stage = AutoencoderStage.from_settings(model.init, model.autoencoder)
    return ["--stage", stage.to_json()]


def autoencoder_argument(wildcards, input):
    return ["--autoencoder", input.autoencoder]


def latent_options(wildcards):
    model = CONFIG.models[wildcards.model]
    stage = LatentStage.from_settings(model.init, model.latent)
    return ["--stage", stage.to_json()]


def earlier_stages_argument(wildcards, input):
    return ["--autoencoder", input.autoencoder, "--latent", input.latent]


def control_options(wildcards):
    settings = CONFIG.models[wildcards.model].control.to_json()
    return ["--control", settings, "--n-classes", count_classes(wildcards)]
