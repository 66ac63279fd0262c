"""Rule make_table: Table 1, 2 or 3, as CSV and Markdown, from evaluation records alone."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.evaluation.csv_files import to_csv
from segguided.files import write_text
from segguided.seals import write_listed
from segguided.tables.frame import make_frame
from segguided.tables.inputs import TableSettings, read_paper_values, read_records
from segguided.tables.layouts import LAYOUTS
from segguided.tables.markdown import to_markdown
from segguided.tables.pairs import make_comparisons


def make_table(
    *,
    table: int,
    records: Sequence[Path],
    paper: Path,
    settings: TableSettings,
    csv: Path,
    markdown: Path,
    comparisons: Path,
) -> None:
    """Write the table made from the records to `csv` and `markdown`, its pairs of models to `comparisons`."""
    layout = LAYOUTS[table]
    all_records = read_records(records)
    frame = make_frame(layout, all_records, settings, read_paper_values(paper))
    write_listed(csv, to_csv(frame, decimals=None))
    write_text(markdown, to_markdown(layout, settings.with_class_titles(frame)))
    write_text(comparisons, to_csv(make_comparisons(layout, all_records, settings), decimals=None))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=int, choices=sorted(LAYOUTS), required=True)
    parser.add_argument("--records", type=Path, nargs="+", required=True, help="evaluation records, JSON")
    parser.add_argument("--paper", type=Path, required=True, help="published values, tab-separated")
    parser.add_argument(
        "--settings", type=TableSettings.from_json, required=True, help="JSON: datasets, models"
    )
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--comparisons", type=Path, required=True, help="CSV of all pairs of models")
    return parser


if __name__ == "__main__":
    run(make_table, command_line())
