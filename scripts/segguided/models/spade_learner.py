"""Training of SPADE: hinge, feature-matching and perceptual losses of a generator and its discriminator.

Shape letters: B batch, K mask channels, H height, W width.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from segguided.config.models.spade import AdversarialTraining, SpadeModel
from segguided.devices import autocast
from segguided.models.perceptual import PerceptualLoss
from segguided.models.signals import to_signal
from segguided.models.spade import Discriminator, Generator, bake_spectral_norm, normalise_spectrally
from segguided.training.optimisation import Descent, constant_linear, has_fused

ScaleMaps = list[list[Tensor]]  # for each scale, the maps of the discriminator's layers, its verdict last


class SpadeLearner:
    """Trains `generator` against a discriminator; one pass gives the gradients of both."""

    def __init__(
        self,
        generator: Generator,
        model: SpadeModel,
        perceptual: PerceptualLoss | None,
        steps: int,
        device: torch.device,
    ) -> None:
        training = model.training
        self.generator = generator
        self.device = device
        self.precision = training.precision
        self.discriminator = Discriminator(model.discriminator, generator.encoder.channels).to(device)
        self.perceptual = perceptual
        self.weights = {
            "adversarial": model.losses.adversarial,
            "feature_matching": model.losses.feature_matching,
            "perceptual": model.losses.perceptual,
        }
        self.micro_batch_size = training.micro_batch_size
        for network in (generator, self.discriminator):
            normalise_spectrally(network)
        self.descent = _adam(generator, training.generator_learning_rate, training, steps, training.ema_decay)
        self.discriminator_descent = _adam(
            self.discriminator, training.discriminator_learning_rate, training, steps, None
        )

    def update(self, images_BHW: Tensor, masks_BHW: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """One step of both networks on a batch of uint8 images and masks."""
        size = self.micro_batch_size or len(images_BHW)
        sums: dict[str, Tensor] = {}
        for images, masks in zip(images_BHW.split(size), masks_BHW.split(size), strict=True):
            share = len(images) / len(images_BHW)
            losses = self._losses(to_signal(images), masks)
            self._backward(losses, share)
            sums = {name: sums.get(name, 0) + share * loss.detach() for name, loss in losses.items()}
        self.descent.step()
        self.discriminator_descent.step()
        return sums

    def _losses(self, real_B1HW: Tensor, masks_BHW: Tensor) -> dict[str, Tensor]:
        """The terms of the losses, without weights, of one pass through all networks."""
        with autocast(self.device, self.precision):
            generated_B1HW = self.generator(masks_BHW)
            losses = adversarial_losses(self._judge(generated_B1HW, real_B1HW, masks_BHW))
            if self.perceptual:
                losses["perceptual"] = self.perceptual(generated_B1HW, real_B1HW)
        return losses

    def _backward(self, losses: dict[str, Tensor], share: float) -> None:
        """Add to each network the gradient of its own loss only."""
        terms = [weight * losses[name] for name, weight in self.weights.items() if name in losses]
        (share * torch.stack(terms).sum()).backward(inputs=self.descent.parameters, retain_graph=True)
        (share * losses["discriminator"]).backward(inputs=self.discriminator_descent.parameters)

    def _judge(
        self, generated_B1HW: Tensor, real_B1HW: Tensor, masks_BHW: Tensor
    ) -> tuple[ScaleMaps, ScaleMaps]:
        """The discriminator's maps of generated and of real images, judged in one batch as SPADE does."""
        onehot_BKHW = self.generator.encoder(masks_BHW).repeat(2, 1, 1, 1)
        maps_by_scale = self.discriminator(torch.cat([generated_B1HW, real_B1HW]), onehot_BKHW)
        halves = [[map_BCHW.float().chunk(2) for map_BCHW in scale] for scale in maps_by_scale]
        generated = [[half for half, _ in scale] for scale in halves]
        real = [[half for _, half in scale] for scale in halves]
        return generated, real

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

    def finished_network(self) -> nn.Module:
        """The generator with its averaged weights; spectral normalisation is baked into them."""
        self.descent.use_averaged_weights()
        bake_spectral_norm(self.generator)
        return self.generator


def adversarial_losses(generated_and_real: tuple[ScaleMaps, ScaleMaps]) -> dict[str, Tensor]:
    """Hinge losses (Lim & Ye 2017) and feature matching (pix2pixHD), each the mean over the scales.

    `generated_and_real` are the discriminator's maps of generated and of real images. The paper's hinge has
    no tanh. MONAI's PatchAdversarialLoss applies one, and then the generator gets no gradient once the
    discriminator is sure.
    """
    generator: list[Tensor] = []
    discriminator: list[Tensor] = []
    matching: list[Tensor] = []
    generated_scales, real_scales = generated_and_real
    for generated, real in zip(generated_scales, real_scales, strict=True):
        generator.append(-generated[-1].mean())
        discriminator.append(functional.relu(1 + generated[-1]).mean() + functional.relu(1 - real[-1]).mean())
        matching.append(_feature_distance(generated[:-1], real[:-1]))
    terms = {"adversarial": generator, "discriminator": discriminator, "feature_matching": matching}
    return {name: torch.stack(scales).mean() for name, scales in terms.items()}


def _feature_distance(generated: list[Tensor], real: list[Tensor]) -> Tensor:
    """The sum over the layers of the mean absolute difference; no gradient reaches the real maps."""
    layers = zip(generated, real, strict=True)
    return torch.stack([functional.l1_loss(fake, true.detach()) for fake, true in layers]).sum()


def _adam(
    network: nn.Module, rate: float, training: AdversarialTraining, steps: int, ema_decay: float | None
) -> Descent:
    """Adam with the learning rate `rate`, constant and then falling to 0."""
    optimizer = torch.optim.Adam(
        network.parameters(), lr=rate, betas=training.betas, fused=has_fused(network)
    )
    return Descent(network, optimizer, constant_linear(training.decay_share, steps), ema_decay=ema_decay)
