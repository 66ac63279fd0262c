"""Reads each patient as the pipeline will, and keeps what a first look needs: sizes, labels, grey values."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from segguided.app.start.candidates import Candidate
from segguided.data.formats.volume import Volume, check_same_grid

MOST_CLASSES = 254  # that a mask of the pipeline can hold
LOG = logging.getLogger("segguided")


@dataclass(frozen=True)
class Patient:
    """What one patient's files hold.

    `labels` counts the voxels of each label but 0; `numbers` are of the slices that hold one, as the pipeline
    will number them if it keeps these alone.
    """

    candidate: Candidate
    shape_zyx: tuple[int, ...]
    spacing_zyx_mm: tuple[float, float, float]
    axes: str  # as stored, such as RAS; empty where the format has none
    is_unsure: bool  # whether the header states no position, or two
    modality: str  # of the header; empty where it states none
    labels: Counter[int]
    numbers: tuple[int, ...]
    is_numbered: bool  # whether the files number slices, so that numbers may have gaps
    slices: int  # all of them
    low: float
    high: float
    digest: str  # of the image's voxels

    @property
    def name(self) -> str:
        """The patient's name."""
        return self.candidate.patient

    @property
    def voxels(self) -> int:
        """How many there are in the image."""
        return int(np.prod(self.shape_zyx))


def read_all(candidates: Sequence[Candidate], remarks: list[str]) -> list[Patient]:
    """The patients that the pipeline can use; a sentence for each other one goes to `remarks`."""
    patients: list[Patient] = []
    first_of: dict[str, str] = {}
    for candidate in _with_progress(candidates):
        try:
            patient = _read(candidate)
        except (ValueError, OSError) as error:
            remarks.append(f"patient {candidate.patient} left out: {_without_place(error)}")
            continue
        same = first_of.setdefault(patient.digest, patient.name)
        if same != patient.name:
            remarks.append(
                f"patient {patient.name} left out: its image is that of {same}, and a patient belongs to one "
                "split only"
            )
            continue
        patients.append(patient)
    return patients


def _with_progress(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    level = LOG.level
    LOG.setLevel(logging.WARNING)  # what the readers pass over is said once, by the data card
    try:
        yield from tqdm(candidates, desc="reading", disable=None, unit="patient", leave=False)
    finally:
        LOG.setLevel(level)


def _without_place(error: ValueError | OSError) -> str:
    text = (
        str(error)
        if isinstance(error, ValueError) or not error.strerror
        else (f"{error.filename}: {error.strerror}")
    )
    return " ".join(text.split())


def _read(candidate: Candidate) -> Patient:
    image, mask = candidate.read()
    check_same_grid(image, mask, "image and mask do not fit")
    labels, labelled = _labels(mask)
    if not labels:
        raise ValueError("no voxel of its mask is labelled; fix the mask or drop the patient")
    if len(labels) > MOST_CLASSES:
        raise ValueError(
            f"its mask holds {len(labels):,} different values, more than the {MOST_CLASSES} classes of a "
            "mask; is it an image instead of a label map?"
        )
    low, high, digest = _grey_values(image)
    if low >= high:
        raise ValueError(f"all voxels of its image are {low:g}; drop the patient, or get the file again")
    of_slices = list(image.slice_numbers.values()) if image.slice_numbers is not None else None
    numbers = [of_slices[z] for z in labelled] if of_slices is not None else range(len(labelled))
    return Patient(
        candidate,
        image.array_zyx.shape,
        image.spacing_zyx_mm,
        str(image.provenance.get("stored_axes", "")),
        bool(image.provenance.get("suspicious_header") or mask.provenance.get("suspicious_header")),
        str(image.provenance.get("modality", "")),
        labels,
        tuple(numbers),
        of_slices is not None,
        image.array_zyx.shape[0],
        low,
        high,
        digest,
    )


def _labels(mask: Volume) -> tuple[Counter[int], list[int]]:
    """Voxels of each label, and the z of each slice with one."""
    counts: Counter[int] = Counter()
    labelled = []
    for z, labels_yx in enumerate(mask.array_zyx):
        values, voxels = np.unique(labels_yx, return_counts=True)
        counts.update(dict(zip(values.tolist(), voxels.tolist(), strict=True)))
        if values[-1] > 0:
            labelled.append(z)
    counts.pop(0, None)
    return counts, labelled


def _grey_values(image: Volume) -> tuple[float, float, str]:
    """The smallest and the largest value beside padding, and a digest of all."""
    low, high = np.inf, -np.inf
    digest = hashlib.sha256(repr(image.array_zyx.shape).encode())
    for z in range(image.array_zyx.shape[0]):
        values_yx = np.ascontiguousarray(image.array_zyx[z])
        digest.update(values_yx.tobytes())
        shown = values_yx if image.padding is None else values_yx[values_yx != image.padding]
        if shown.size:
            low = min(low, float(shown.min()))
            high = max(high, float(shown.max()))
    return low, high, digest.hexdigest()
