"""Training of a MaskedDenoiser with losses on x̂0, the image that it predicts in one call.

Shape letters: B batch, N predictions of an image, K mask values, C image channels, H height, W width.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from segguided.compiling import compile_network
from segguided.config.models.denoiser_losses import DenoiserLosses
from segguided.config.models.diffusion import DiffusionModel
from segguided.devices import autocast
from segguided.models import diffusion
from segguided.models.augmentation import move
from segguided.models.denoiser import (
    DiffusionLearner,
    MaskedDenoiser,
    cycle_of,
    tissue_examples,
    with_tissue_losses,
)
from segguided.models.losses.energy_score import Filters, choose_filters
from segguided.models.losses.of_maps import MapLosses, RealMaps
from segguided.models.losses.perceptual import PerceptualLoss
from segguided.models.losses.sliced_wasserstein import choose_directions, sliced_wasserstein
from segguided.models.losses.terms import adversarial_losses, mean_terms
from segguided.models.mask_ablation import ablate_masks
from segguided.models.signals import to_signal
from segguided.training import ranks
from segguided.training.optimisation import Descent, DescentLearner, constant_linear, has_fused


@dataclass(frozen=True)
class _Chosen:
    """What all parts of a batch share in the losses of a step: random choices, this process's real maps."""

    filters: Filters | None
    directions: list[Tensor] | None
    real_maps: RealMaps  # of the perceptual network


