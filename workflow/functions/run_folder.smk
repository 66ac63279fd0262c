# Inputs and parameters of the rule that says what a trained model is, so that it can be used by itself.


def own_models():
    """The models of the grid that have weights of their own."""
    models = CONFIG.grid.models
    return [name for name in models if CONFIG.weights_of(name) == name]


def run_files():
    return collect(
        "<results>/runs/{dataset}/{model}/seed{seed}/run.json",
        dataset=CONFIG.grid.datasets,
        model=own_models(),
        seed=CONFIG.grid.seeds,
    )


def run_completer(wildcards):
    """The mask completer, which figures need of the first seed alone."""
    return completer_of(wildcards.dataset, wildcards.model, wildcards.seed)


def run_settings(wildcards):
    """Names and meaning of classes and grey values, as JSON."""
    dataset = CONFIG.datasets[wildcards.dataset]
    classes = [
        {
            "name": known.name,
            "title": known.title,
            "color": known.color,
            "label": value if known.label is None else known.label,
        }
        for value, known in enumerate(dataset.classes, 1)
    ]
    intensities = zip(dataset.channel_names, dataset.intensities)
    channels = [
        {"name": name, "intensity": intensity.model_dump(mode="json")}
        for name, intensity in intensities
    ]
    return compact(
        {
            **({"channels": channels} if channels else {}),
            "dataset": wildcards.dataset,
            "model": wildcards.model,
            "title": title_of(wildcards.model),
            "kind": CONFIG.models[wildcards.model].kind,
            "seed": int(wildcards.seed),
            "classes": classes,
            "image_size": dataset.image_size,
            "intensity": dataset.intensity.model_dump(mode="json"),
            "interpolation": dataset.interpolation,
            "sampling": CONFIG.sampling_of(wildcards.model).model_dump(mode="json"),
        }
    )
