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

Judged = list[list[Tensor]]  # maps of each scale and layer, the judgement last


class SpadeLearner:
    """Trains `generator` against a discriminator of its own; both gradients are of one and the same pass."""

    def __init__(
        self,
        generator: Generator,
        model: SpadeModel,
        perceptual: PerceptualLoss | None,
        steps: int,
        device: torch.device,
    ) -> None:
        self.generator, self.device, self.precision = generator, device, model.training.precision
        self.discriminator = Discriminator(model.discriminator, generator.encoder.channels).to(device)
        self.perceptual, training = perceptual, model.training
        self.weights = {
            "adversarial": model.losses.adversarial,
            "feature_matching": model.losses.feature_matching,
            "perceptual": model.losses.perceptual,
        }
        self.micro_batch_size = training.micro_batch_size
        for network in (generator, self.discriminator):
            normalise_spectrally(network)
        self.descent = _adam(generator, training.generator_learning_rate, training, steps, training.ema_decay)
        self.opposed = _adam(self.discriminator, training.discriminator_learning_rate, training, steps, None)

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
        self.opposed.step()
        return sums

    def _losses(self, real_B1HW: Tensor, masks_BHW: Tensor) -> dict[str, Tensor]:
        """The terms, unweighted, of one pass through all networks."""
        with autocast(self.device, self.precision):
            drawn_B1HW = self.generator(masks_BHW)
            losses = adversarial_losses(self._judge(drawn_B1HW, real_B1HW, masks_BHW))
            if self.perceptual:
                losses["perceptual"] = self.perceptual(drawn_B1HW, real_B1HW)
        return losses

    def _backward(self, losses: dict[str, Tensor], share: float) -> None:
        """Add each network's gradient of its own loss, so that neither's reaches the other."""
        total = torch.stack(
            [weight * losses[name] for name, weight in self.weights.items() if name in losses]
        )
        (share * total.sum()).backward(inputs=self.descent.parameters, retain_graph=True)
        (share * losses["discriminator"]).backward(inputs=self.opposed.parameters)

    def _judge(self, drawn_B1HW: Tensor, real_B1HW: Tensor, masks_BHW: Tensor) -> tuple[Judged, Judged]:
        """The discriminator's maps of drawn and real images, judged in one batch as SPADE does."""
        onehot_BKHW = self.generator.encoder(masks_BHW).repeat(2, 1, 1, 1)
        both = self.discriminator(torch.cat([drawn_B1HW, real_B1HW]), onehot_BKHW)
        halves = [[map_BCHW.float().chunk(2) for map_BCHW in scale] for scale in both]
        return [[drawn for drawn, _ in s] for s in halves], [[real for _, real in s] for s in halves]

    def after_epoch(self) -> dict[str, float]:
        """Nothing is measured between epochs."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Both networks with their optimisers, and the generator's averages."""
        return {"generator": self.descent.state_dict(), "discriminator": self.opposed.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.descent.load_state_dict(state["generator"])
        self.opposed.load_state_dict(state["discriminator"])

    def finished(self) -> nn.Module:
        """The generator with its averaged weights, its spectral normalisation baked in."""
        self.descent.averaged()
        bake_spectral_norm(self.generator)
        return self.generator


def adversarial_losses(judged: tuple[Judged, Judged]) -> dict[str, Tensor]:
    """Hinge losses (Lim & Ye 2017) and feature matching (pix2pixHD), means over the scales.

    MONAI's PatchAdversarialLoss squashes judgements by tanh first, which takes the generator's gradient away
    as soon as the discriminator is sure; the paper's hinge does not.
    """
    generator, discriminator, matching = [], [], []
    for (*drawn, drawn_judgement), (*real, real_judgement) in zip(*judged, strict=True):
        generator.append(-drawn_judgement.mean())
        discriminator.append(
            functional.relu(1 + drawn_judgement).mean() + functional.relu(1 - real_judgement).mean()
        )
        matching.append(
            torch.stack([functional.l1_loss(a, b.detach()) for a, b in zip(drawn, real, strict=True)]).sum()
        )
    terms = {"adversarial": generator, "discriminator": discriminator, "feature_matching": matching}
    return {name: torch.stack(scales).mean() for name, scales in terms.items()}


def _adam(
    network: nn.Module, rate: float, training: AdversarialTraining, steps: int, ema_decay: float | None
) -> Descent:
    optimizer = torch.optim.Adam(
        network.parameters(), lr=rate, betas=training.betas, fused=has_fused(network)
    )
    return Descent(network, optimizer, constant_linear(training.decay_share, steps), ema_decay=ema_decay)
