"""A picture of what was generated: some masks and their images, side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segguided.app.run_folder import RunFacts
from segguided.data.formats.png import read_grey
from segguided.data.spread import spread_rows
from segguided.figures.blocks import Block, Column, colourise, draw_blocks, save_figure
from segguided.figures.class_titles import legend_of

ROWS = 12


def write_contact_sheet(
    target: Path, images: Sequence[Path], masks: Sequence[np.ndarray], facts: RunFacts
) -> None:
    """At most twelve images, evenly spread over all, each beside the mask (H, W) that it follows."""
    chosen = spread_rows(len(images), ROWS)
    colours = legend_of(facts.classes)
    palette = list(colours.values())
    columns = [
        Column("mask", [colourise(masks[row], palette) for row in chosen]),
        Column(facts.title, [read_grey(images[row]) for row in chosen]),
    ]
    save_figure(draw_blocks([Block(facts.dataset, columns, colours)]), target)
