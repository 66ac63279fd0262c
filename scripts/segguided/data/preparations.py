"""The digest of a preparation. Slices and trained networks hold it, so that preparations can be compared."""

import hashlib
import json
from typing import Any

from segguided.config.classes import AnatomyClass
from segguided.config.datasets import Preparation

DIGITS = 16


def preparation_digest(preparation: Preparation) -> str:
    """A digest of the settings that decide what a pixel means; names, colours and paths do not change it."""
    settings = {
        "classes": [_origin(number, class_) for number, class_ in enumerate(preparation.classes, 1)],
        "ignore": list(getattr(preparation.source, "ignore", ())),
        "intensity": preparation.intensity.model_dump(),
        "image_size": preparation.image_size,
        "interpolation": preparation.interpolation,
        "slices": preparation.slices.model_dump(),
    }
    if preparation.source.image_channels:
        settings["channels"] = [intensity.model_dump() for intensity in preparation.intensities]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:DIGITS]


def _origin(number: int, class_: AnatomyClass) -> dict[str, Any]:
    """Where a class comes from; a class without a label has its number in the list as label."""
    label = number if class_.label is None else class_.label
    return {"label": label, "file": class_.file, "segment": class_.segment}
