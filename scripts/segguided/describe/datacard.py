"""A dataset's card: patients, slices, classes, images, scanners, origin and checksums, as Markdown."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from statistics import median
from typing import Any

from pydantic import Field

from segguided.config.base import Settings
from segguided.config.datasets import About, Preparation
from segguided.data.rarity import rarest
from segguided.data.splits import BLOCK, GAP, SPLITS, PatientRow
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
    """What the configuration says about a dataset."""

    name: str
    titles: Mapping[str, str] = Field(default_factory=dict)  # of the classes that have one beside their names
    about: About
    preparation: Preparation
    split: dict[str, Any] | None  # None: the patient table's column decides
    halves_seed: int


def card_markdown(
    card: Card,
    facts: Sequence[PatientFacts],
    table: Path,
    rows: Sequence[PatientRow],
    comments: Sequence[str],
    commands: Sequence[str],
    digest: str,
) -> str:
    """The whole page. `rows` and `comments` are the patient `table`'s, `digest` is that of all checksums."""
    sections = {
        "": _about(card.about, rows),
        "Patients and slices": [*_splits(facts), _split_rule(card, table, facts), *_flagged(rows)],
        "Classes": _classes(facts, card.titles),
        "Volumes and slices": _ranges(facts),
        "Preparation": _preparation(facts),
        "Scanners": _scanners(facts),
        "Origin": _origin(card, table, comments),
        "Checksums": [CHECKSUMS.format(digest=digest)],
        "Commands": [code_block("\n".join(commands), "sh")],
    }
    parts = [f"# {markdown(card.name)}"]
    for title, paragraphs in sections.items():
        if title and paragraphs:
            parts.append(f"## {title}")
        parts += paragraphs
    return "\n\n".join(parts) + "\n"


def _about(about: About, rows: Sequence[PatientRow]) -> list[str]:
    licences = Counter(row["licence"] for row in rows if row.get("licence"))
    listed = "; ".join(
        f"{name} ({count} of {len(rows)} patients)" for name, count in sorted(licences.items())
    )
    items = {"Licence": about.licence or listed, "Citation": about.citation, "Source": about.url}
    if about.licence and listed:
        items["Licences by patient"] = listed
    return ["\n".join(f"- {key}: {markdown(value or UNKNOWN)}" for key, value in items.items())]


def _splits(facts: Sequence[PatientFacts]) -> list[str]:
    rows = [[split, *_counts(patients)] for split, patients in _by_split(facts).items()]
    return [pipe_table(["split", "patients", "slices"], [*rows, ["all", *_counts(facts)]])]


def _counts(patients: Sequence[PatientFacts]) -> list[str]:
    """How many patients, and how many slices of them."""
    n_slices = sum(patient.slices for patient in patients)
    return [f"{len(patients):,}", f"{n_slices:,}"]


def _by_split(facts: Sequence[PatientFacts]) -> dict[str, list[PatientFacts]]:
    return {split: [patient for patient in facts if patient.split == split] for split in SPLITS}


def _split_rule(card: Card, table: Path, facts: Sequence[PatientFacts]) -> str:
    if card.split is None:
        rule = f"by the column `split` of {code(str(table))}"
    else:
        rule = f"at random, patient by patient, by {code(f'split: {json.dumps(card.split)}')}"
    halved = _halves(len(_by_split(facts)["test"]), card.halves_seed)
    return f"Patients are split {rule}. {halved} Patient by patient: `splits.csv` beside this card."


