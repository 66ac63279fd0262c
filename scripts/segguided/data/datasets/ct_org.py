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
PLACELESS = "states no real position: spacing and positions are unknown, the labels confirm the orientation"


def read_patient(receipt: Path) -> tuple[Volume, Volume]:
    """Image (HU, float32) and CT-ORG's labels (uint8, 0…6) of the patient whose files `receipt` names.

    The labels' provenance says by how many mm the organs' places confirm the orientation (`anatomy`), the
    image's where its header is no proof of it (`header`). Raises ValueError where files changed since the
    receipt, a label is none of CT-ORG's, the anatomy is wrong, or a header without position is not confirmed.
    """
    files = _received(receipt)
    labels = nifti.read_labels(files["labels"])
    _check_range(labels, files["labels"])
    held = anatomy.confirm_orientation(labels, ORGANS, files["labels"])
    image = nifti.read_image(files["volume"])
    if image.provenance["suspicious_header"] or labels.provenance["suspicious_header"]:
        _check_axes(held, files["volume"])
        image = replace(image, provenance={**image.provenance, "header": PLACELESS})
    return image, replace(labels, provenance={**labels.provenance, "anatomy": held})


def _received(receipt: Path) -> dict[str, Path]:
    """The files of a receipt, after a look whether they are still those it was written for."""
    again = f"delete {receipt} and run the same command again"
    try:
        entries = read_sealed(receipt)
        files = {part: (Path(entries[part]["file"]), entries[part]["sha256"]) for part in PARTS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{receipt}: expected a receipt of volume and labels ({error}); {again}") from error
    for path, sha256 in files.values():
        if not path.is_file():
            raise ValueError(f"{path}: expected the file that {receipt} names, but there is none; {again}")
        checksums.check(path, sha256, sha256_of(path), f"in {receipt}")
    return {part: path for part, (path, _) in files.items()}


def _check_range(labels: Volume, path: Path) -> None:
    highest, last = int(labels.array_zyx.max(initial=0)), max(ORGANS.values())
    if highest > last:
        raise ValueError(
            f"{path}: expected CT-ORG's labels 0 to {last}, got {highest}; is this another dataset's?"
        )


def _check_axes(held: Mapping[str, float], path: Path) -> None:
    """A header that proves nothing needs labels that vouch for each axis."""
    lacking = {"x", "y", "z"} - anatomy.axes_confirmed(held)
    if lacking:
        raise ValueError(
            f"{path}: the header states no real position (identity affine, no coordinate code, or one part "
            "contradicts another), and the "
            f"labels show too few organs to confirm the orientation along {', '.join(sorted(lacking))}; "
            "drop the patient"
        )


def describe_labels(path: Path) -> dict[str, str]:
    """Voxels of each organ, the file's axes, and `anatomy`: "confirmed", or what speaks against the case."""
    labels = nifti.read_labels(path)
    counts = {
        label: sum(np.count_nonzero(slice_yx == label) for slice_yx in labels.array_zyx)
        for label in ORGANS.values()
    }
    verdict = "confirmed"
    try:
        _check_range(labels, path)
        held = anatomy.confirm_orientation(labels, ORGANS, path.name)
        if labels.provenance["suspicious_header"]:
            _check_axes(held, path)
    except ValueError as error:
        verdict = str(error)
    voxels = {organ: str(counts[label]) for organ, label in ORGANS.items()}
    return {**voxels, "axes": labels.provenance["stored_axes"], "anatomy": verdict}
