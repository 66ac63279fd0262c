# Inputs and parameters of the rules that compare models within the grid: ablation and sweeps.


def require_ablation():
    if CONFIG.ablation is None:
        raise WorkflowError(
            "the configuration has no section ablation, so there is nothing to compare; "
            "`make ablation` reads workflow/ablation.yaml"
        )
    require_in_grid("ablation.models", CONFIG.ablation.models)
    return CONFIG.ablation


def require_in_grid(key, models):
    for model in models:
        if model not in CONFIG.grid.models:
            raise WorkflowError(
                f"{key} names '{model}', which is not in grid.models; add it there"
            )


def timed(dataset, model):
    return f"<results>/times/{dataset}/{model}.json"


def timed_against(wildcards):
    """The timed training that limits the others; none for itself."""
    reference = require_ablation().timed_against
    return [] if wildcards.model == reference else [timed(wildcards.dataset, reference)]


def timed_perceptual(wildcards):
    """The network of the model's perceptual loss, of the grid's first seed; none where it has no such loss."""
    return perceptual_files(wildcards.dataset, wildcards.model, FIRST_SEED)


def against_argument(wildcards, input):
    return option("--against", input.against)


def timed_settings(wildcards):
    return training_json(wildcards)


def timing_json(wildcards):
    return require_ablation().timing.to_json()


def ablation_models():
    """The constraint of a rule that serves the models of the ablation."""
    return one_of(CONFIG.ablation.models if CONFIG.ablation else [])


def records_of(models, seeds):
    return collect(
        "<results>/metrics/{dataset}/{model}/seed{seed}.json",
        dataset=CONFIG.grid.datasets,
        model=[*models, REAL],
        seed=seeds,
    )


def ablation_records(wildcards):
    return records_of(require_ablation().models, CONFIG.grid.seeds)


def ablation_times(wildcards):
    return [timed(*pair) for pair in ablation_pairs()]


def ablation_pairs():
    models = require_ablation().models
    return [(dataset, model) for dataset in CONFIG.grid.datasets for model in models]


def time_arguments(wildcards):
    return [
        word
        for dataset, model in ablation_pairs()
        for word in ("--time", dataset, model, in_results(timed(dataset, model)))
    ]


def ablation_settings(wildcards):
    return settings_of(require_ablation().models)


def ablation_share(wildcards):
    return require_ablation().timing.share


def sweep_of(wildcards):
    sweep = CONFIG.sweeps[wildcards.sweep]
    require_in_grid(f"sweeps.{wildcards.sweep}", sweep.models)
    return sweep


def sweep_records(wildcards):
    return records_of(sweep_of(wildcards).models, [FIRST_SEED])


def sweep_settings(wildcards):
    return settings_of(sweep_of(wildcards).models)


def sweep_json(wildcards):
    return sweep_of(wildcards).to_json()


def ablation_files():
    if CONFIG.ablation is None:
        return []
    return collect("<results>/ablation.{format}", format=["csv", "md", "png", "pdf"])


def sweep_files():
    return collect(
        "<results>/sweeps/{sweep}.{format}",
        sweep=CONFIG.sweeps,
        format=["csv", "png", "pdf"],
    )
