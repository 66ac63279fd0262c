"""Which models and applications can take images of several channels."""

from collections.abc import Collection, Iterable, Mapping

from segguided.config.datasets import Dataset
from segguided.config.experiments import Translation
from segguided.config.models.base import ModelSettings
from segguided.config.models.controlnet import ControlNetModel, Pretrained

COLOURS = 3  # of Stable Diffusion's images


def channel_misfits(name: str, model: ModelSettings, channels: Collection[str]) -> Iterable[str]:
    """Sentences on why a model cannot be trained on images of these channels; none where it can."""
    is_pretrained = isinstance(model, ControlNetModel) and isinstance(model.init, Pretrained)
    if is_pretrained and len(channels) > 1 and len(channels) != COLOURS:
        yield (
            f"source.channels are {len(channels)}, but models.{name}.init names a pretrained pipeline, whose "
            f"images are grey or have {COLOURS} channels; set init: {{kind: scratch, …}}, or leave "
            f"{name} out of the grid"
        )


def check_channels_of_translations(
    translations: Iterable[Translation], datasets: Mapping[str, Dataset]
) -> None:
    """Raise ValueError for a translation between images of different numbers of channels."""
    for translation in translations:
        before = max(1, len(datasets[translation.masks].channel_names))
        after = max(1, len(datasets[translation.dataset].channel_names))
        if before != after:
            raise ValueError(
                f"applications.translations: images of {translation.masks} have {before} channels and those "
                f"of {translation.dataset} {after}, so that none becomes the other; remove the translation, "
                "or give both as many channels"
            )
