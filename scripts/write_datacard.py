"""Rule write_datacard: what a dataset holds, how it was made and where it comes from; and its checksums."""

import argparse
import hashlib
from pathlib import Path

from segguided.cli import run
from segguided.data.splits import read_comments, read_manifest
from segguided.describe.datacard import Card, card_markdown, commands_of
from segguided.describe.facts import read_facts, read_splits
from segguided.files import write_text


def write_datacard(
    card: Card, splits: Path, slices: Path, manifest: Path, output: Path, checksums: Path
) -> None:
    """Write the page, and the SHA-256 of each slice file in the folder `slices`, as sha256sum writes them."""
    facts = list(read_facts(read_splits(splits), slices))
    by_name = sorted(facts, key=lambda patient: patient.name)
    sums = "".join(f"{patient.sha256}  {patient.name}.npz\n" for patient in by_name)
    digest = hashlib.sha256(sums.encode()).hexdigest()
    commands = commands_of(card, output, slices, checksums)
    rows = read_manifest(manifest)
    comments = read_comments(manifest)
    write_text(checksums, sums)
    write_text(output, card_markdown(card, facts, manifest, rows, comments, commands, digest))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--card", type=Card.from_json, required=True, help="what the config says, JSON")
    parser.add_argument("--splits", type=Path, required=True, help="splits.csv")
    parser.add_argument("--slices", type=Path, required=True, help="folder of the slice files")
    parser.add_argument("--manifest", type=Path, required=True, help="patient table")
    parser.add_argument("--output", type=Path, required=True, help="Markdown to write")
    parser.add_argument("--checksums", type=Path, required=True, help="checksums to write")
    return parser


if __name__ == "__main__":
    run(write_datacard, command_line())
