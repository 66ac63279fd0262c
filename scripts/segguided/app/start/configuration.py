"""The configuration files: a small one for minutes on a laptop, and one at the paper's scale."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from segguided.app.start.candidates import Candidates
from segguided.app.start.class_list import classes_of, is_ct
from segguided.app.start.class_names import Fields
from segguided.app.start.reading import Patient
from segguided.app.start.small_settings import PAPER, SMALL
from segguided.app.start.splitting import Split
from segguided.config.workflow import Config, load

ROOT = Path(__file__).resolve().parents[4]  # of the repository
DATASET = "mine"
PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")  # text that YAML takes as it is, if it is no other value
OVERVIEW = f"results/mine/data/{DATASET}/overview.png"
SMALL_SIZE = 128
SMALLER_SIZE = 64  # for images that have fewer pixels
PAPER_SIZE = 256
HALF_ONLY = (
    "evaluation: {measuring_half_only: true} # no number is of patients who chose a segmenter's epoch\n"
)
FOLDER_KEYS = ("folder", "images", "masks")  # of a source
LEAST_MEASURED = 4  # test patients, from which on half of them measures and the other half selects


@dataclass(frozen=True)
class Names:
    """The files that are written, and the names and titles of labels."""

    small: Path
    paper: Path
    table: Path
    links: Path  # folder of links to PNG files; it is made only where their own names cannot be read
    classes: Mapping[int, Fields]
    modality: str  # as a dataset.json states it


def near(path: Path) -> Path:
    """The path from the repository, in which Snakemake runs, where it leads into it; else the whole path."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def commands(small: Path) -> tuple[str, str]:
    """What the user enters to look at the masks, and to run everything with the small networks.

    The demo's profile gives each job one thread: networks as small as these are not faster with several.
    """
    file = shlex.quote(str(near(small)))
    run = f"snakemake all runs --configfile {file} --profile workflow/profiles/demo"
    return f"snakemake {OVERVIEW} --configfile {file}", run


def small_text(found: Candidates, patients: Sequence[Patient], split: Split, names: Names) -> str:
    """mine.yaml."""
    largest = max(max(patient.shape_zyx[1:]) for patient in patients)
    size = SMALL_SIZE if largest > SMALLER_SIZE else SMALLER_SIZE
    look, run = commands(names.small)
    tests = list(split.of_patient.values()).count("test")
    return (
        f"# A first run on {len(patients)} patients of {found.kind} files, by scripts/start.py; change what "
        "you like.\n"
        "# It is read after config.yaml. All keys: workflow/docs/configuration.md.\n"
        f"# In {ROOT}:\n"
        "#\n"
        f"#   {look}   # look at your masks\n"
        f"#   {run}   # train, measure, draw\n\n"
        + _pathvars("mine")
        + "grid: {datasets: [mine], models: [spade, segguided-plus], seeds: [0]}\n\n"
        + _dataset(found, patients, split, names, size, split.every)
        + "\n"
        + SMALL.format(paper=names.paper.name)
        + (HALF_ONLY if tests >= LEAST_MEASURED else "")
    )


def paper_text(found: Candidates, patients: Sequence[Patient], split: Split, names: Names) -> str:
    """mine-paper.yaml."""
    run = f"snakemake all --configfile {shlex.quote(str(near(names.paper)))}"
    return (
        f"# The same patients as in {names.small.name} at the paper's scale: {PAPER_SIZE}×{PAPER_SIZE} "
        "pixels, all slices, and networks that need a GPU.\n"
        "# Classes, split and grey values are written here again: what you change there, change here, too.\n"
        "#\n"
        f"#   {run}   # on a cluster: add --profile slurm\n\n"
        + _pathvars("mine-paper")
        + "grid: {datasets: [mine], models: [spade, segguided, segguided-plus], seeds: [0]}\n\n"
        + _dataset(found, patients, split, names, PAPER_SIZE, 1)
        + "\n"
        + PAPER
    )


def _pathvars(name: str) -> str:
    folder = f"results/{name}"
    return f"pathvars: {{results: {folder}, logs: {folder}/logs, benchmarks: {folder}/benchmarks}}\n"


