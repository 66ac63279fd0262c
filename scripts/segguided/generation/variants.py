"""Generated sets with several images a mask: one for each of some labelled variants of how it is drawn.

Shape letters: M masks, H height, W width.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from segguided.config.reserved import FULL
from segguided.data.formats.npz import write_npz
from segguided.data.slices import SliceSet, read_generated

BETWEEN = "/"  # of mask id and variant; neither patients nor classes have it in their names


def condition(kept: Sequence[str | int]) -> str:
    """How a partial mask is written: the kept classes, joined by +; in files as values, not names."""
    return "+".join(map(str, kept))


def parts(name: str) -> list[str]:
    """The kept classes of a condition as it is written."""
    return name.split("+")


def with_names(variants: Mapping[str, np.ndarray], classes: Sequence[str]) -> dict[str, np.ndarray]:
    """Variants `condition/draw` as a file holds them, in its order, with class names for the values."""
    named = {}
    for variant, images_MHW in variants.items():
        kept, draw = variant.rsplit(BETWEEN, 1)
        if kept != FULL:
            kept = condition([classes[int(value) - 1] for value in parts(kept)])
        named[f"{kept}{BETWEEN}{draw}"] = images_MHW
    return named


def write_variants(
    path: Path,
    variants: Mapping[str, np.ndarray],
    names: Sequence[str],
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write images (M, H, W) uint8 a variant as one generated set, whose ids are `mask id/variant`."""
    ids = [f"{name}{BETWEEN}{variant}" for variant in variants for name in names]
    write_npz(path, facts, images=np.concatenate(list(variants.values())), names=np.array(ids))


def read_variants(path: Path, slices: SliceSet) -> tuple[dict[str, np.ndarray], SliceSet]:
    """Images (M, H, W) of each variant, in the order written, and the slices they were drawn for.

    Raises ValueError where a variant lacks a mask of another one, or `slices` one of theirs.
    """
    images_NHW, ids = read_generated(path, slices)
    rows: dict[str, dict[str, int]] = {}
    for row, (name, variant) in enumerate(one.split(BETWEEN, 1) for one in ids):
        rows.setdefault(variant, {})[name] = row
    names = set(next(iter(rows.values())))
    chosen = slices.where([name in names for name in slices.names])
    if any(set(of_variant) != set(chosen.names) for of_variant in rows.values()):
        raise ValueError(f"{path}: its images do not belong to these slices' masks; generate it again")
    return {
        variant: images_NHW[[of_variant[name] for name in chosen.names]]
        for variant, of_variant in rows.items()
    }, chosen
