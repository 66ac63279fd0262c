"""How preview images of a training are made, with the samplers that generation uses, in few steps.

See training.previews.images_by, which calls these functions.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from segguided.config.models.controlnet import LatentTraining
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.regression import RegressionModel
from segguided.config.models.spade import SpadeModel
from segguided.config.models.training import Precision
from segguided.config.sampling import Sampling
from segguided.generation import controlnet, diffusion, regression, spade
from segguided.generation.sets import Sampler
from segguided.training.previews import ImagesOf, PreviewedLearner

STEPS = 20  # of DDIM
CALLS = 2  # of a model that is sampled by `renoise`


def diffusion_previews(learner: PreviewedLearner, model: DiffusionModel, seed: int) -> ImagesOf:
    """Images of a diffusion model, each from the same noise at every preview."""
    if model.noise_inputs:
        sampling = Sampling(sampler="renoise", steps=CALLS, batch_size=1, precision=model.training.precision)
    else:
        sampling = _few_steps(model, model.training.precision)

    def images_of(masks_NHW: Tensor, names: Sequence[str]) -> Tensor:
        sampler = diffusion.make_sampler(learner.averaged_copy(), model, sampling, seed)
        return sampler(masks_NHW, names)

    return images_of


def regression_previews(learner: PreviewedLearner, model: RegressionModel, seed: int) -> ImagesOf:
    """Images of the control; `seed` changes nothing."""
    return _in_one_call(regression.make_sampler, learner, model.training.precision)


def spade_previews(learner: PreviewedLearner, model: SpadeModel, seed: int) -> ImagesOf:
    """Images of a SPADE generator; `seed` changes nothing."""
    return _in_one_call(spade.make_sampler, learner, model.training.precision)


def _in_one_call(
    make_sampler: Callable[[Any, Precision], Sampler], learner: PreviewedLearner, precision: Precision
) -> ImagesOf:
    def images_of(masks_NHW: Tensor, names: Sequence[str]) -> Tensor:
        return make_sampler(learner.averaged_copy(), precision)(masks_NHW, names)

    return images_of


def controlnet_previews(learner: PreviewedLearner, process: LatentTraining, seed: int) -> ImagesOf:
    """Images of a latent diffusion model with its ControlNet."""
    sampling = _few_steps(process, process.training.precision)

    def images_of(masks_NHW: Tensor, names: Sequence[str]) -> Tensor:
        sampler = controlnet.make_sampler(learner.averaged_copy(), process, sampling, seed)
        return sampler(masks_NHW, names)

    return images_of


def _few_steps(settings: DiffusionModel | LatentTraining, precision: Precision) -> Sampling:
    steps = min(STEPS, settings.schedule.timesteps)
    return Sampling(
        sampler="ddim", steps=steps, timestep_spacing="trailing", batch_size=1, precision=precision
    )
