"""A picture of what was generated: some masks and their images, side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segguided.app.run_folder import RunFacts
from segguided.data.formats.png import read_pixels
from segguided.data.spread import spread_rows
from segguided.figures.blocks import Block, Column, colourise, draw_blocks, save_figure
from segguided.figures.class_titles import legend_of
from segguided.figures.composite import shown_title

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
        Column(facts.title, [read_pixels(images[row], facts.n_channels) for row in chosen]),
    ]
    title = shown_title(facts.dataset, [channel.name for channel in facts.channels])
    save_figure(draw_blocks([Block(title, columns, colours)]), target)
