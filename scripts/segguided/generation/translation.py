"""Cross-modality translation: masks of one dataset, in the class values of another.

Shape letters: S slices, n slices that both modalities show, H height, W width.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segguided.data.slices import SliceSet

IMAGE = "image"  # the variant that starts from the noised image of the other modality
MATCHED = "matched"  # from the same with the grey values of the target, class by class


def in_target_classes(slices: SliceSet, classes: Sequence[str], target_classes: Sequence[str]) -> SliceSet:
    """The same slices; masks' values change from places in `classes` to places in `target_classes`.

    Raises ValueError where masks hold a class that the target lacks.
    """
    values = [target_classes.index(name) + 1 if name in target_classes else 0 for name in classes]
    return with_mask_values(slices, values, len(target_classes), classes)


def with_mask_values(
    slices: SliceSet, values: Sequence[int], most: int, classes: Sequence[str] | None = None
) -> SliceSet:
    """The same slices; their masks' value k is changed to the k-th of `values`, counted from 1.

    `most`: the number of the model's classes, which is the highest value.

    Raises ValueError where masks hold a class whose new value is 0, or that has none, and for values beyond
    `most`; `classes`: names for the message.
    """
    outside = [value for value in values if not 0 <= value <= most]
    if outside:
        raise ValueError(
            f"expected values from 0 to {most}, the classes of the model, "
            f"got {', '.join(map(str, outside))}; give each class's place among the model's, from 1, or 0"
        )
    highest = max(int(stack.masks_SHW.max(initial=0)) for stack in slices.stacks)
    if highest > len(values):
        raise ValueError(
            f"expected a value for each class of the masks, got {len(values)}, but masks hold {highest}; "
            "give as many values as the slices have classes, or prepare the slices again"
        )
    names = classes or [f"class {k}" for k in range(1, len(values) + 1)]
    without_value = [names[k - 1] for k, value in enumerate(values, 1) if value == 0 and _holds(slices, k)]
    if without_value:
        raise ValueError(
            f"masks hold {', '.join(without_value)}, but the model knows no class of that name; "
            "name classes alike in both datasets, or let the source ignore them"
        )
    new_values = np.array([0, *values], np.uint8)
    return SliceSet(
        [
            replace(
                stack,
                masks_SHW=new_values[stack.masks_SHW],
                not_annotated=tuple(sorted({int(new_values[k]) for k in stack.not_annotated} - {0})),
            )
            for stack in slices.stacks
        ]
    )


def _holds(slices: SliceSet, value: int) -> bool:
    return any(bool((stack.masks_SHW == value).any()) for stack in slices.stacks)


def files_of_same_patients(paths: Sequence[Path], slices: Sequence[Path]) -> list[Path]:
    """The slice files in `paths`, of another dataset, whose patients also have a file in `slices`."""
    patients = {path.stem for path in slices}
    return [path for path in paths if path.stem in patients]


def shared_slices(slices: SliceSet, target: SliceSet) -> tuple[np.ndarray, np.ndarray]:
    """Which of `slices` have the mask id of a slice in `target`, (S,) bool, and its images (n, H, W)."""
    rows = {name: i for i, name in enumerate(target.names)}
    shared_S = np.array([name in rows for name in slices.names])
    images_nHW, _ = target.batch(np.array([rows[name] for name in slices.names if name in rows]))
    return shared_S, images_nHW
