"""A dataset's card: patients, slices, classes, images, scanners, origin and checksums, as Markdown."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from shlex import quote
from statistics import median
from typing import Any

from segguided.config.base import Settings
from segguided.config.datasets import About, Preparation
from segguided.data.splits import BLOCK, SPLITS, PatientRow
from segguided.describe.facts import PatientFacts
from segguided.shown import code, code_block, markdown
from segguided.tables.pipes import pipe_table

UNKNOWN = "not stated"
UNMEASURED = (
    "PNG files state neither spacing nor direction: their pixels have no size in millimetres here, and which "
    "side is left, or which end the feet, is not known."
)
CHECKSUMS = (
    "`checksums.sha256` beside this card holds the SHA-256 of each slice file; its own is `{digest}`. The "
    "last of the commands below checks the files. Equal sources and settings give equal files."
)


class Card(Settings):
    """What the configuration says of a dataset."""

    name: str
    about: About
    preparation: Preparation
    split: dict[str, Any] | None  # None: the patient table's column decides
    halves_seed: int


def to_markdown(
    card: Card,
    facts: Sequence[PatientFacts],
    table: Path,
    rows: Sequence[PatientRow],
    comments: Sequence[str],
    commands: Sequence[str],
    digest: str,
) -> str:
    """The whole page. `rows` and `comments` are the patient `table`'s; `digest` is that of all checksums."""
    sections = {
        "": _about(card.about, rows),
        "Patients and slices": [*_splits(facts), _split_rule(card, table, facts), *_flagged(rows)],
        "Classes": _classes(facts),
        "Volumes and slices": _ranges(facts),
        "Preparation": _preparation(facts),
        "Scanners": _scanners(facts),
        "Origin": _origin(card, table, comments),
        "Checksums": [CHECKSUMS.format(digest=digest)],
        "Commands": [code_block("\n".join(commands), "sh")],
    }
    parts = [f"# {markdown(card.name)}"]
    for title, paragraphs in sections.items():
        parts += [f"## {title}"] * bool(title and paragraphs) + list(paragraphs)
    return "\n\n".join(parts) + "\n"


def _about(about: About, rows: Sequence[PatientRow]) -> list[str]:
    licences = Counter(row["licence"] for row in rows if row.get("licence"))
    listed = "; ".join(
        f"{name} ({count} of {len(rows)} patients)" for name, count in sorted(licences.items())
    )
    said = {"Licence": about.licence or listed, "Citation": about.citation, "Source": about.url}
    if about.licence and listed:
        said["Licences by patient"] = listed
    return ["\n".join(f"- {key}: {markdown(value or UNKNOWN)}" for key, value in said.items())]


def _splits(facts: Sequence[PatientFacts]) -> list[str]:
    rows = [
        [split, f"{len(of_split):,}", f"{sum(one.slices for one in of_split):,}"]
        for split, of_split in _by_split(facts).items()
    ]
    total = ["all", f"{len(facts):,}", f"{sum(one.slices for one in facts):,}"]
    return [pipe_table(["split", "patients", "slices"], [*rows, total])]


def _by_split(facts: Sequence[PatientFacts]) -> dict[str, list[PatientFacts]]:
    return {split: [one for one in facts if one.split == split] for split in SPLITS}


def _split_rule(card: Card, table: Path, facts: Sequence[PatientFacts]) -> str:
    drawn = f"at random, patient by patient, by {code(f'split: {json.dumps(card.split)}')}"
    rule = f"by the column `split` of {code(str(table))}" if card.split is None else drawn
    halved = _halves(len(_by_split(facts)["test"]), card.halves_seed)
    return f"Patients are split {rule}. {halved} Patient by patient: `splits.csv` beside this card."


def _halves(count: int, seed: int) -> str:
    """Who of so many test patients selects segmenters, and who measures."""
    if count == 1:
        return (
            f"The only test patient is halved by slices, in blocks of {BLOCK} by their numbers: every other "
            "block, from the first, selects segmenters, those between measure them."
        )
    if count % 2:
        fewer = count // 2
        selecting = f"{fewer} of the {count} test patients select segmenters"
        parts = f"{selecting}, the other {count - fewer} measure them"
    else:
        parts = "Half of the test patients select segmenters, the other half measures them"
    return f"{parts}; the halves are drawn with seed {seed}."


