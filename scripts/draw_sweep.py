"""Rule draw_sweep: what is measured against the value of one setting, as CSV and figure."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.ablation import Sweep
from segguided.evaluation.csv_files import to_csv
from segguided.figures.ablation import sweep_figure
from segguided.figures.blocks import save_figure
from segguided.seals import write_listed
from segguided.tables.ablation import sweep_frame
from segguided.tables.inputs import TableSettings, read_records


def draw_sweep(
    *, records: Sequence[Path], settings: TableSettings, sweep: Sweep, csv: Path, png: Path, pdf: Path
) -> None:
    """Write the numbers and the figure."""
    frame = sweep_frame(read_records(records), settings, sweep)
    write_listed(csv, to_csv(frame, decimals=None))
    save_figure(sweep_figure(frame, sweep), png, pdf)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=Path, nargs="+", required=True, help="evaluation records, JSON")
    parser.add_argument(
        "--settings", type=TableSettings.from_json, required=True, help="JSON: datasets, models"
    )
    parser.add_argument("--sweep", type=Sweep.from_json, required=True, help="settings, JSON")
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)
    parser.add_argument("--pdf", type=Path, required=True)
    return parser


if __name__ == "__main__":
    run(draw_sweep, command_line())
