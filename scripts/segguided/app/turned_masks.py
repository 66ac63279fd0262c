"""Whether masks from elsewhere may be upside down or mirrored: their classes lie where training's would then.

A centre outside the range of training whose mirror image fits it speaks for that, the reverse against it.
Masks are judged together, since one unusual mask says little: all PNG files, and the slices of each volume.
"""

from collections.abc import Iterator, Mapping, Sequence

from segguided.app.mask_inputs import UserMasks, named
from segguided.app.run_folder import RunFacts
from segguided.app.seen_masks import MaskLooks

FAR = 0.1  # of the image's side: so far outside the range of training a centre does not fit it
FARTHER = 2  # times as far as its mirror image

Range = tuple[float, float]  # first and last
Looks = Mapping[int, Mapping[str, MaskLooks]]  # of each class value, of each mask that holds it


def possibly_turned(masks: UserMasks, looks: Looks, facts: RunFacts) -> Iterator[str]:
    """A sentence for each group of masks and each axis along which they seem mirrored."""
    for names in _groups(masks):
        for turned, axis, ranges in (
            ("upside down", "row", {known.value: known.rows for known in facts.classes}),
            ("mirrored left to right", "column", {known.value: known.columns for known in facts.classes}),
        ):
            values = _mirrored(names, looks, axis, {v: seen for v, seen in ranges.items() if seen})
            if values:
                classes = ", ".join(known.name for known in facts.classes if known.value in values)
                yield (
                    f"{named(names)}: possibly {turned}, by where {classes} would lie in training masks that "
                    "are; compare with overview.png of the dataset"
                )


def _groups(masks: UserMasks) -> list[list[str]]:
    """The names of the masks that are judged together."""
    groups: dict[str, list[str]] = {}
    files = [str(place.path) if place.z is not None else "" for place in masks.places]
    for name, file in zip(masks.names, files or [""] * len(masks.names), strict=True):
        groups.setdefault(file, []).append(name)
    return list(groups.values())


def _mirrored(names: Sequence[str], looks: Looks, axis: str, ranges: Mapping[int, Range]) -> set[int]:
    """The classes most of whose centres lie mirrored; none where as many speak against it as for it."""
    mirrored: set[int] = set()
    balance = 0
    for value, seen in ranges.items():
        of_class = looks.get(value, {})
        places = [getattr(of_class[name], axis) for name in names if name in of_class]
        count = sum(_fits_better(1 - place, place, seen) for place in places)
        balance += count - sum(_fits_better(place, 1 - place, seen) for place in places)
        if 2 * count > len(places):
            mirrored.add(value)
    return mirrored if balance > 0 else set()


def _fits_better(place: float, other: float, seen: Range) -> bool:
    """Whether of a place and its mirror image the first fits training's range, and the other far less."""
    return _distance(other, seen) > max(FAR, FARTHER * _distance(place, seen))


def _distance(place: float, seen: Range) -> float:
    """From a place to a range; 0 within it."""
    return max(seen[0] - place, place - seen[1], 0.0)
