"""What a preparation is, in a digest, by which slices and trained networks tell how they were made."""

import hashlib
import json
from typing import Any

from segguided.config.classes import AnatomyClass
from segguided.config.datasets import Preparation

DIGITS = 16


def digest_of(preparation: Preparation) -> str:
    """A digest of what decides the meaning of a pixel: never of a name, a colour or where files lie."""
    told = {
        "classes": [_told(number, one) for number, one in enumerate(preparation.classes, 1)],
        "ignore": list(getattr(preparation.source, "ignore", ())),
        "intensity": preparation.intensity.model_dump(),
        "image_size": preparation.image_size,
        "interpolation": preparation.interpolation,
        "slices": preparation.slices.model_dump(),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:DIGITS]


def _told(number: int, one: AnatomyClass) -> dict[str, Any]:
    """Where a class comes from; without a label of its own it has its place in the list."""
    label = number if one.label is None else one.label
    return {"label": label, "file": one.file, "segment": one.segment}
