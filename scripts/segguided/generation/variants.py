"""Generated sets with several images of each mask, one for each labelled variant.

Shape letters: M masks, H height, W width; N images of all variants.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from segguided.config.reserved import FULL
from segguided.data.formats.npz import write_npz
from segguided.data.slices import SliceSet, read_generated, read_seen_masks

SEPARATOR = "/"  # of mask id and variant, of condition and number; no patient and no class has it in its name


def condition_of(kept: Sequence[str | int]) -> str:
    """The name of the condition that keeps some classes: these joined by +, as values or as names."""
    return "+".join(map(str, kept))


def kept_classes(condition: str) -> list[str]:
    """The classes that a condition other than `FULL` keeps."""
    return condition.split("+")


def with_class_names(variants: Mapping[str, np.ndarray], classes: Sequence[str]) -> dict[str, np.ndarray]:
    """Variants `condition/number` as a file holds them, in its order, with class names for the values."""
    named = {}
    for variant, images_MHW in variants.items():
        condition, number = variant.rsplit(SEPARATOR, 1)
        if condition != FULL:
            condition = condition_of([classes[int(value) - 1] for value in kept_classes(condition)])
        named[f"{condition}{SEPARATOR}{number}"] = images_MHW
    return named


def write_variants(
    path: Path,
    variants: Mapping[str, np.ndarray],
    names: Sequence[str],
    facts: Mapping[str, str] | None = None,
    masks: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write the images (M, H, W) uint8 of all variants as one generated set, with ids `mask id/variant`.

    `names`: the mask ids; `facts`: what the file's seal says of its origin; `masks`: those that the model
    saw, (M, H, W) of each variant, where they are not the slices' own.
    """
    ids = [f"{name}{SEPARATOR}{variant}" for variant in variants for name in names]
    seen = {"masks": np.concatenate(list(masks.values()))} if masks else {}
    write_npz(path, facts, images=np.concatenate(list(variants.values())), names=np.array(ids), **seen)


def read_variants(path: Path, slices: SliceSet) -> tuple[dict[str, np.ndarray], SliceSet]:
    """Images (M, H, W) of each variant, in the order written, and the slices they were generated for.

    Raises ValueError where two variants are of different masks, and where `slices` lack one of these masks.
    """
    images_NHW, ids = read_generated(path, slices)
    rows = _rows_by_variant(ids)
    names = set(next(iter(rows.values())))
    chosen = slices.where([name in names for name in slices.names])
    if any(set(row_of) != set(chosen.names) for row_of in rows.values()):
        raise ValueError(f"{path}: its images do not belong to these slices' masks; generate it again")
    variants = {
        variant: images_NHW[[row_of[name] for name in chosen.names]] for variant, row_of in rows.items()
    }
    return variants, chosen


def read_seen_variants(path: Path, slices: SliceSet) -> dict[str, np.ndarray]:
    """The masks (M, H, W) that the model saw for each variant, as `read_variants` gives the images.

    Raises ValueError where the set holds no masks.
    """
    images_NHW, ids = read_generated(path, slices)
    masks_NHW = read_seen_masks(path, images_NHW)
    return {variant: masks_NHW[list(rows.values())] for variant, rows in _sorted_rows(ids, slices).items()}


def _sorted_rows(ids: Sequence[str], slices: SliceSet) -> dict[str, dict[str, int]]:
    """For each variant the row of each mask id, in the order of the slices."""
    rows = _rows_by_variant(ids)
    names = [name for name in slices.names if name in next(iter(rows.values()))]
    return {variant: {name: row_of[name] for name in names} for variant, row_of in rows.items()}


def _rows_by_variant(ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """For each variant the row of each mask id."""
    rows: dict[str, dict[str, int]] = {}
    for row, image_id in enumerate(ids):
        name, variant = image_id.split(SEPARATOR, 1)
        rows.setdefault(variant, {})[name] = row
    return rows
