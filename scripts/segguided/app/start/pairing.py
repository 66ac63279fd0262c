"""Finds which mask belongs to which image by their names: folders, prefixes and endings that people use."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from segguided.app.start.folder_files import counted, shown
from segguided.app.start.name_words import NamedFile, named_by_folder, named_file
from segguided.config.limits import MOST_CHANNELS
from segguided.listing import composed, stem_of

CHANNEL = re.compile(r"(?P<rest>.+)_(?P<channel>\d{4})")  # nnU-Net: one file a channel
MANY = 1 << 40  # values of what is no label map
FEWER = 2  # a mask has so many times fewer values than its image, at the least


@dataclass(frozen=True)
class Pair:
    """An image and its mask; `parts` are what their paths have in common: folders, then the name.

    `channels` are all images of the patient by name, where each patient has the same several.
    """

    parts: tuple[str, ...]
    image: Path
    mask: Path
    channels: Mapping[str, Path] = field(default_factory=dict)


@dataclass
class Pairs:
    """The pairs, in the order of their paths, and a sentence for each thing that was left out or chosen."""

    pairs: list[Pair] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def pair(
    files: Sequence[Path], root: Path, endings: Sequence[str], count_labels: Callable[[Path], int | None]
) -> Pairs:
    """Images and masks among `files` below `root`.

    Names decide: folders such as imagesTr and labelsTr, names such as p1_seg and label0001. Where they do not
    say which files are masks, two folders with the same names, or two names in each patient's folder, are
    told apart by `count_labels`: the number of different values in a file that may be a label map, else None.
    """
    named = [named_file(path, root, endings) for path in files]
    by_folder = [named_by_folder(item, root, endings) for item in named]
    by_last = [replace(item, parts=item.parts[-1:]) for item in named]
    for candidates in (named, by_folder, by_last):
        found = _paired(candidates, root)
        if found.pairs or found.remarks:
            return found
    in_folders = ((path.parent, stem_of(composed(path.name), endings), path) for path in files)
    of_name = ((composed(path.name), path.parent, path) for path in files)
    for slots in (in_folders, of_name):
        found = _told_apart(slots, root, count_labels)
        if found.pairs:
            return found
    return Pairs()


def _paired(named: Sequence[NamedFile], root: Path) -> Pairs:
    masks = _by_key(item for item in named if item.is_mask)
    images = _by_key(_channels(item, masks) for item in named if not item.is_mask)
    found = Pairs()
    _note_several_masks(found, images, masks, root)
    shared = [key for key in sorted(images.keys() & masks.keys()) if len(masks[key]) == 1]
    wanted = _wanted_sequence([images[key] for key in shared], found.remarks)
    channels = [_by_sequence(images[key]) for key in shared]
    if len({tuple(of_key) for of_key in channels}) > 1:  # patients differ in what they have
        channels = [{} for _ in shared]
    for key, of_channel in zip(shared, channels, strict=True):
        of_key = [item for item in images[key] if wanted in item.words] or images[key]
        found.pairs.append(Pair(of_key[0].parts, of_key[0].path, masks[key][0].path, of_channel))
    _note_unpaired(found, images, masks, root)
    return found


def _note_several_masks(
    found: Pairs,
    images: dict[tuple[str, ...], list[NamedFile]],
    masks: dict[tuple[str, ...], list[NamedFile]],
    root: Path,
) -> None:
    """A remark where an image has several masks: of its own name, or in a folder of masks beside it."""
    of_image: dict[tuple[str, ...], list[NamedFile]] = defaultdict(list)
    for key, items in masks.items():
        image = key if key in images else key[:-1]
        if image in images:
            of_image[image] += items
    crowded = [items for items in of_image.values() if len(items) > 1]
    if crowded:
        found.remarks.append(
            f"{counted(len(crowded), 'image')} with several masks each left out, such as "
            f"{shown([item.path for item in crowded[0]], root)}: expected one label map for each image, with "
            "a value for each class; merge them"
        )


def _by_key(named: Iterable[NamedFile]) -> dict[tuple[str, ...], list[NamedFile]]:
    groups: dict[tuple[str, ...], list[NamedFile]] = defaultdict(list)
    for item in named:
        groups[item.key].append(item)
    return groups


def _channels(item: NamedFile, masks: dict[tuple[str, ...], list[NamedFile]]) -> NamedFile:
    """An image of nnU-Net under the name of its mask: case_0000 belongs to case."""
    match = CHANNEL.fullmatch(item.parts[-1]) if item.parts else None
    parts = (*item.parts[:-1], match["rest"]) if match else item.parts
    if not match or item.key in masks or tuple(part.lower() for part in parts) not in masks:
        return item
    return NamedFile(item.path, False, parts, (*item.words, f"channel {match['channel']}"))


def _wanted_sequence(images: Sequence[list[NamedFile]], remarks: list[str]) -> str:
    """Where patients have several images: the word in the names of the one that is used."""
    crowded = [items for items in images if len(items) > 1]
    if not crowded:
        return ""
    words = Counter(word for items in crowded for item in items for word in item.words)
    spread = [word for word in words if any(word not in item.words for items in crowded for item in items)]
    if not spread:
        return ""
    wanted = min(spread, key=lambda word: (-words[word], word))
    others = ", ".join(sorted(set(spread) - {wanted}))
    remarks.append(
        f"of several images of a patient ({wanted}, {others}) one is used: {wanted}; "
        "name others in the patient table's column image"
    )
    return wanted


def _by_sequence(images: Sequence[NamedFile]) -> dict[str, Path]:
    """A patient's images by the words that tell them apart, in order; none unless there are two to four."""
    everywhere = set.intersection(*(set(item.words) for item in images))
    names = [
        "_".join(word.replace(" ", "_") for word in item.words if word not in everywhere) for item in images
    ]
    if not 2 <= len(set(names)) == len(images) <= MOST_CHANNELS or not all(names):
        return {}
    return dict(sorted(zip(names, (item.path for item in images), strict=True)))


