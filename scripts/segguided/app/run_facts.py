"""The facts of run.json, from the settings of dataset and model and from the slices of training."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segguided.app.run_folder import FORMAT, RunFacts, SeenChannel, SeenClass
from segguided.app.seen_masks import looks_in, ranges
from segguided.config.base import Settings
from segguided.config.sampling import Sampling
from segguided.data.slices import SliceSet
from segguided.data.whole_patients import without
from segguided.training.storage import WEIGHTS_KEY, read_description

ORIENTATION = "rows run to posterior, columns to the patient's left (LPS), slices to superior"


class NamedClass(Settings):
    """A class of the dataset."""

    name: str
    title: str | None = None  # None: the name
    color: str
    label: int  # in label volumes


class NamedRun(Settings):
    """What the configuration says of dataset and model."""

    dataset: str
    model: str
    title: str
    kind: str
    seed: int
    classes: tuple[NamedClass, ...]
    image_size: int
    intensity: dict[str, Any]
    channels: tuple[SeenChannel, ...] = ()
    interpolation: str
    sampling: Sampling


def run_facts(
    settings: NamedRun,
    weights: Path,
    train: SliceSet,
    lists: Mapping[str, Sequence[str]],
    output: Path,
    completer: Path | None,
) -> RunFacts:
    """All facts. `lists`: the slice files of the other splits; `output`: where run.json will be."""
    description = read_description(weights)
    train = without(train, description.get("left_out", ()))
    patients = {split: tuple(Path(path).stem for path in paths) for split, paths in lists.items()}
    classes = tuple(_seen(train, known, value) for value, known in enumerate(settings.classes, 1))
    return RunFacts(
        format=FORMAT,
        **{name: value for name, value in settings if name != "classes"},
        classes=classes,
        pixel_mm=_pixel_mm(train, settings.image_size),
        orientation=ORIENTATION,
        patients={"train": tuple(stack.patient for stack in train.stacks), **patients},
        training_masks=len(train),
        preparation=train.preparation,
        weights_sha256=str(description[WEIGHTS_KEY]),
        completer=os.path.relpath(completer, output.parent) if completer else None,
    )


def _seen(train: SliceSet, known: NamedClass, value: int) -> SeenClass:
    looks_S3 = looks_in(train, value)
    annotated = sum(len(stack.masks_SHW) for stack in train.stacks if value not in stack.not_annotated)
    areas, rows, columns = ranges(looks_S3) if len(looks_S3) else (None, None, None)
    return SeenClass(
        name=known.name,
        title=known.title or known.name,
        color=known.color,
        value=value,
        label=known.label,
        share_of_masks=len(looks_S3) / annotated if annotated else 0.0,
        patients=sum(bool((stack.masks_SHW == value).any()) for stack in train.stacks),
        area=areas,
        rows=rows,
        columns=columns,
    )


def _pixel_mm(train: SliceSet, image_size: int) -> tuple[float, float] | None:
    """The least and the largest side of a pixel; None where the slices do not know millimetres."""
    sides = []
    for stack in train.stacks:
        spacing = stack.provenance.get("spacing_zyx_mm")
        shape = stack.provenance.get("shape_zyx")
        if spacing and shape:
            sides.append(max(spacing[1] * shape[1], spacing[2] * shape[2]) / image_size)
    return (min(sides), max(sides)) if sides else None
