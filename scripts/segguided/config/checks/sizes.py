"""Which image sizes the networks can take, by their settings: a norm needs more than one value."""

from collections.abc import Iterator, Sequence

from segguided.config.models.base import ModelSettings
from segguided.config.models.completer import CompletionStage
from segguided.config.models.controlnet import AutoencoderSize, ControlNetModel, LatentUnetSize, Scratch
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.imported import ImportedModel
from segguided.config.models.perceptual import EncoderPerceptual, Perceptual
from segguided.config.models.regression import RegressionModel
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.spade import SpadeDiscriminator, SpadeModel
from segguided.config.models.unet import Unet


def misfits(name: str, model: ModelSettings, size: int) -> Iterator[str]:
    """Sentences on why a model cannot be trained on images of `size` pixels a side; none where it can."""
    where = f"models.{name}"
    yield from _stride_misfits(where, model.stride, size)
    if isinstance(model, DiffusionModel):
        yield from _perceptual_misfits(f"{where}.losses.perceptual_network", model.perceptual, size)
    if isinstance(model, DiffusionModel) and model.completer:
        yield from _stage_misfits(f"{where}.completer", model.completer.stages, size)
    if isinstance(model, DiffusionModel) and model.tissues:
        yield from _stage_misfits(f"{where}.tissues", model.tissues.stages, size)
    match model:
        case (
            DiffusionModel(unet=Unet() as unet)
            | RegressionModel(unet=unet)
            | ImportedModel(unet=Unet() as unet)
        ):
            yield from _group_norm_misfits(f"{where}.unet", unet, size // unet.patch)
        case ControlNetModel(init=Scratch() as init):
            latent = size >> (len(init.autoencoder.channels) - 1)
            yield from _group_norm_misfits(f"{where}.init.autoencoder", init.autoencoder, size)
            yield from _group_norm_misfits(f"{where}.init.unet", init.unet, latent)
        case SpadeModel():
            yield from _discriminator_misfits(f"{where}.discriminator", model.discriminator, size)
            yield from _perceptual_misfits(f"{where}.perceptual", model.perceptual, size)


def segmenter_misfits(where: str, segmenter: Segmenter, size: int) -> Iterator[str]:
    """Sentences on why a segmenter cannot be trained; its lowest level needs two pixels for the norm."""
    yield from _stride_misfits(where, segmenter.stride, size)
    if size == segmenter.stride:
        yield (
            f"image_size is {size}, which leaves one pixel at the lowest of the {len(segmenter.channels)} "
            f"levels of {where}, too few to normalise; choose {2 * size}, or fewer levels there"
        )


def _stride_misfits(where: str, stride: int, size: int) -> Iterator[str]:
    if size % stride:
        yield (
            f"image_size is {size}, which the levels of {where} cannot halve evenly; choose a multiple of "
            f"{stride}, or fewer levels there"
        )


def _perceptual_misfits(where: str, perceptual: Perceptual, size: int) -> Iterator[str]:
    if isinstance(perceptual, EncoderPerceptual):
        yield from _stride_misfits(f"{where}.encoder", perceptual.encoder.stride, size)


def _stage_misfits(where: str, stages: Sequence[CompletionStage], size: int) -> Iterator[str]:
    """Each stage sees the image in its cells."""
    for number, stage in enumerate(stages):
        stage_at = f"{where}.stages.{number}"
        if size % stage.stride:
            yield (
                f"image_size is {size}, which {stage_at} cannot divide evenly into its cells of "
                f"{stage.cell}, its noise_patch of {stage.noise_patch} cells, and the patches and levels of "
                f"its network; choose a multiple of {stage.stride}, or smaller numbers there"
            )
        if unet := stage.unet:
            yield from _group_norm_misfits(f"{stage_at}.unet", unet, size // stage.cell // unet.patch)


def _group_norm_misfits(
    where: str, network: Unet | AutoencoderSize | LatentUnetSize, size: int
) -> Iterator[str]:
    """A group norm of a single value is always 0, so that nothing of the image is left."""
    for level, channels in enumerate(network.channels):
        side = max(1, size >> level)
        if channels // network.norm_groups * side * side < 2:
            yield (
                f"image_size leaves one pixel at level {level} of {where}, whose {channels} channels in "
                f"{network.norm_groups} norm_groups are one value a group, too few to normalise; lower "
                "norm_groups, or give it fewer levels"
            )


def _discriminator_misfits(where: str, discriminator: SpadeDiscriminator, size: int) -> Iterator[str]:
    """Each scale sees half the side of the scale before; from its second layer on it needs two pixels."""
    smallest = -(-size >> (discriminator.scales - 1))
    if smallest < 2 and discriminator.layers > 2:
        yield (
            f"image_size is {size}, which leaves one pixel to the smallest of the {discriminator.scales} "
            f"scales of {where}, too few to normalise; choose fewer scales"
        )