def _note_unpaired(
    found: Pairs,
    images: dict[tuple[str, ...], list[NamedFile]],
    masks: dict[tuple[str, ...], list[NamedFile]],
    root: Path,
) -> None:
    if not found.pairs:
        return
    lonely = [item.path for key, items in images.items() if key not in masks for item in items]
    if lonely:
        found.remarks.append(
            f"{counted(len(lonely), 'image')} without a mask left out: {shown(sorted(lonely), root)}"
        )
    lonely = [item.path for key, items in masks.items() if key not in images for item in items]
    if lonely:
        found.remarks.append(
            f"{counted(len(lonely), 'mask')} without an image left out: {shown(sorted(lonely), root)}"
        )


def _told_apart(
    slots: Iterable[tuple[object, object, Path]],
    root: Path,
    count_labels: Callable[[Path], int | None],
) -> Pairs:
    """Pairs of the two slots that share the most files, if one of them holds label maps."""
    groups: dict[str, dict[str, Path]] = defaultdict(dict)
    for slot, identity, path in slots:
        groups[str(slot)][str(identity)] = path
    names = sorted(groups)
    couples = (
        [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]] if len(names) <= 50 else []
    )
    shared = {(a, b): sorted(groups[a].keys() & groups[b].keys()) for a, b in couples}
    a, b = max(shared, key=lambda couple: len(shared[couple]), default=("", ""))
    if not shared.get((a, b)):
        return Pairs()
    first = shared[a, b][0]
    a_labels, b_labels = (count_labels(groups[slot][first]) or MANY for slot in (a, b))
    if max(a_labels, b_labels) < FEWER * min(a_labels, b_labels):
        return Pairs()
    a_is_mask = a_labels < b_labels
    image, mask = (b, a) if a_is_mask else (a, b)
    found = Pairs(
        remarks=[f"by their content, {_short(mask, root)} holds the masks of {_short(image, root)}"]
    )
    for identity in shared[a, b]:
        path = groups[image][identity]
        parent = path.relative_to(root).parts[:-1]
        parts = (identity,) if Path(image).is_absolute() else parent
        found.pairs.append(Pair(tuple(parts) or (identity,), path, groups[mask][identity]))
    alone = sorted({*groups[image].values()} - {pair.image for pair in found.pairs})
    if alone:
        found.remarks.append(f"{counted(len(alone), 'image')} without a mask left out: {shown(alone, root)}")
    return found


def _short(slot: str, root: Path) -> str:
    path = Path(slot)
    return str(path.relative_to(root)) if path.is_relative_to(root) else slot
