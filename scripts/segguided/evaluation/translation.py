"""How good translated images are: Dice with their masks, likeness to the target modality's own images.

Shape letters: S slices, n slices that both modalities show, H height, W width.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from segguided.data.slices import SliceSet
from segguided.devices import pick_device
from segguided.evaluation.dice import class_counts, dice_by_class
from segguided.evaluation.image_pairs import mean_absolute_difference, structural_similarity
from segguided.evaluation.prediction import predict
from segguided.generation.translation import shared_slices


def translation_rows(
    source: SliceSet,
    generated: SliceSet,
    target: SliceSet | None,
    evaluator: nn.Module,
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """Rows of measures: `value` over `images` images.

    `source` holds masks and images of one modality, `generated` images of the other from the same masks.
    dice_CLASS: mask predicted on the generated image against the input mask; NaN of a class that no input
    mask holds, which is in no mean. Where `target` holds the target modality's own images of the same ids:
    ssim and mae (grey levels) of the generated image with it; to compare, ssim_untranslated and
    mae_untranslated of the source modality's image with it.
    """
    predicted_SHW = predict(evaluator, generated.images, pick_device())
    counts = class_counts(predicted_SHW, generated.masks, len(class_names))
    rows = [
        {"measure": f"dice_{name}", "value": dice, "images": len(generated)}
        for name, dice in dice_by_class(counts, class_names).items()
    ]
    if target:
        rows += _likeness_rows(generated, target, "")
        rows += _likeness_rows(source, target, "_untranslated")
    return rows


def _likeness_rows(slices: SliceSet, target: SliceSet, suffix: str) -> list[dict[str, Any]]:
    """SSIM and mean absolute difference of the images of the slices that both hold."""
    shared_S, targets_nHW = shared_slices(slices, target)
    images_nHW = slices.images[shared_S]
    ssim = structural_similarity(images_nHW, targets_nHW).mean()
    mae = mean_absolute_difference(images_nHW, targets_nHW).mean()
    return [
        {"measure": f"ssim{suffix}", "value": ssim, "images": len(targets_nHW)},
        {"measure": f"mae{suffix}", "value": mae, "images": len(targets_nHW)},
    ]
