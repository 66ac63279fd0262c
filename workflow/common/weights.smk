# Where the weights of a model are: its own, or those of the model that it shares them with. And what decides them.

from segguided.config.models.mask_ablation import by_class_value


def run_folder(wildcards):
    model = CONFIG.weights_of(wildcards.model)
    return f"<results>/runs/{wildcards.dataset}/{model}/seed{wildcards.seed}"


def model_weights(wildcards):
    return f"{run_folder(wildcards)}/model.safetensors"


def model_description(wildcards):
    """The config.json beside the weights: the network, and what its training cost."""
    return f"{run_folder(wildcards)}/config.json"


def own_weights(wildcards):
    """The same for a rule that serves only models with weights of their own."""
    model = CONFIG.weights_of(wildcards.model)
    if model != wildcards.model:
        raise WorkflowError(
            f"{wildcards.model} shares the weights of {model}; name that model in the target"
        )
    return model_weights(wildcards)


def training_json(wildcards):
    """The settings that decide the weights of a model. A class counts by its number, whatever it is called."""
    model = CONFIG.models[wildcards.model]
    return by_class_value(model, class_names(wildcards)).training_json()


def first_alike(kinds, settings_of, model):
    """The first model of these kinds in the grid whose settings are those of `model`: what they decide is made once."""
    for name in CONFIG.grid.models:
        if CONFIG.models[name].kind in kinds and settings_of(name) == settings_of(
            model
        ):
            return name
    return model


def completer_files(wildcards):
    """The mask completer of the model, where it has one."""
    return completer_of(wildcards.dataset, wildcards.model, wildcards.seed)


def completer_of(dataset, model, seed):
    """The weights and the description of a model's mask completer; none where it has none."""
    owner = CONFIG.weights_of(model)
    if not has_completer(owner):
        return []
    folder = f"<results>/completers/{dataset}/{owner}/seed{seed}"
    return [f"{folder}/model.safetensors", f"{folder}/config.json"]


def completer_argument(wildcards, input):
    """Empty for rules that inherit this parameter and generate from whole masks."""
    return option("--completer", input.get("completer", [])[:1])


def sampling_json(wildcards):
    """How the model samples its images."""
    return CONFIG.sampling_of(wildcards.model).to_json()