def _halves(count: int, seed: int) -> str:
    """Which of the test patients select segmenters, and which measure them."""
    if count == 1:
        return (
            f"The only test patient is halved by slices, in blocks of {BLOCK} by their numbers: every other "
            "block, from the first, selects segmenters, those between measure them. Between two blocks, "
            f"{GAP} slices are in neither half."
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


def _classes(facts: Sequence[PatientFacts], titles: Mapping[str, str]) -> list[str]:
    """Labelled pixels of each class, and the share of the slices that show it, by split."""
    by_split = _by_split(facts)
    total = sum(sum(patient.pixels.values()) for patient in facts)
    rows = []
    for value, name in enumerate(facts[0].pixels, 1):
        pixels = sum(patient.pixels[name] for patient in facts)
        n_patients = sum(patient.pixels[name] > 0 for patient in facts)
        row = [str(value), _called(name, titles), f"{pixels:,}", _share(pixels, total), f"{n_patients:,}"]
        rows.append(row + [_share_of_slices(patients, name) for patients in by_split.values()])
    header = ["value", "class", "labelled pixels", "share", "patients", *(f"{s} slices" for s in by_split)]
    return [pipe_table(header, rows), *_not_annotated(facts, titles), *_rarest(by_split["held-out"], titles)]


def _not_annotated(facts: Sequence[PatientFacts], titles: Mapping[str, str]) -> list[str]:
    """Which patients lack the annotation of which classes."""
    lines = [
        f"- {_called(name, titles)}: {markdown(', '.join(lacking))}"
        for name in facts[0].pixels
        if (lacking := [patient.name for patient in facts if name in patient.not_annotated])
    ]
    if not lines:
        return []
    note = "Not annotated, which is neither present nor absent; shares of slices are of the other patients:"
    return [note + "\n\n" + "\n".join(lines)]


def _called(name: str, titles: Mapping[str, str]) -> str:
    """The title of a class, and its name, by which tables and options know it."""
    return f"{markdown(titles[name])} ({code(name)})" if name in titles else markdown(name)


def _rarest(held_out: Sequence[PatientFacts], titles: Mapping[str, str]) -> list[str]:
    """The rare class of the application "rare cases", unless the configuration names another one."""
    held_out = [patient for patient in held_out if not patient.not_annotated]
    if not held_out:
        return []
    pixels = {name: sum(patient.pixels[name] for patient in held_out) for name in held_out[0].pixels}
    name = rarest(pixels)
    if name is None:
        return []
    share = _share(pixels[name], sum(pixels.values()))
    return [f"Rarest in the held-out split: {_called(name, titles)}, {share} of its labelled pixels."]


def _share_of_slices(patients: Sequence[PatientFacts], class_name: str) -> str:
    """The share of the slices that show a class, of the patients that are annotated for it."""
    patients = [patient for patient in patients if class_name not in patient.not_annotated]
    shown = sum(patient.seen[class_name] for patient in patients)
    return _share(shown, sum(patient.slices for patient in patients))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _ranges(facts: Sequence[PatientFacts]) -> list[str]:
    """Least, median and most of what volumes and slices measure."""
    in_mm = [patient for patient in facts if patient.measured]
    values_of: dict[str, list[float]] = {
        "slice spacing, mm": [patient.spacing_zyx_mm[0] for patient in in_mm],
        "row spacing, mm": [patient.spacing_zyx_mm[1] for patient in in_mm],
        "column spacing, mm": [patient.spacing_zyx_mm[2] for patient in in_mm],
        "slices of a volume": [patient.shape_zyx[0] for patient in facts],
        "rows": [patient.shape_zyx[1] for patient in facts],
        "columns": [patient.shape_zyx[2] for patient in facts],
        "slices kept": [patient.slices for patient in facts],
        "pixel of a prepared slice, mm": [patient.pixel_mm for patient in in_mm],
        **_raw_values(facts),
    }
    rows = []
    for name, values in values_of.items():
        if values:
            summary = (min(values), median(values), max(values))
            rows.append([name, *(f"{value:.5g}" for value in summary)])
    notes = [] if len(in_mm) == len(facts) else [UNMEASURED]
    return [pipe_table(["", "least", "median", "most"], rows), *notes]


def _raw_values(facts: Sequence[PatientFacts]) -> dict[str, list[float]]:
    """The raw values of black and white, of each channel."""
    channels = range(len(facts[0].raw_ranges))
    values: dict[str, list[float]] = {}
    for channel in channels:
        of_channel = f", channel {channel + 1}" if len(channels) > 1 else ""
        for end, grey in enumerate((0, 255)):
            name = f"raw value that becomes {grey}{of_channel}"
            values[name] = [patient.raw_ranges[channel][end] for patient in facts]
    return values


def _preparation(facts: Sequence[PatientFacts]) -> list[str]:
    """What the slice files themselves record; two values of a setting show files of two preparations."""
    counts = Counter(item for patient in facts for item in patient.settings.items())
    rows = [[name, code(value), f"{n:,}"] for (name, value), n in sorted(counts.items())]
    return [pipe_table(["setting", "value", "patients"], rows)]


def _scanners(facts: Sequence[PatientFacts]) -> list[str]:
    counts = Counter(patient.scanner for patient in facts)
    rows = [
        [*(markdown(name) or UNKNOWN for name in scanner), f"{n:,}"] for scanner, n in sorted(counts.items())
    ]
    paragraphs = [pipe_table(["modality", "manufacturer", "model", "patients"], rows)]
    unsure = sorted(patient.name for patient in facts if patient.unsure)
    if unsure:
        note = "Headers without a position, or with two that differ, whose orientation anatomy must confirm: "
        paragraphs.append(f"{note}{markdown(', '.join(unsure))}.")
    return paragraphs


def _origin(card: Card, table: Path, comments: Iterable[str]) -> list[str]:
    source = json.dumps(card.preparation.source.model_dump(mode="json"))
    quoted = [f"> {markdown(comment)}" for comment in comments]
    paragraphs = [f"Read from {code(source)}."]
    patients = f"Patients: {code(str(table))}."
    if quoted:
        return [*paragraphs, f"{patients} Its own words:", "\n".join(quoted)]
    return [*paragraphs, patients]


def commands_of(card: Card, page: Path, slices: Path, checksums: Path) -> list[str]:
    """The commands that make the whole dataset, make the slices of one patient, and check all slices."""
    settings = quote(card.preparation.to_json())
    return [
        "# all of it, with the --configfile and --config of this run",
        f"snakemake {quote(str(page))}",
        "# one patient: ROW is its row of the patient table as JSON, FILES where image and masks lie",
        "python scripts/prepare_patient.py --row ROW --raw FILES --output PATIENT.npz"
        f" --preparation {settings}",
        "# is every slice file what it was?",
        f"(cd {quote(str(slices))} && sha256sum --check --quiet) < {quote(str(checksums))}",
    ]