class PredictionLearner(DescentLearner):
    """Trains a MaskedDenoiser with the losses that `model.losses` names, on the image that it predicts.

    `perceptual`: the loss of `model.losses.perceptual_network`.

    Raises ValueError where several GPUs share a training with a discriminator, whose spectral norms would
    differ between them, and where `perceptual` is missing or not wanted.
    """

    def __init__(
        self,
        network: MaskedDenoiser,
        model: DiffusionModel,
        steps: int,
        device: torch.device,
        perceptual: PerceptualLoss | None = None,
    ) -> None:
        self.network = network
        self.model = model
        self.maps = MapLosses(perceptual, model.losses, device, model.training.precision)
        self.losses: DenoiserLosses = model.losses
        energy = model.losses.energy_score
        self.weights = {
            "energy_score": energy.weight if energy else 0.0,
            "energy_score_of_blocks": energy.blocks if energy else 0.0,
            "energy_score_of_maps": energy.perceptual if energy else 0.0,
            "squared_error": model.losses.squared_error,
            "perceptual": model.losses.perceptual,
            "sliced_wasserstein": model.losses.sliced_wasserstein,
            "adversarial": model.losses.adversarial,
            "feature_matching": model.losses.feature_matching,
        }
        self.device = device
        self.schedule = diffusion.noise_schedule(model)
        self.descent = Descent.with_adamw(network, model.training, steps, network.without_common_gradients())
        self.cycle = cycle_of(network)
        compile_network(network, calls=steps)
        self.discriminator_descent = self._discriminator_descent(steps)
        self.steps_done = 0

    def _discriminator_descent(self, steps: int) -> Descent | None:
        settings = self.losses.discriminator
        if settings is None:
            return None
        if ranks.count() > 1:
            raise ValueError(
                "a discriminator's spectral norms follow one part of a batch after another, so it trains on "
                f"one GPU, but {ranks.count()} were asked for; ask for gpu=1"
            )
        from segguided.models.spade import (  # noqa: PLC0415 - MONAI, which it needs, takes two seconds
            Discriminator,
            initialise,
            normalise_spectrally,
        )

        network = self.network
        discriminator = Discriminator(settings, network.encoder.channels, network.channels).to(self.device)
        initialise(discriminator, "he")
        normalise_spectrally(discriminator)
        optimizer = torch.optim.Adam(
            discriminator.parameters(),
            lr=settings.learning_rate,
            betas=settings.betas,
            fused=has_fused(discriminator),
        )
        return Descent(discriminator, optimizer, constant_linear(0, steps))

    def update(
        self,
        images_BHW: Tensor,
        masks_BHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step of the network, then one of its discriminator, on a batch of uint8 images and masks."""
        images_BHW, masks_BHW = move(images_BHW, masks_BHW, self.model.augmentation, generator)
        x0_BCHW = to_signal(images_BHW)
        n_classes = self.network.encoder.n_classes
        masks_BHW, free_BK = ablate_masks(masks_BHW, n_classes, self.model, generator, not_annotated_BV)
        x_BCHW, noise_BNCHW, t_B = self._noise(x0_BCHW, generator)
        places_B = torch.arange(len(x0_BCHW), device=x0_BCHW.device)
        examples = tissue_examples(
            self.network, masks_BHW, generator, self.descent, self.model.micro_batch_size
        )
        batch = [x0_BCHW, masks_BHW, free_BK, x_BCHW, noise_BNCHW, t_B, places_B, *examples]
        predictions: list[Tensor] = []
        losses_of = partial(self._losses, self._choose(x0_BCHW, generator), predictions)
        losses = self.descent.descend(losses_of, batch, self.model.micro_batch_size)
        if self.discriminator_descent:
            judged = [torch.cat(predictions), x0_BCHW, masks_BHW, free_BK]
            losses["discriminator"] = self._train_discriminator(self.discriminator_descent, judged)
        self.steps_done += 1
        return losses

    def _train_discriminator(self, descent: Descent, judged: list[Tensor]) -> Tensor:
        """One step of the discriminator, once it has begun; its loss."""
        if not self._sees_texture:
            return torch.zeros((), device=self.device)
        return descent.descend(self._discriminator_losses, judged, self.model.micro_batch_size)["loss"]

    @property
    def _sees_texture(self) -> bool:
        """Whether the losses that wait for the first steps have begun."""
        return self.steps_done >= self.losses.from_step

    def _noise(self, x0_BCHW: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Noisy images x_t (B, C, H, W), the noise inputs of each prediction (B, N, C, H, W), and times t.

        All predictions of an image see one x_t. At the last time step nothing is known of the image: a
        network with noise inputs sees 0, another one pure noise, as where sampling begins.
        """
        eps_BCHW, t_B = diffusion.sample_noise(self.schedule, x0_BCHW, generator)
        last = self.model.timesteps - 1
        if self.losses.pure_noise_share:
            number_B = torch.rand(len(t_B), generator=generator, device=t_B.device)
            t_B = torch.where(number_B < self.losses.pure_noise_share, last, t_B)
        inputs = self.model.noise_inputs * x0_BCHW.shape[1]
        predictions = 2 if self.losses.energy_score else 1
        shape = (len(x0_BCHW), predictions, inputs, *x0_BCHW.shape[2:])
        noise_BNCHW = torch.randn(shape, generator=generator, device=x0_BCHW.device)
        unknown_BCHW = torch.zeros_like(eps_BCHW) if inputs else eps_BCHW
        x_BCHW = self.schedule.add_noise(x0_BCHW, eps_BCHW, t_B)
        return torch.where((t_B == last).view(-1, 1, 1, 1), unknown_BCHW, x_BCHW), noise_BNCHW, t_B

    def _choose(self, x0_BCHW: Tensor, generator: torch.Generator) -> _Chosen:
        energy = self.losses.energy_score
        wants_directions = self.losses.sliced_wasserstein and self._sees_texture
        return _Chosen(
            choose_filters(ranks.own_share(x0_BCHW), energy, generator) if energy else None,
            choose_directions(generator, x0_BCHW.shape[1]) if wants_directions else None,
            self.maps.of_real(x0_BCHW),
        )

    def _losses(
        self,
        chosen: _Chosen,
        predictions: list[Tensor],
        x0_BCHW: Tensor,
        masks_BHW: Tensor,
        free_BK: Tensor,
        x_BCHW: Tensor,
        noise_BNCHW: Tensor,
        t_B: Tensor,
        places_B: Tensor,
        *examples: Tensor,
    ) -> dict[str, Tensor]:
        """The terms and their weighted sum, `loss`. `predictions` gains x̂0 (B, N, C, H, W), detached.

        `places_B`: these images' places in the whole batch. `examples`: for the network's tissues.
        """
        predicted_BNCHW = self._predict_each(x_BCHW, noise_BNCHW, masks_BHW, free_BK, t_B)
        predictions.append(predicted_BNCHW.detach())
        terms = mean_terms(
            [self._terms(chosen, x_BCHW, x0_BCHW, masks_BHW, free_BK) for x_BCHW in predicted_BNCHW.unbind(1)]
        )
        terms |= self.maps.terms(predicted_BNCHW, chosen.real_maps, places_B)
        if chosen.filters:
            first_BCHW, second_BCHW = predicted_BNCHW.unbind(1)
            terms |= chosen.filters.scores(x0_BCHW, first_BCHW, second_BCHW)
        total = sum(self.weights[name] * term for name, term in terms.items())
        losses = {"loss": torch.as_tensor(total), **terms}
        return with_tissue_losses(losses, self.network, examples, self.model.training.precision)

    def _predict_each(
        self, x_BCHW: Tensor, noise_BNCHW: Tensor, masks_BHW: Tensor, free_BK: Tensor, t_B: Tensor
    ) -> Tensor:
        """x̂0 from each noise input (B, N, C, H, W), in one call."""
        batch, count = noise_BNCHW.shape[:2]
        x_BNCHW = torch.cat([x_BCHW[:, None].expand(-1, count, -1, -1, -1), noise_BNCHW], 2)
        others = (tensor.repeat_interleave(count, 0) for tensor in (masks_BHW, free_BK, t_B))
        return self._predict(x_BNCHW.flatten(0, 1), *others).unflatten(0, (batch, count))

    def _predict(self, x_BCHW: Tensor, masks_BHW: Tensor, free_BK: Tensor, t_B: Tensor) -> Tensor:
        """x̂0, cut to [-1, 1] as far as `slope_outside` says."""
        with autocast(self.device, self.model.training.precision):
            predicted_BCHW = self.network(x_BCHW, t_B, masks_BHW, free_BK).float()
        cut_BCHW = predicted_BCHW.clamp(-1, 1)
        return cut_BCHW + self.losses.slope_outside * (predicted_BCHW - cut_BCHW)

    def _terms(
        self, chosen: _Chosen, predicted_BCHW: Tensor, x0_BCHW: Tensor, masks_BHW: Tensor, free_BK: Tensor
    ) -> dict[str, Tensor]:
        """The terms of one prediction by itself, without weights; 0 of those that have not begun."""
        waiting = ("sliced_wasserstein", "adversarial", "feature_matching")
        terms = {name: x0_BCHW.new_zeros(()) for name in waiting if self.weights[name]}
        terms["squared_error"] = functional.mse_loss(predicted_BCHW, x0_BCHW)
        if chosen.directions:
            terms["sliced_wasserstein"] = sliced_wasserstein(
                predicted_BCHW, x0_BCHW, masks_BHW, chosen.directions
            )
        if self._sees_texture and self.discriminator_descent:
            discriminator = self.discriminator_descent.network.requires_grad_(False)
            with autocast(self.device, self.model.training.precision):
                judged = adversarial_losses().generator_losses(
                    self._judge(
                        adversarial_losses().judge_for_generator, predicted_BCHW, x0_BCHW, masks_BHW, free_BK
                    )
                )
            discriminator.requires_grad_(True)
            terms |= {name: judged[name] for name in judged if self.weights[name]}
        return terms

    def _judge(
        self, judge: Any, predicted_BCHW: Tensor, x0_BCHW: Tensor, masks_BHW: Tensor, free_BK: Tensor
    ) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """The maps that a `Judge` of losses/adversarial.py gives of predictions and of images."""
        assert self.discriminator_descent is not None
        discriminator: Any = self.discriminator_descent.network
        mask_BKHW = self.network.encoder(masks_BHW, free_BK)
        return judge(discriminator, predicted_BCHW, x0_BCHW, mask_BKHW)

    def _discriminator_losses(
        self, predicted_BNCHW: Tensor, x0_BCHW: Tensor, masks_BHW: Tensor, free_BK: Tensor
    ) -> dict[str, Tensor]:
        """The hinge loss of the discriminator on what the network predicted before its own step."""
        with autocast(self.device, self.model.training.precision):
            of_predictions = [
                adversarial_losses().discriminator_losses(
                    self._judge(adversarial_losses().judge, x_BCHW, x0_BCHW, masks_BHW, free_BK)
                )
                for x_BCHW in predicted_BNCHW.unbind(1)
            ]
        return {"loss": mean_terms(of_predictions)["discriminator"]}

    def state_dict(self) -> dict[str, Any]:
        """Both networks with their optimisers, the averaged weights, and the number of steps."""
        discriminator = self.discriminator_descent
        return {
            "descent": self.descent.state_dict(),
            "discriminator": discriminator.state_dict() if discriminator else None,
            "steps_done": self.steps_done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.descent.load_state_dict(state["descent"])
        if self.discriminator_descent:
            self.discriminator_descent.load_state_dict(state["discriminator"])
        self.steps_done = state["steps_done"]


def make_learner(
    network: MaskedDenoiser,
    model: DiffusionModel,
    steps: int,
    device: torch.device,
    perceptual: PerceptualLoss | None = None,
) -> DiffusionLearner | PredictionLearner:
    """What trains a denoiser: with the paper's loss, or with those of `model.losses`, as `perceptual`."""
    if model.losses.is_papers:
        return DiffusionLearner(network, model, steps, device)
    return PredictionLearner(network, model, steps, device, perceptual)
