# Inputs and parameters of the rules of rare-case augmentation.

from segguided.config.experiments import AllowedChanges


def rare_settings():
    if not CONFIG.applications or not CONFIG.applications.rare:
        raise WorkflowError("applications.rare is not set; say there how many images")
    return CONFIG.applications.rare


def first_run(wildcards):
    """The folder of the generating model: its training with the grid's first seed."""
    model = CONFIG.weights_of(wildcards.model)
    return f"<results>/runs/{wildcards.dataset}/{model}/seed{FIRST_SEED}"


def first_weights(wildcards):
    return f"{first_run(wildcards)}/model.safetensors"


def first_description(wildcards):
    return f"{first_run(wildcards)}/config.json"


def rare_options(wildcards):
    rare = rare_settings()
    dataset = CONFIG.datasets[wildcards.dataset]
    changes = AllowedChanges(
        deformation=rare.deformation, combine=rare.combine, mirror=dataset.mirror
    )
    named = [dataset.rare_class] if dataset.rare_class else []
    return (
        option("--n-classes", [count_classes(wildcards)])
        + option("--rare-class", values_of(wildcards.dataset, named))
        + option("--images", [rare.images])
        + option("--changes", [changes.to_json()])
    )


def first_rare_set(wildcards):
    """The generated set of the first seed: which class is rare is the same in all."""
    folder = f"<results>/applications/rare/{wildcards.dataset}/{wildcards.model}"
    return f"{folder}/seed{rare_settings().seeds[0]}/generated.npz"


def rare_segmenters(file):
    """For each seed a file of the segmenter that was trained with the generated images."""

    def files(wildcards):
        return collect(
            f"<results>/applications/rare/{wildcards.dataset}/{wildcards.model}/seed{{seed}}/segmenter/{file}",
            seed=rare_settings().seeds,
        )

    return files


def real_segmenters(file):
    """For each seed a file of the segmenter that was trained without them."""

    def files(wildcards):
        return collect(
            f"<results>/segmenters/{wildcards.dataset}/{REAL}/seed{{seed}}/{file}",
            seed=rare_settings().seeds,
        )

    return files
