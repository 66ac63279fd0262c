"""Which models can sample as the configuration says: shared weights, and masks ablated at each step."""

from collections.abc import Collection, Mapping

from segguided.config.models.base import ModelSettings
from segguided.config.models.diffusion import DenoiserSettings, DiffusionModel
from segguided.config.models.shared_weights import SharedWeightsModel
from segguided.config.sampling import Sampling


def check_shared_weights(models: Mapping[str, ModelSettings], grid: Collection[str]) -> None:
    """Raise ValueError unless a shared model's weights are those of a model that can share them.

    A shared model in the grid needs the other one there: that is what is trained, and the row to compare.
    """
    able = [name for name, model in models.items() if isinstance(model, DenoiserSettings)]
    for name, model in models.items():
        if not isinstance(model, SharedWeightsModel):
            continue
        if model.weights_of not in able:
            raise ValueError(
                f"models.{name}.weights_of is '{model.weights_of}'; name an image-space diffusion model with "
                f"weights of its own: {', '.join(able)}"
            )
        if name in grid and model.weights_of not in grid:
            raise ValueError(
                f"grid.models names '{name}', which shares the weights of {model.weights_of}; name that, too"
            )


def check_sampler(where: str, sampling: Sampling, name: str, trained: ModelSettings) -> None:
    """Raise ValueError where the sampler `renoise` is to sample from a model that does not predict x0.

    And where a model with a noise input is to be sampled by another sampler. `where`: the key that says so;
    `name`: of the model `trained`. Of a model without steps nothing is asked.
    """
    if isinstance(trained, DenoiserSettings) and trained.noise_inputs and sampling.sampler != "renoise":
        raise ValueError(
            f"{where}.sampler is {sampling.sampler}, but models.{name} has an energy score, so it sees a "
            "noise input, which only renoise gives; write sampling: {sampler: renoise, steps: 1} into "
            f"models.{name}"
        )
    if sampling.sampler != "renoise" or trained.timesteps is None:
        return
    if not isinstance(trained, DenoiserSettings) or trained.prediction_type != "sample":
        raise ValueError(
            f"{where}.sampler is renoise, which needs an image-space model that predicts x0 "
            f"(prediction_type: sample), but models.{name} does not; choose ddim or dpm-solver++, or write "
            "renoise into the `sampling` of a model that does"
        )


def check_step_ablation(where: str, sampling: Sampling, name: str, trained: ModelSettings) -> None:
    """Raise ValueError where masks are ablated at each step for a model that never saw ablated masks.

    `where`: the key that says so; `name`: of the model `trained`. Of a model without steps nothing is asked.
    """
    if sampling.mask_ablation == "none" or trained.timesteps is None:
        return
    if not isinstance(trained, DenoiserSettings):
        raise ValueError(
            f"{where}.mask_ablation is {sampling.mask_ablation}, but models.{name} is no image-space "
            "diffusion model, and only their masks are ablated at each step; say so in the `sampling` of "
            "such models only"
        )
    if trained.trained_with_ablation:
        return
    raise ValueError(
        f"{where}.mask_ablation is {sampling.mask_ablation}, but models.{name} is trained on whole masks; "
        "say so of a model only that is trained with mask_ablation"
    )


def check_guidance(where: str, sampling: Sampling, name: str, trained: ModelSettings) -> None:
    """Raise ValueError where guidance is asked of a model that cannot tell a free class from background.

    `where`: the key that says so; `name`: of the model `trained`. Of a model without steps nothing is asked.
    """
    if not sampling.guidance or trained.timesteps is None:
        return
    if isinstance(trained, DiffusionModel) and trained.conditioning == "onehot_free":
        return
    raise ValueError(
        f"{where}.guidance is {sampling.guidance:g}, which compares images of a mask with images of no "
        f"mask, but models.{name} does not learn what no mask is; give it conditioning: onehot_free and "
        "mask_ablation: sample, or set guidance: 0"
    )
