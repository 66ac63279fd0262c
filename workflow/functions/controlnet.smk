# Parameters of the three stages of the latent-diffusion baseline.

from segguided.config.models.controlnet import AutoencoderStage, LatentStage


def autoencoder_stage(name):
    """The settings of stage 1 of a model."""
    model = CONFIG.models[name]
    return AutoencoderStage.from_settings(model.init, model.autoencoder)


def latent_stage(name):
    """The settings of stage 2 of a model."""
    model = CONFIG.models[name]
    return LatentStage.from_settings(model.init, model.latent)


def both_stages(name):
    """All settings that decide the weights of stage 2."""
    return autoencoder_stage(name), latent_stage(name)


def stage_file(stage, settings_of, file):
    """An input function: a file of a stage, which models of the same settings share.

    It is that of the first of them in the grid.
    """

    def path(wildcards):
        owner = first_alike(("controlnet",), settings_of, wildcards.model)
        return f"<results>/runs/{wildcards.dataset}/{owner}/seed{wildcards.seed}/{stage}/{file}"

    return path


def autoencoder_options(wildcards):
    return ["--stage", autoencoder_stage(wildcards.model).to_json()]


def autoencoder_argument(wildcards, input):
    return ["--autoencoder", input.autoencoder]


def latent_options(wildcards):
    return ["--stage", latent_stage(wildcards.model).to_json()]


def earlier_stages_argument(wildcards, input):
    return ["--autoencoder", input.autoencoder, "--latent", input.latent]


def control_options(wildcards):
    control = by_class_value(
        CONFIG.models[wildcards.model].control, class_names(wildcards)
    )
    return ["--control", control.to_json(), "--n-classes", count_classes(wildcards)]
