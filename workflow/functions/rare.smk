# Parameters of the rules of rare-case augmentation.

from segguided.config.evaluation import Resampling


def rare_class(wildcards):
    name = CONFIG.datasets[wildcards.dataset].rare_class
    if name is None:
        raise WorkflowError(
            f"datasets.{wildcards.dataset}.rare_class is not set; name the class to generate more often"
        )
    return name


def rare_options(wildcards):
    if not CONFIG.applications:
        raise WorkflowError("applications is not set; say there how many rare_images")
    rare = values_of(wildcards.dataset, [rare_class(wildcards)])
    n_classes = count_classes(wildcards)
    return (
        option("--n-classes", [n_classes])
        + option("--rare-class", rare)
        + option("--images", [CONFIG.applications.rare_images])
    )


def resampling_json(wildcards):
    return CONFIG.evaluation.to_json(Resampling.model_fields)
