# Inputs and parameters of the rules that train generative models.

from segguided.planning.watched_files import model_files


def model_options(wildcards):
    return [
        "--model",
        training_json(wildcards),
        "--n-classes",
        count_classes(wildcards),
        *beginning_options(wildcards),
    ]


def init_from(wildcards):
    """Where the training of a model begins; None: with random weights."""
    return getattr(CONFIG.models[wildcards.model], "init_from", None)


def beginning_options(wildcards):
    """Classes are matched by name, so a new name trains this model again, and no other."""
    beginning = init_from(wildcards)
    if beginning is None:
        return []
    names = [known.name for known in CONFIG.datasets[wildcards.dataset].classes]
    return ["--init-from", beginning.to_json(), *option("--classes", names)]


def beginning_files(wildcards):
    """The weights that a training begins with; Snakemake makes those of a run of its own first."""
    beginning = init_from(wildcards)
    if beginning is None:
        return []
    if beginning.folder is not None:
        return model_files(Path(beginning.folder))
    return [f"{beginning.run}/model.safetensors", f"{beginning.run}/config.json"]


def perceptual_settings(name):
    """Of a model of a kind that has no perceptual loss: None."""
    return getattr(CONFIG.models[name], "perceptual", None)


def perceptual_network(wildcards):
    return perceptual_files(wildcards.dataset, wildcards.model, wildcards.seed)


def perceptual_files(dataset, model, seed):
    """The files of the network whose feature maps a model's loss compares; none where it has no such loss."""
    model = CONFIG.weights_of(model)
    perceptual = perceptual_settings(model)
    if perceptual is None or perceptual.kind == "none":
        return []
    if perceptual.kind == "vgg19":
        return [perceptual.weights]
    owner = first_alike(("spade", "diffusion"), perceptual_settings, model)
    folder = f"<results>/perceptual/{dataset}/{owner}/seed{seed}"
    return [f"{folder}/model.safetensors", f"{folder}/config.json"]


def perceptual_argument(wildcards, input):
    return option("--perceptual", input.perceptual[:1])


def perceptual_options(wildcards):
    settings = CONFIG.models[wildcards.model].perceptual.encoder.to_json()
    return ["--encoder", settings, "--n-classes", count_classes(wildcards)]


def completer_options(wildcards):
    settings = CONFIG.models[wildcards.model].completer.to_json()
    mirror = ["--mirror"] if CONFIG.datasets[wildcards.dataset].mirror else []
    return ["--completer", settings, "--n-classes", count_classes(wildcards), *mirror]
