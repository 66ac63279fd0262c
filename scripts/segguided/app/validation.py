"""Whether masks from elsewhere are like those of training: a sentence for each way in which some are not.

Shape letters: H height, W width.
"""

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from segguided.app.mask_inputs import SHOWN, UserMasks, named
from segguided.app.run_folder import RunFacts, SeenClass
from segguided.app.seen_masks import MaskLooks, looks_of
from segguided.app.turned_masks import possibly_turned
from segguided.shown import some

FAR = 0.1  # of the image's side: so far outside the centres of training is worth a sentence
MANY = 1.5  # times the largest area of training, or one divided by this of the smallest
AREA, PLACE = "{:.2%}", "{:.0%}"  # how they are written
SPACING = 1.25  # times the largest pixel of training, or one divided by this of the smallest


def unlike_training(masks: UserMasks, facts: RunFacts, may_lack: Collection[str] = ()) -> list[str]:
    """A sentence for each class whose area or position in some masks training did not see, which names them.

    Also for masks that may be upside down or mirrored, for pixel sizes, for masks without a class, and for
    each class that no mask has, unless `may_lack` names it.
    """
    looks = {known.value: _looks(masks, known.value) for known in facts.classes}
    sentences = [
        *possibly_turned(masks, looks, facts),
        *_pixel_sizes(masks, facts),
        *_missing(masks, facts, may_lack),
    ]
    if empty := empty_masks(masks):
        sentences.append(f"{named(empty)}: without any class, so nothing guides the image")
    for known in facts.classes:
        sentences += _of_class(looks[known.value], known, facts)
    return sentences


def usable(masks: UserMasks) -> str:
    """A sentence that counts what is used: masks, those without a class, and slices that are left out."""
    count, empty = len(masks.names), empty_masks(masks)
    text = _counted(count, "mask can", "masks can") + " be used"
    if empty:
        which = "but it is" if count == 1 else f"but {_counted(len(empty), 'is', 'are')}"
        text += f", {which} without any class ({some(empty, SHOWN)})"
    slices = sum(volume.array_zyx.shape[0] for volume in masks.volumes.values())
    used = sum(place.z is not None for place in masks.places)
    if slices > used:
        text += f"; {_counted(slices - used, 'slice', 'slices')} of volumes without any class left out"
    return text


def empty_masks(masks: UserMasks) -> list[str]:
    """The names of the masks in which no pixel has a class."""
    return [name for name, mask_HW in zip(masks.names, masks.masks_NHW, strict=True) if not mask_HW.any()]


def _looks(masks: UserMasks, value: int) -> dict[str, MaskLooks]:
    """How a class looks in each mask that holds it, by the mask's name."""
    found = {
        name: looks_of(mask_HW, value) for name, mask_HW in zip(masks.names, masks.masks_NHW, strict=True)
    }
    return {name: looks for name, looks in found.items() if looks is not None}


def _missing(masks: UserMasks, facts: RunFacts, may_lack: Collection[str]) -> Iterator[str]:
    present = set(np.unique(masks.masks_NHW).tolist())
    for known in facts.classes:
        if known.share_of_masks and known.value not in present and known.name not in may_lack:
            yield (
                f"no mask has the class {known.name}, which {known.share_of_masks:.0%} of the masks of "
                f"training held{_of_one_patient(known, facts)}"
            )


def _of_class(looks: Mapping[str, MaskLooks], known: SeenClass, facts: RunFacts) -> Iterator[str]:
    """For each measure a sentence on the masks below training's range, and one on those above."""
    if known.area is None or known.rows is None or known.columns is None:
        if looks:
            yield f"{named([*looks])}: with {known.name}, which no mask of training held"
        return
    low, _, high = known.area
    areas = {name: seen.area for name, seen in looks.items()}
    one = _of_one_patient(known, facts)
    for names, percent in _outside(areas, low / MANY, high * MANY, AREA):
        yield (
            f"{names}: {known.name} covers {percent} of the image, in training {_span(low, high, AREA)}{one}"
        )
    for what, (first, last) in (("row", known.rows), ("column", known.columns)):
        places = {name: getattr(seen, what) for name, seen in looks.items()}
        for names, percent in _outside(places, first - FAR, last + FAR, PLACE):
            yield (
                f"{names}: the centre of {known.name} is at {what} {percent} of the image, in training "
                f"{_span(first, last, PLACE)}{one}"
            )


def _outside(values: Mapping[str, float], low: float, high: float, form: str) -> Iterator[tuple[str, str]]:
    """The masks whose value is below `low`, then those above `high`: their names, and from where to where."""
    below = [name for name, value in values.items() if value < low]
    above = [name for name, value in values.items() if value > high]
    for names in filter(None, (below, above)):
        theirs = [values[name] for name in names]
        yield named(names), _span(min(theirs), max(theirs), form)


def _span(low: float, high: float, form: str) -> str:
    """From `low` to `high`, or one number where both look the same."""
    return " to ".join(dict.fromkeys((form.format(low), form.format(high))))


def _of_one_patient(known: SeenClass, facts: RunFacts) -> str:
    """What follows a range that a single patient gave; a file of an earlier version counts all patients."""
    patients = len(facts.patients["train"]) if known.patients is None else known.patients
    return " (1 patient)" if patients == 1 else ""


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _pixel_sizes(masks: UserMasks, facts: RunFacts) -> Iterator[str]:
    if facts.pixel_mm is None:
        return
    least, largest = facts.pixel_mm
    for path, volume in masks.volumes.items():
        _, height, width = volume.array_zyx.shape
        _, mm_y, mm_x = volume.spacing_zyx_mm
        pixel_mm = max(height * mm_y, width * mm_x) / facts.image_size
        if not least / SPACING <= pixel_mm <= largest * SPACING:
            yield (
                f"{path}: a pixel of the model's image would be {pixel_mm:.2g} mm, in training "
                f"{least:.2g} to {largest:.2g} mm; is the field of view another, or the spacing wrong?"
            )
