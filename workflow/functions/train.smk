# Inputs and parameters of the rules that train generative models and segmenters.


def model_options(wildcards):
    settings = CONFIG.models[wildcards.model].training_json()
    return ["--model", settings, "--n-classes", count_classes(wildcards)]


def perceptual_network(wildcards):
    """The files of the network whose feature maps SPADE's loss compares; none where that loss is not configured."""
    perceptual = CONFIG.models[wildcards.model].perceptual
    if perceptual.kind == "vgg19":
        return [perceptual.weights]
    if perceptual.kind == "none":
        return []
    folder = f"<results>/perceptual/{wildcards.dataset}/{wildcards.model}/seed{wildcards.seed}"
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


def generated_held_out(wildcards):
    """The images that a segmenter trains on in place of the real ones; none for the real segmenter."""
    model = wildcards.train_set
    if model == REAL:
        return []
    return [generated(wildcards.dataset, model, wildcards.seed, "held-out")]