def _dataset(
    found: Candidates, patients: Sequence[Patient], split: Split, names: Names, size: int, every: int
) -> str:
    classes = classes_of(found, patients, names.classes)
    lines = ["datasets:", f"  {DATASET}:", f"    source: {_flow(_source(found, names))}"]
    lines += _source_of_channels(found, names)
    lines += [f"    manifest: {_flow(str(near(names.table)))} # who is in which split: its column split"]
    lines += ["    classes: # change names, titles and colours as you like: nothing is trained again"]
    lines += [f"      - {_flow(fields)}" for fields in classes]
    lines += [f"    {_intensity(found, patients, names.modality)}"]
    lines += [f"    image_size: {size} # pixels a side; images are padded to a square"]
    lines += [f"    {line}" for line in (_slices(patients, every), _partial(classes, patients)) if line]
    lines += ["    # mirror: true # if a mirrored mask could be another patient's: new masks of rare cases"]
    return "\n".join(lines) + "\n"


def _source(found: Candidates, names: Names) -> dict[str, Any]:
    images, masks = names.links / "images", names.links / "masks"
    source = found.source or {"kind": "png", "images": str(images), "masks": str(masks)}
    return source | {key: str(near(Path(source[key]))) for key in FOLDER_KEYS if key in source}


def _source_of_channels(found: Candidates, names: Names) -> list[str]:
    """As a comment, the source that takes all images of a patient as channels, where each has the same."""
    if not found.channels:
        return []
    source = {key: value for key, value in _source(found, names).items() if key != "image"}
    listed = ", ".join(channel["name"] for channel in found.channels)
    return [
        f"    # In place of it, for images of the channels {listed}, which must lie on one grid:",
        f"    # source: {_flow(source | {'channels': found.channels})}",
    ]


def _flow(value: object) -> str:
    """A value as YAML on one line. Text stands in double quotes unless it is a plain word."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    text = str(value)
    is_plain = not isinstance(value, str) or (PLAIN.fullmatch(text) and yaml.safe_load(text) == text)
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _intensity(found: Candidates, patients: Sequence[Patient], modality: str) -> str:
    if found.kind == "PNG":
        return "intensity: {kind: as-is} # grey values as stored, 0 to 255"
    if all(is_ct(patient, modality) for patient in patients):
        return (
            "intensity: {kind: window, low: -1000, high: 600} # these HU become black and white; soft tissue "
            "alone: -160, 240"
        )
    return (
        "intensity: {kind: percentile, low: 0.5, high: 99.5} # of each volume; for CT: {kind: window, "
        "low: -1000, high: 600}"
    )


def _slices(patients: Sequence[Patient], every: int) -> str:
    """Without slices that show no class, and not all of the others where they are many."""
    keys = [f"every: {every}"] if every > 1 else []
    notes = [f"one of {every}, for a fast first run"] if every > 1 else []
    if any(len(patient.numbers) < patient.slices for patient in patients):
        keys.append("min_foreground: 1.0e-9")
        notes.append("of those with a label")
    return f"slices: {{{', '.join(keys)}}} # {' '.join(notes)}" if keys else ""


def _partial(classes: Sequence[Mapping[str, Any]], patients: Sequence[Patient]) -> str:
    """The largest class is kept and the others are left free, where there are several."""
    if len(classes) < 2:
        return ""
    voxels = [
        sum(patient.labels[fields.get("label", place)] for patient in patients)
        for place, fields in enumerate(classes, 1)
    ]
    name = classes[voxels.index(max(voxels))]["name"]
    return (
        f"partial_masks: [[{_flow(name)}]] # figures 3, 4 and 6: this class is kept, the others are left free"
    )


def checked(text: str) -> Config:
    """The configuration as the pipeline reads it: config.yaml with `text` after it.

    Raises ValueError with the pipeline's own sentence where it would refuse it.
    """
    values: dict[str, Any] = {}
    update_config(values, yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8-sig")))
    update_config(values, yaml.safe_load(text))
    return load(values)
