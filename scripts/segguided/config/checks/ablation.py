"""Whether the models of ablation and sweeps are there."""

from collections.abc import Mapping

from segguided.config.ablation import Ablation, Sweep
from segguided.config.models.base import ModelSettings
from segguided.config.models.diffusion import DiffusionModel


def check_ablation(
    ablation: Ablation | None, sweeps: Mapping[str, Sweep], models: Mapping[str, ModelSettings]
) -> None:
    """Raise ValueError unless their models are defined, and those that are timed are of one kind.

    They may be outside the grid: then the targets `ablation` and `sweeps` say so.
    """
    names = {f"sweeps.{name}": sweep.models for name, sweep in sweeps.items()}
    if ablation:
        names["ablation.models"] = list(ablation.models)
    for key, named in names.items():
        for model in named:
            if model not in models:
                raise ValueError(f"{key} names '{model}'; defined: {', '.join(sorted(models))}")
    for model in ablation.models if ablation else ():
        if not isinstance(models[model], DiffusionModel):
            raise ValueError(
                f"ablation.models: '{model}' is not of the kind diffusion, and only such models are timed; "
                "take it out"
            )
