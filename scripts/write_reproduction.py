"""Rule write_reproduction: this run beside the paper, claim by claim, as Markdown and CSV."""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from segguided.cli import run
from segguided.evaluation.csv_files import read_csv, to_csv
from segguided.files import write_text
from segguided.tables.claim_numbers import RunFiles, claim_numbers, to_frame
from segguided.tables.claim_page import claims_page
from segguided.tables.claims import read_claims
from segguided.tables.inputs import TableSettings, read_paper_values, read_records
from segguided.text_tables import read_table


def write_reproduction(
    *,
    claims: Path,
    paper: Path,
    records: Sequence[Path],
    splits: Sequence[tuple[str, str]],
    partial: Sequence[tuple[str, str]],
    similarity: Sequence[tuple[str, str]],
    settings: TableSettings,
    sizes: Mapping[str, int],
    csv: Path,
    markdown: Path,
) -> None:
    """Write the numbers that speak to the paper's claims to `csv`, the page with all claims to `markdown`.

    splits, partial, similarity: a dataset and its file each. sizes: pixels a side, by dataset.
    """
    files = RunFiles(
        records=read_records(records),
        slices={dataset: _count_slices(Path(path)) for dataset, path in splits},
        partial={dataset: read_csv(Path(path)) for dataset, path in partial},
        similarity={dataset: read_csv(Path(path)) for dataset, path in similarity},
    )
    listed = read_claims(claims)
    numbers = claim_numbers(listed, files, settings, read_paper_values(paper))
    seeds = sorted({int(str(record["seed"])) for record in files.records})
    write_text(csv, to_csv(to_frame(numbers), decimals=None))
    write_text(markdown, claims_page(listed, numbers, settings, sizes, seeds, markdown.parent.as_posix()))


def _count_slices(path: Path) -> Counter[str]:
    """How many slices each split has, by a dataset's splits.csv."""
    counts: Counter[str] = Counter()
    for row in read_table(path, ",", needs={"split", "slices"}).rows:
        counts[row["split"]] += int(row["slices"])
    return counts


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=Path, required=True, help="the paper's claims, YAML")
    parser.add_argument("--paper", type=Path, required=True, help="published values, tab-separated")
    parser.add_argument("--records", type=Path, nargs="+", required=True, help="evaluation records, JSON")
    for name, what in (("splits", "splits.csv"), ("partial", "partial masks"), ("similarity", "similarity")):
        parser.add_argument(
            f"--{name}",
            nargs=2,
            action="append",
            default=[],
            metavar=("DATASET", "CSV"),
            help=f"{what} of a dataset; repeat",
        )
    parser.add_argument(
        "--settings", type=TableSettings.from_json, required=True, help="JSON: datasets, models"
    )
    parser.add_argument("--sizes", type=json.loads, required=True, help="JSON: pixels a side, by dataset")
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--markdown", type=Path, required=True)
    return parser


if __name__ == "__main__":
    run(write_reproduction, command_line())
