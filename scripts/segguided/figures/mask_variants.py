"""Generated sets with several images of each mask, for Figures 3, 4 and 6.

Shape suffixes: M masks, H and W pixels.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from segguided.data.slices import SliceSet, read_slices
from segguided.figures.blocks import colourise
from segguided.figures.settings import FigureDataset
from segguided.generation.variants import read_variants, with_class_names


@dataclass(frozen=True)
class MaskVariants:
    """A dataset's images by one model, and the slices whose masks they were generated from."""

    dataset: FigureDataset
    images: Mapping[str, np.ndarray]  # by variant, (M, H, W)
    slices: SliceSet

    def with_class_names(self) -> "MaskVariants":
        """The same, with class names instead of values in the variants' names."""
        return replace(self, images=with_class_names(self.images, self.dataset.class_names))

    def mask_tile(self, row: int, kept: Collection[str]) -> np.ndarray:
        """The coloured mask (H, W, 3) of one slice with only the classes `kept`."""
        mask_HW = self.slices.masks[row]
        values = [self.dataset.class_names.index(name) + 1 for name in kept]
        visible_HW = np.where(np.isin(mask_HW, values), mask_HW, 0)
        return colourise(visible_HW, list(self.dataset.colours.values()))


def read_mask_variants(dataset: FigureDataset, model: str) -> MaskVariants:
    """The images of a model. Raises ValueError where the dataset has no images of this model."""
    path = dataset.generated_by(model)
    images, slices = read_variants(path, read_slices(dataset.slices))
    return MaskVariants(dataset, images, slices)
