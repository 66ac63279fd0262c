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
LONGEST = 32  # letters of a name, two lines beside a tile; of a longer one the middle is left out


def write_contact_sheet(
    target: Path, images: Sequence[Path], masks: Sequence[np.ndarray], facts: RunFacts
) -> None:
    """At most twelve images, evenly spread over all, each beside its name and the mask (H, W) it follows."""
    chosen = spread_rows(len(images), ROWS)
    colours = legend_of(facts.classes)
    palette = list(colours.values())
    columns = [
        Column("mask", [colourise(masks[row], palette) for row in chosen]),
        Column(facts.title, [read_pixels(images[row], facts.n_channels) for row in chosen]),
    ]
    title = shown_title(facts.dataset, [channel.name for channel in facts.channels])
    if len(chosen) < len(images):
        title += f", {len(chosen)} of {len(images)} images"
    names = [_without_middle(images[row].stem) for row in chosen]
    save_figure(draw_blocks([Block(title, columns, colours, rows=names)]), target)


def _without_middle(name: str) -> str:
    """The name; of a long one the beginning, and the end, in which names most often differ."""
    if len(name) <= LONGEST:
        return name
    half = LONGEST // 2
    return f"{name[: half - 1]}…{name[-half:]}"
