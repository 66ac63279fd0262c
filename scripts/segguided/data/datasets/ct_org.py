"""CT-ORG (Rister et al., Scientific Data 2020): reading a case, with checks of labels, header and anatomy."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from segguided.data.datasets import anatomy
from segguided.data.download import checksums
from segguided.data.formats import nifti
from segguided.data.formats.volume import Volume
from segguided.files import sha256_of
from segguided.seals import read_sealed

ORGANS = {"liver": 1, "bladder": 2, "lungs": 3, "kidneys": 4, "bone": 5, "brain": 6}
PARTS = ("volume", "labels")
NO_POSITION = "states no real position: spacing and positions are unknown, the labels confirm the orientation"


def read_patient(receipt: Path) -> tuple[Volume, Volume]:
    """Image (HU, float32) and CT-ORG's labels (uint8, 0…6) of the patient whose files `receipt` names.

    The provenance of the labels says by how many mm the organs confirm the orientation (`anatomy`); that of
    the image says where its header states no position (`header`). Raises ValueError where files changed since
    the receipt, a label is none of CT-ORG's, the anatomy is wrong, or the labels do not confirm a header
    without position.
    """
    files = _files_of(receipt)
    labels = nifti.read_labels(files["labels"])
    _check_range(labels, files["labels"])
    distances_mm = anatomy.confirm_orientation(labels, ORGANS, files["labels"])
    image = nifti.read_image(files["volume"])
    if image.provenance["suspicious_header"] or labels.provenance["suspicious_header"]:
        _check_axes(distances_mm, files["volume"])
        image = replace(image, provenance={**image.provenance, "header": NO_POSITION})
    return image, replace(labels, provenance={**labels.provenance, "anatomy": distances_mm})


def _files_of(receipt: Path) -> dict[str, Path]:
    """The files of a receipt. Raises ValueError where they are not those that it was written for."""
    remedy = f"delete {receipt} and run the same command again"
    try:
        entries = read_sealed(receipt)
        files = {part: Path(entries[part]["file"]) for part in PARTS}
        expected = {part: entries[part]["sha256"] for part in PARTS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{receipt}: expected a receipt of volume and labels ({error}); {remedy}") from error
    for part, path in files.items():
        if not path.is_file():
            raise ValueError(f"{path}: expected the file that {receipt} names, but there is none; {remedy}")
        checksums.check(path, expected[part], sha256_of(path), f"in {receipt}")
    return files


def _check_range(labels: Volume, path: Path) -> None:
    highest = int(labels.array_zyx.max(initial=0))
    last = max(ORGANS.values())
    if highest > last:
        raise ValueError(
            f"{path}: expected CT-ORG's labels 0 to {last}, got {highest}; is this another dataset's?"
        )


def _check_axes(distances_mm: Mapping[str, float], path: Path) -> None:
    """Raise ValueError unless the labels confirm each axis, for a header that states no position."""
    unconfirmed = {"x", "y", "z"} - anatomy.confirmed_axes(distances_mm)
    if unconfirmed:
        raise ValueError(
            f"{path}: the header states no real position (identity affine, no coordinate code, or one part "
            "contradicts another), and the "
            f"labels show too few organs to confirm the orientation along {', '.join(sorted(unconfirmed))}; "
            "drop the patient"
        )


def describe_labels(path: Path) -> dict[str, str]:
    """Voxels of each organ, the file's axes, and `anatomy`: "confirmed", or why the case cannot be used."""
    labels = nifti.read_labels(path)
    counts = {
        label: sum(np.count_nonzero(slice_yx == label) for slice_yx in labels.array_zyx)
        for label in ORGANS.values()
    }
    verdict = "confirmed"
    try:
        _check_range(labels, path)
        distances_mm = anatomy.confirm_orientation(labels, ORGANS, path.name)
        if labels.provenance["suspicious_header"]:
            _check_axes(distances_mm, path)
    except ValueError as error:
        verdict = str(error)
    voxels = {organ: str(counts[label]) for organ, label in ORGANS.items()}
    return {**voxels, "axes": labels.provenance["stored_axes"], "anatomy": verdict}
