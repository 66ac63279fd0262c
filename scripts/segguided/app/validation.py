"""Whether masks from elsewhere are like those that a model was trained on: a sentence for each that is not.

Shape letters: H height, W width.
"""

from collections.abc import Collection, Iterator

import numpy as np

from segguided.app.mask_inputs import UserMasks
from segguided.app.run_folder import RunFacts, SeenClass
from segguided.app.seen_masks import looks_of

FAR = 0.1  # of the image's side: so far outside the centres of training is worth a sentence
MANY = 1.5  # times the largest area of training, or one divided by this of the smallest
SPACING = 1.25  # times the largest pixel of training, or one divided by this of the smallest


def unlike_training(masks: UserMasks, facts: RunFacts, may_lack: Collection[str] = ()) -> list[str]:
    """A sentence for each class of a mask whose area or position training did not see; pixel sizes, too.

    And one for each class that no mask has, unless `may_lack` names it.
    """
    sentences = [*_pixel_sizes(masks, facts), *_missing(masks, facts, may_lack)]
    for name, mask_HW in zip(masks.names, masks.masks_NHW, strict=True):
        if not mask_HW.any():
            sentences.append(f"{name} is empty: no pixel has a class")
        for known in facts.classes:
            sentences += _of_class(name, mask_HW, known)
    return sentences


def _missing(masks: UserMasks, facts: RunFacts, may_lack: Collection[str]) -> Iterator[str]:
    present = set(np.unique(masks.masks_NHW).tolist())
    for known in facts.classes:
        if known.share_of_masks and known.value not in present and known.name not in may_lack:
            yield (
                f"no mask has the class {known.name}, which {known.share_of_masks:.0%} of the masks of "
                "training held"
            )


def _of_class(name: str, mask_HW: np.ndarray, known: SeenClass) -> Iterator[str]:
    looks = looks_of(mask_HW, known.value)
    if looks is None:
        return
    if known.area is None or known.rows is None or known.columns is None:
        yield f"{name}: holds {known.name}, which no mask of training held"
        return
    low, _, high = known.area
    if not low / MANY <= looks.area <= high * MANY:
        yield (
            f"{name}: {known.name} covers {looks.area:.2%} of the image, in training {low:.2%} to {high:.2%}"
        )
    for what, place, (first, last) in (
        ("row", looks.row, known.rows),
        ("column", looks.column, known.columns),
    ):
        if not first - FAR <= place <= last + FAR:
            yield (
                f"{name}: the centre of {known.name} is at {what} {place:.0%} of the image, in training "
                f"{first:.0%} to {last:.0%}"
            )


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