def _flagged(rows: Sequence[PatientRow]) -> list[str]:
    notes = [f"- {markdown(row['patient'])}: {markdown(row['note'])}" for row in rows if row.get("note")]
    return ["Flagged in the patient table:\n\n" + "\n".join(notes)] if notes else []


def _classes(facts: Sequence[PatientFacts]) -> list[str]:
    """Labelled pixels of each class, and in which share of the slices it is seen, by split."""
    by_split = _by_split(facts)
    total = sum(sum(one.pixels.values()) for one in facts)
    rows = []
    for value, name in enumerate(facts[0].pixels, 1):
        pixels = sum(one.pixels[name] for one in facts)
        seen = [
            _share(sum(one.seen[name] for one in of_split), sum(one.slices for one in of_split))
            for of_split in by_split.values()
        ]
        patients = sum(one.pixels[name] > 0 for one in facts)
        rows.append(
            [str(value), markdown(name), f"{pixels:,}", _share(pixels, total), f"{patients:,}", *seen]
        )
    header = ["value", "class", "labelled pixels", "share", "patients", *(f"{s} slices" for s in by_split)]
    return [pipe_table(header, rows)]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _ranges(facts: Sequence[PatientFacts]) -> list[str]:
    in_mm = [one for one in facts if one.measured]
    measured: dict[str, list[float]] = {
        "slice spacing, mm": [one.spacing_zyx_mm[0] for one in in_mm],
        "row spacing, mm": [one.spacing_zyx_mm[1] for one in in_mm],
        "column spacing, mm": [one.spacing_zyx_mm[2] for one in in_mm],
        "slices of a volume": [one.shape_zyx[0] for one in facts],
        "rows": [one.shape_zyx[1] for one in facts],
        "columns": [one.shape_zyx[2] for one in facts],
        "slices kept": [one.slices for one in facts],
        "pixel of a prepared slice, mm": [one.pixel_mm for one in in_mm],
        "raw value that becomes 0": [one.raw_range[0] for one in facts],
        "raw value that becomes 255": [one.raw_range[1] for one in facts],
    }
    rows = [
        [name, *(f"{value:.5g}" for value in (min(values), median(values), max(values)))]
        for name, values in measured.items()
        if values
    ]
    notes = [] if len(in_mm) == len(facts) else [UNMEASURED]
    return [pipe_table(["", "least", "median", "most"], rows), *notes]


def _preparation(facts: Sequence[PatientFacts]) -> list[str]:
    """What the slice files themselves record; two values of one setting show a stale mixture."""
    counts = Counter(item for one in facts for item in one.settings.items())
    rows = [[name, code(value), f"{n:,}"] for (name, value), n in sorted(counts.items())]
    return [pipe_table(["setting", "value", "patients"], rows)]


def _scanners(facts: Sequence[PatientFacts]) -> list[str]:
    counts = Counter(one.scanner for one in facts)
    rows = [
        [*(markdown(name) or UNKNOWN for name in scanner), f"{n:,}"] for scanner, n in sorted(counts.items())
    ]
    unsure = sorted(one.patient for one in facts if one.unsure)
    note = "Headers without a position, or with two that differ, whose orientation anatomy must confirm: "
    header = ["modality", "manufacturer", "model", "patients"]
    return [pipe_table(header, rows), *([f"{note}{markdown(', '.join(unsure))}."] if unsure else [])]


def _origin(card: Card, table: Path, comments: Iterable[str]) -> list[str]:
    source = json.dumps(card.preparation.source.model_dump(mode="json"))
    quoted = [f"> {markdown(comment)}" for comment in comments]
    patients = f"Patients: {code(str(table))}."
    said = [f"{patients} Its own words:", "\n".join(quoted)] if quoted else [patients]
    return [f"Read from {code(source)}.", *said]


def commands_of(card: Card, page: Path, slices: Path, checksums: Path) -> list[str]:
    """The commands that make the whole dataset, and one patient's slices, and that check them."""
    made = f"--row ROW --raw FILES --output PATIENT.npz --preparation {quote(card.preparation.to_json())}"
    return [
        "# all of it, with the --configfile and --config of this run",
        f"snakemake {quote(str(page))}",
        "# one patient: ROW is its row of the patient table as JSON, FILES where image and masks lie",
        f"python scripts/prepare_patient.py {made}",
        "# is every slice file what it was?",
        f"(cd {quote(str(slices))} && sha256sum --check --quiet) < {quote(str(checksums))}",
    ]
