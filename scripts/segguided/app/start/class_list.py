"""What the configuration says of classes and grey values, from what was read."""

from collections.abc import Mapping, Sequence
from typing import Any

from segguided.app.start.candidates import Candidates
from segguided.app.start.class_names import Fields, class_fields
from segguided.app.start.reading import Patient

# Colours that differ on grey images, also for eyes that see red and green alike in the first eight.
COLOURS = (
    *(
        "orange",
        "deepskyblue",
        "seagreen",
        "yellow",
        "blue",
        "orangered",
        "orchid",
        "white",
        "maroon",
        "pink",
    ),
    *("limegreen", "tan", "navy", "turquoise", "gold", "crimson", "plum", "olive", "teal", "salmon"),
)
CT_LOW = -500  # a smaller value is air in Hounsfield units, which no MRI has


def is_ct(patient: Patient, stated: str) -> bool:
    """Whether the grey values are Hounsfield units: by the header, a dataset.json, or the values."""
    modality = patient.modality or stated
    if modality:
        return modality == "CT"
    return patient.low <= CT_LOW


def classes_of(
    found: Candidates, patients: Sequence[Patient], names: Mapping[int, Fields]
) -> list[dict[str, Any]]:
    """The classes as the configuration lists them, by label."""
    if found.classes:  # labels are places in this list
        return [{**fields, "color": COLOURS[k % len(COLOURS)]} for k, fields in enumerate(found.classes)]
    labels = sorted(set().union(*(patient.labels for patient in patients)))
    return [
        {**class_fields(label, names), "color": COLOURS[k % len(COLOURS)], "label": label}
        for k, label in enumerate(labels)
    ]
