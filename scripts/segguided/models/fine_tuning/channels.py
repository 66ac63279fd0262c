"""Which input channels of a trained network become which of a new one: classes are matched by name.

Shape letters: N channels of the new network, O of the old one, F features, P pixels of a patch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MASK_VALUES = "mask / 255"  # the channel of index255
BACKGROUND = "class 0"


@dataclass(frozen=True)
class Inputs:
    """What a network reads: a mask of named classes, and its other channels by name, in order."""

    conditioning: str
    classes: tuple[str, ...]  # foreground, in the order of their mask values 1, 2, …
    before: tuple[str, ...] = ()  # channels before those of the mask
    after: tuple[str, ...] = ()

    @property
    def channels(self) -> list[str]:
        """The name of each channel."""
        return [*self.before, *self._mask_channels(), *self.after]

    def _mask_channels(self) -> list[str]:
        if self.conditioning == "none":
            return []
        if self.conditioning == "index255":
            return [MASK_VALUES]
        shown = [BACKGROUND, *(f"class {name!r}" for name in self.classes)]
        if self.conditioning == "onehot_free":
            shown += [f"free {name!r}" for name in self.classes]
        return shown


def image_inputs(
    network: str, conditioning: str, classes: Sequence[str], noise_inputs: int = 0, channels: int = 1
) -> Inputs:
    """The input channels of a network of this kind, in its order; `channels`: those of an image."""
    images = [f"noisy image {number}" for number in range(1, channels + 1)]
    noises = [f"noise {number}" for number in range(channels * noise_inputs)]
    noisy = (*(images if channels > 1 else ["noisy image"]), *noises)
    if network == "unet":
        return Inputs(conditioning, tuple(classes), before=noisy)
    if network == "decoder":
        return Inputs(conditioning, tuple(classes), after=(*noisy, "signal"))
    return Inputs(conditioning, tuple(classes))


def channel_map(old: Inputs, new: Inputs) -> Tensor:
    """The share of each old channel in each new one, (N, O).

    A channel takes that of the same name; one without is 0, so that it changes nothing before training.
    Where the old network sees the mask values k/255 and the new one a channel a class, the class takes k/255
    of that channel: the network gives the same images of the same masks.
    """
    old_channels = old.channels
    map_NO = torch.zeros(len(new.channels), len(old_channels))
    for n, name in enumerate(new.channels):
        if name in old_channels:
            map_NO[n, old_channels.index(name)] = 1
    if MASK_VALUES in old_channels and MASK_VALUES not in new.channels:
        column = old_channels.index(MASK_VALUES)
        for value, name in enumerate(old.classes, start=1):
            if f"class {name!r}" in new.channels:
                map_NO[new.channels.index(f"class {name!r}"), column] = value / 255
    return map_NO


def mapped(weight_FOHW: Tensor, map_NO: Tensor) -> Tensor:
    """The weights of a convolution for the new channels, (F, N, H, W).

    Of a network with patches, each channel is P neighbouring ones of the convolution.
    """
    weight_FOPHW = weight_FOHW.unflatten(1, (map_NO.shape[1], -1))
    return torch.einsum("no,fophw->fnphw", map_NO.to(weight_FOHW), weight_FOPHW).flatten(1, 2)


def check_classes(origin: str, old: Inputs, new: Inputs) -> None:
    """Raise ValueError where no class can be matched, or the numbers of a shared mask channel differ."""
    if old.conditioning == "none" or new.conditioning == "none":
        return
    shared = [name for name in new.classes if name in old.classes]
    if not shared:
        raise ValueError(
            f"init_from: {origin} knows the classes {_listed(old.classes)}, none of which is among "
            f"{_listed(new.classes)}; give the same class the same name, or list its names as `classes`"
        )
    if new.conditioning != "index255":
        return
    if old.conditioning != "index255":
        raise ValueError(
            f"init_from: {origin} sees a channel for each class, which cannot become the one of "
            "conditioning: index255; set conditioning: onehot"
        )
    for name in shared:
        before = old.classes.index(name) + 1
        now = new.classes.index(name) + 1
        if before != now:
            raise ValueError(
                f"init_from: {name} is mask value {before} in {origin}, but {now} here, and conditioning: "
                "index255 sees these values; list the classes in the same order, or set conditioning: onehot"
            )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
