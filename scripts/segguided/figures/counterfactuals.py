"""A picture of counterfactual images: the edits of one patient's mask. Shape suffixes: H and W pixels."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from segguided.data.slices import read_slices
from segguided.figures.blocks import Block, Column, colourise
from segguided.figures.settings import FigureDataset
from segguided.generation.near_real.names import alone_of, edits_of, near_of
from segguided.generation.variants import read_seen_variants, read_variants

VERBS = {
    "remove": "removed",
    "grow": "grown",
    "shrink": "shrunk",
    "move": "moved",
    "other": "another patient's",
}
MIDDLE = 128  # grey of no difference


def counterfactual_block(dataset: FigureDataset, model: str, edited_class: str) -> Block:
    """A row for each edit of one slice: masks, real and counterfactual image, their difference, two seeds.

    The slice is the one in which the smallest of the edits changes most pixels.
    """
    path = dataset.generated_by(model)
    test = read_slices(dataset.slices)
    variants, slices = read_variants(path, test)
    masks = read_seen_variants(path, test)
    edits = edits_of(variants)
    changed = [(masks[near_of(edit)] != slices.masks).sum(axis=(1, 2)) for edit in edits]
    row = int(np.min(changed, axis=0).argmax())
    palette = list(dataset.colours.values())
    real_HW = slices.images[row]
    near = [variants[near_of(edit)][row] for edit in edits]
    alone = [[variants[alone_of(edit, number)][row] for edit in edits] for number in (0, 1)]
    columns = [
        Column("mask", [colourise(slices.masks[row], palette)] * len(edits)),
        Column("real image", [real_HW] * len(edits)),
        Column("edited mask", [colourise(masks[near_of(edit)][row], palette) for edit in edits]),
        Column("counterfactual image", near),
        Column("minus the real image", [difference(image_HW, real_HW) for image_HW in near]),
        Column("edited mask alone", alone[0]),
        Column("minus another seed's", [difference(*pair) for pair in zip(*alone, strict=True)]),
    ]
    names = [f"{dataset.drawn_titles[edited_class]}: {VERBS[edit]}" for edit in edits]
    return Block(dataset.title, columns, dataset.legend, rows=names)


def difference(image_HW: np.ndarray, other_HW: np.ndarray) -> np.ndarray:
    """The difference of two images (H, W), uint8: MIDDLE where they are equal."""
    difference_HW: np.ndarray = np.clip(MIDDLE + image_HW.astype(int) - other_HW, 0, 255).astype(np.uint8)
    return difference_HW


def edits_in(frame: pd.DataFrame, titles: Mapping[str, str]) -> list[str]:
    """What each row of the measurements is about, in words; `titles` of the classes by name."""
    pairs = zip(frame["edit"], frame["class"], strict=True)
    return [f"{titles[name]}: {VERBS[edit]}" for edit, name in pairs]
