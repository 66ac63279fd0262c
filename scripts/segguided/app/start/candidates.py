"""The patients that a folder may hold, before any of their files is read."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segguided.app.start.folder_files import counted
from segguided.app.start.pairing import Pair
from segguided.data.formats.volume import Volume
from segguided.data.splits import MOST_BYTES

SPLIT_OF_FOLDER = {"train": "train", "training": "train", "val": "held-out", "valid": "held-out"}
MOST_PAIRS = 1.5  # a folder, on average, where each folder is a patient's
SPLIT_OF_FOLDER |= {"validation": "held-out", "dev": "held-out", "test": "test", "testing": "test"}


@dataclass(frozen=True)
class Candidate:
    """One patient: its name, the split that its folder names, its cells of the table, and how it is read.

    `read` gives image and label map on LPS axes; it raises ValueError or OSError for what cannot be used.
    """

    patient: str
    split: str  # empty: no folder says it
    cells: Mapping[str, str]
    read: Callable[[], tuple[Volume, Volume]]
    links: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)  # PNG: image and mask by link name


@dataclass
class Candidates:
    """The patients of one kind of source, its section of the configuration, and what is to be said of them.

    `classes` are the classes where the source names them itself (DICOM), as keys of the configuration.
    `channels` are those that all patients have, as keys of a source in which each image has several.
    """

    kind: str
    patients: list[Candidate] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)
    classes: list[dict[str, Any]] = field(default_factory=list)
    channels: list[dict[str, str]] = field(default_factory=list)


def safe_name(name: str) -> str:
    """The name as a patient's: letters, digits and _ . + = @ -, a letter, digit or _ first."""
    safe = re.sub(r"[^\w.+=@-]+", "_", name).lstrip(".+=@-")
    while len(safe.encode()) > MOST_BYTES:
        safe = safe[:-1]
    return safe or "patient"


def named_patients(pairs: Sequence[Pair], remarks: list[str]) -> list[tuple[str, str, Pair]]:
    """Name, split and pair of each patient; of a patient that is there twice only the first pair.

    A patient is there twice where one name is in several folders, and where a folder of its own holds several
    pairs while most folders hold one.
    """
    if not pairs:
        return []
    splits, parts = zip(*(_split_and_rest(without_common(pair.parts, pairs)) for pair in pairs), strict=True)
    groups = _same_patients(parts)
    twice = {key: places for key, places in groups.items() if len(places) > 1}
    for key, places in list(twice.items())[:3]:
        others = ", ".join(pairs[place].image.name for place in places[1:])
        remarks.append(
            f"patient {key} is there {len(places)} times; {pairs[places[0]].image} is used, and not "
            f"{others}, because a patient belongs to one split only"
        )
    if len(twice) > 3:
        remarks.append(f"the same for {counted(len(twice) - 3, 'more patient')}: the first pair is used")
    kept = [places[0] for places in groups.values()]
    lasts = Counter(parts[place][-1].lower() for place in kept)
    taken: Counter[str] = Counter()
    found = []
    for place in kept:
        name = safe_name(_name(parts[place], lasts))
        taken[name.lower()] += 1
        if taken[name.lower()] > 1:
            name = f"{name}_{taken[name.lower()]}"
        found.append((name, splits[place], pairs[place]))
    return found


def _split_and_rest(parts: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The split that the first folder names, and the other parts."""
    split = SPLIT_OF_FOLDER.get(parts[0].lower(), "") if len(parts) > 1 else ""
    return split, parts[1:] if split else parts


def without_common(parts: tuple[str, ...], pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The parts of a pair's path without the first folders that all pairs share; at least one part."""
    if not parts:
        return ("patient",)
    if len(pairs) < 2:
        return parts[-1:]
    shared = 0
    least = min(len(pair.parts) for pair in pairs)
    while shared < least - 1 and len({pair.parts[shared] for pair in pairs}) == 1:
        shared += 1
    return parts[shared:]


def _same_patients(parts: Sequence[tuple[str, ...]]) -> dict[str, list[int]]:
    """The places of the pairs of each patient."""
    folders = Counter(path[:-1] for path in parts)
    few_have_more = len(folders) > 2 and len(parts) <= MOST_PAIRS * len(folders)
    if all(len(path) > 1 for path in parts) and few_have_more:
        return _grouped(["/".join(path[:-1]) for path in parts])
    lasts = Counter(path[-1].lower() for path in parts)
    if len(lasts) > len(parts) / 2:
        return _grouped([path[-1].lower() for path in parts])
    return _grouped(["/".join(path).lower() for path in parts])


def _grouped(keys: Sequence[str]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        groups[key].append(place)
    return groups


def _name(parts: Sequence[str], lasts: Mapping[str, int]) -> str:
    """The last part where it tells patients apart, else all, without a folder's name that it repeats."""
    if lasts[parts[-1].lower()] == 1:
        return parts[-1]
    if len(parts) > 1 and parts[-1].lower().startswith(parts[-2].lower()):
        return "_".join([*parts[:-2], parts[-1]])
    return "_".join(parts)
