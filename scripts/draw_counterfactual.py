"""Rule draw_counterfactual: the edits of one patient as a picture, and the measurements as Markdown."""

import argparse
from pathlib import Path

from segguided.cli import run, slices_parser
from segguided.evaluation.csv_files import read_csv
from segguided.figures.blocks import draw_blocks, save_figure
from segguided.figures.counterfactuals import counterfactual_block, edits_in
from segguided.figures.settings import FigureDataset
from segguided.files import write_text
from segguided.tables.counterfactuals import counterfactual_markdown


def draw_counterfactual(
    dataset: FigureDataset, model: str, edited_class: str, measured: Path, png: Path, markdown: Path
) -> None:
    """Write both; `dataset.generated` holds the counterfactual set of the model."""
    block = counterfactual_block(dataset, model, edited_class)
    frame = read_csv(measured)
    title = f"Counterfactual images of {dataset.name} by {model}"
    text = counterfactual_markdown(frame, edits_in(frame, dataset.titles), title)
    save_figure(draw_blocks([block]), png)
    write_text(markdown, text)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument("--dataset", type=FigureDataset.from_json, required=True, help="JSON")
    parser.add_argument("--model", required=True, help="whose images they are")
    parser.add_argument("--edited-class", required=True, help="name of the class")
    parser.add_argument("--measured", type=Path, required=True, help="CSV of measure_counterfactual")
    parser.add_argument("--png", type=Path, required=True)
    parser.add_argument("--markdown", type=Path, required=True)
    return parser


if __name__ == "__main__":
    run(draw_counterfactual, command_line())
