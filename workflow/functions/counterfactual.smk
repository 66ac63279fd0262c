# Inputs and parameters of the rules of counterfactual images.


def counterfactual_settings():
    if not CONFIG.applications or not CONFIG.applications.counterfactuals:
        raise WorkflowError(
            "applications.counterfactuals is not set; say there how many masks"
        )
    return CONFIG.applications.counterfactuals


def edited_class(wildcards):
    """The name of the class that is edited: the last of the dataset's, unless the settings name one."""
    last = CONFIG.datasets[wildcards.dataset].class_names[-1]
    return counterfactual_settings().classes.get(wildcards.dataset, last)


def edited_value(wildcards):
    (value,) = values_of(wildcards.dataset, [edited_class(wildcards)])
    return value


def counterfactual_lists(wildcards, input):
    """Apart from the options: Snakemake does not compare what depends on inputs."""
    return lists_argument(wildcards, input) + option_with_lists(
        "--donors", input.donors_list
    )


def counterfactual_options(wildcards):
    settings = counterfactual_settings()
    decisive = set(type(settings).model_fields) - {"classes"}
    few_calls = CONFIG.sampling_of(wildcards.model).sampler == "renoise"
    return (
        option("--counterfactuals", [settings.to_json(decisive)])
        + option("--n-classes", [count_classes(wildcards)])
        + option("--edited-class", [edited_value(wildcards)])
        + option("--sampler", ["renoise"] if few_calls else [])
        + measuring_half_option()
    )


def counterfactual_json(wildcards):
    run = f"{wildcards.model}/seed{wildcards.seed}"
    path = f"<results>/applications/counterfactual/{wildcards.dataset}/{run}.npz"
    return figure_dataset(wildcards.dataset, {wildcards.model: path})
