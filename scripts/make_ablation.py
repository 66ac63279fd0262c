"""Rule make_ablation: what each setting of a model adds, as CSV and Markdown."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.evaluation.csv_files import to_csv
from segguided.evaluation.times import read_timed
from segguided.files import write_text
from segguided.seals import write_listed
from segguided.tables.ablation import ablation_frame, ablation_markdown
from segguided.tables.inputs import TableSettings, read_records


def make_ablation(
    *,
    records: Sequence[Path],
    times: Sequence[tuple[str, str, str]],
    settings: TableSettings,
    share: float,
    csv: Path,
    markdown: Path,
) -> None:
    """Write the table; `times` are dataset, model and file of each timed training."""
    timed = {(dataset, model): read_timed(Path(path)) for dataset, model, path in times}
    frame = ablation_frame(read_records(records), settings, timed)
    write_listed(csv, to_csv(frame, decimals=None))
    write_text(markdown, ablation_markdown(frame, settings, share))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=Path, nargs="+", required=True, help="evaluation records, JSON")
    parser.add_argument(
        "--time",
        dest="times",
        nargs=3,
        action="append",
        required=True,
        metavar=("DATASET", "MODEL", "FILE"),
        help="a timed training; repeat",
    )
    parser.add_argument(
        "--settings", type=TableSettings.from_json, required=True, help="JSON: datasets, models"
    )
    parser.add_argument("--share", type=float, required=True, help="of the ceiling, up to which was timed")
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--markdown", type=Path, required=True)
    return parser


if __name__ == "__main__":
    run(make_ablation, command_line())
