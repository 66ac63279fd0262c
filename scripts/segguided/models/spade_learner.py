"""Training of SPADE: hinge, feature-matching and perceptual losses of a generator and its discriminator.

Shape letters: B batch, K mask channels, H height, W width.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from segguided.config.models.mask_ablation import MaskAblationSettings
from segguided.config.models.spade import AdversarialTraining, SpadeModel
from segguided.data.slices import SliceSet
from segguided.devices import autocast
from segguided.models.augmentation import move
from segguided.models.losses.adversarial import (
    Judge,
    ScaleMaps,
    discriminator_losses,
    generator_losses,
    judge,
    judge_for_generator,
)
from segguided.models.losses.perceptual import PerceptualLoss
from segguided.models.mask_ablation import ablate_masks
from segguided.models.signals import to_signal
from segguided.models.spade import (
    Discriminator,
    Generator,
    bake_spectral_norm,
    initialise,
    normalise_spectrally,
)
from segguided.training import ranks
from segguided.training.batch_norms import separate_batch_norms, share_batch_norms
from segguided.training.loop import Batches
from segguided.training.optimisation import Descent, constant_linear, has_fused

STATISTICS_BATCH = 32  # masks, of the statistics of a batch norm; no gradient is kept
MaskBatches = Callable[[], Iterator[Tensor]]  # each call gives batches of integer masks_BHW


class SpadeLearner:
    """Trains `generator` against a discriminator; in each step first the one, then the other, as SPADE does.

    `masks` gives masks of training images, on which the batch norm of an averaged generator takes its
    statistics; it is needed only where weights are averaged and the norm is a batch norm.
    `is_trained`: the generator keeps the weights it has; else it gets first weights.
    """

    def __init__(
        self,
        generator: Generator,
        model: SpadeModel,
        perceptual: PerceptualLoss | None,
        steps: int,
        device: torch.device,
        masks: MaskBatches | None = None,
        *,
        is_trained: bool = False,
    ) -> None:
        training = model.training
        self.generator = generator
        self.device = device
        self.precision = training.precision
        maps = generator.encoder.channels
        self.discriminator = Discriminator(model.discriminator, maps, generator.channels).to(device)
        self.perceptual = perceptual
        self.masks = masks
        self.weights = {
            "adversarial": model.losses.adversarial,
            "feature_matching": model.losses.feature_matching,
            "perceptual": model.losses.perceptual,
        }
        self.micro_batch_size = training.micro_batch_size
        self.movement = model.movement
        self.ablation: MaskAblationSettings = model
        for network in (generator, self.discriminator):
            if network is self.discriminator or not is_trained:
                initialise(network, model.first_weights)
            normalise_spectrally(network)
        share_batch_norms(generator)
        self.descent = _adam(generator, training.generator_learning_rate, training, steps, training.ema_decay)
        self.discriminator_descent = _adam(
            self.discriminator, training.discriminator_learning_rate, training, steps, None
        )

    def update(
        self,
        images_BHW: Tensor,
        masks_BHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step of the generator, then one of the discriminator, on a batch of uint8 images and masks."""
        images_BHW, masks_BHW = move(images_BHW, masks_BHW, self.movement, generator)
        masks_BHW = self._ablated(masks_BHW, generator)
        losses = self._step(self.descent, self._generator_losses, images_BHW, masks_BHW)
        return losses | self._step(
            self.discriminator_descent, self._discriminator_losses, images_BHW, masks_BHW
        )

    def _ablated(self, masks_BHW: Tensor, generator: torch.Generator) -> Tensor:
        """The masks that both networks see in training.

        What is not annotated is in no mask, and the encoding cannot tell that from removed.
        """
        return ablate_masks(masks_BHW, self.generator.encoder.n_classes, self.ablation, generator)[0]

    def _step(
        self,
        descent: Descent,
        losses_of: Callable[[Tensor, Tensor], dict[str, Tensor]],
        images_BHW: Tensor,
        masks_BHW: Tensor,
    ) -> dict[str, Tensor]:
        """One step of one network; the gradients of micro-batches are added up. Its mean losses.

        Processes that train together share each micro-batch. So its batch statistics, and how often spectral
        norms are computed, are those of a process that trains alone.
        """
        size = self.micro_batch_size or len(images_BHW)
        micro_batches = list(zip(images_BHW.split(size), masks_BHW.split(size), strict=True))
        sums: dict[str, Tensor] = {}
        for position, micro_batch in enumerate(micro_batches, start=1):
            images, masks = (ranks.own_share(tensor) for tensor in micro_batch)
            share = len(images) / len(images_BHW)
            losses = losses_of(to_signal(images), masks)
            total = sum(self.weights.get(name, 1.0) * loss for name, loss in losses.items())
            with descent.gradients.summing() if position == len(micro_batches) else nullcontext():
                (share * total).backward(inputs=descent.parameters)
            sums = {name: sums.get(name, 0) + share * loss.detach() for name, loss in losses.items()}
        descent.step()
        return ranks.sum_tensors(sums)

    def _generator_losses(self, real_B1HW: Tensor, masks_BHW: Tensor) -> dict[str, Tensor]:
        """The terms of the generator's loss, without weights."""
        with autocast(self.device, self.precision):
            generated_B1HW = self.generator(masks_BHW)
            judged = self._judge(judge_for_generator, generated_B1HW, real_B1HW, masks_BHW)
            losses = generator_losses(judged)
            if self.perceptual:
                losses["perceptual"] = self.perceptual(generated_B1HW, real_B1HW)
        return losses

    def _discriminator_losses(self, real_B1HW: Tensor, masks_BHW: Tensor) -> dict[str, Tensor]:
        """The discriminator's loss on images that the generator makes now, after its own step."""
        with autocast(self.device, self.precision):
            with torch.no_grad():
                generated_B1HW = self.generator(masks_BHW)
            return discriminator_losses(self._judge(judge, generated_B1HW, real_B1HW, masks_BHW))

    def _judge(
        self, judge: Judge, generated_B1HW: Tensor, real_B1HW: Tensor, masks_BHW: Tensor
    ) -> tuple[ScaleMaps, ScaleMaps]:
        """The discriminator's maps of generated and of real images."""
        return judge(self.discriminator, generated_B1HW, real_B1HW, self.generator.encoder(masks_BHW))

    def after_epoch(self) -> dict[str, float]:
        """Nothing is measured between epochs."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Both networks with their optimisers, and the generator's averaged weights."""
        return {
            "generator": self.descent.state_dict(),
            "discriminator": self.discriminator_descent.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.descent.load_state_dict(state["generator"])
        self.discriminator_descent.load_state_dict(state["discriminator"])

    def averaged_copy(self) -> nn.Module:
        """A copy of the generator with its averaged weights; batch norms have the last ones' statistics."""
        return self.descent.averaged_copy()

    def finished_network(self) -> nn.Module:
        """The generator with its averaged weights; spectral normalisation is baked into them.

        The statistics of a batch norm belong to the weights of a single step, so they are taken anew for the
        averaged ones, over the training masks, which are ablated as in training.
        """
        self.descent.use_averaged_weights()
        bake_spectral_norm(self.generator)
        separate_batch_norms(self.generator)
        if self.descent.ema and self.masks:
            with autocast(self.device, self.precision):
                update_bn(self._masks_as_seen(self.masks), self.generator)
        return self.generator

    def _masks_as_seen(self, masks: MaskBatches) -> Iterator[Tensor]:
        """Batches of masks, ablated as in training; the same each time."""
        generator = torch.Generator(self.device).manual_seed(0)
        return (self._ablated(masks_BHW, generator) for masks_BHW in masks())


def check_shareable(batch_size: int, micro_batch_size: int | None) -> None:
    """Raise ValueError if a part of a batch has fewer images than processes train together."""
    size = min(micro_batch_size or batch_size, batch_size)
    smallest = batch_size % size or size
    if micro_batch_size and smallest < ranks.count():
        raise ValueError(
            f"SPADE's GPUs share each micro-batch, but batches of {batch_size} slices in micro-batches of "
            f"{micro_batch_size} have one of {smallest}, fewer than {ranks.count()} GPUs; set "
            f"micro_batch_size: null, or ask for at most {smallest}"
        )


def batches_of_masks(slices: SliceSet, device: torch.device) -> MaskBatches:
    """The masks of all slices, in batches; in random order, because neighbouring slices are alike."""
    batches = Batches(slices, device)
    order_S = np.random.default_rng(0).permutation(len(slices))

    def masks() -> Iterator[Tensor]:
        for start in range(0, len(slices), STATISTICS_BATCH):
            yield batches(order_S[start : start + STATISTICS_BATCH])[1]

    return masks


def _adam(
    network: nn.Module, rate: float, training: AdversarialTraining, steps: int, ema_decay: float | None
) -> Descent:
    """Adam with the learning rate `rate`, constant and then falling to 0."""
    optimizer = torch.optim.Adam(
        network.parameters(), lr=rate, betas=training.betas, fused=has_fused(network)
    )
    return Descent(network, optimizer, constant_linear(training.decay_share, steps), ema_decay=ema_decay)
