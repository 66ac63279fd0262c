"""Patients of folders of DICOM files with segmentations as .seg.nrrd: the layout that the pipeline reads.

IMAGES/PATIENT/*.dcm, and MASKS/PATIENT/FILE.seg.nrrd; both may be the same folder.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from segguided.app.start.candidates import Candidate, Candidates
from segguided.app.start.class_names import named
from segguided.app.start.folder_files import FolderFiles, counted, shown
from segguided.config.classes import AnatomyClass
from segguided.config.sources.dicom import DicomSource
from segguided.data.datasets.sources import read_patient
from segguided.data.formats import nrrd_header
from segguided.data.formats.volume import Volume

Segments = dict[str, list[str | None]]  # names of segments by file pattern; None: all that is marked


def dicom_patients(files: FolderFiles) -> Candidates:
    """A patient for each folder of DICOM files that has segmentations."""
    found = Candidates("DICOM")
    images = _most_common_parent(files.dicom)
    folders = {folder.name: folder for folder in files.dicom if folder.parent == images}
    elsewhere = sorted(set(files.dicom) - set(folders.values()))
    if elsewhere:
        found.remarks.append(
            f"{counted(len(elsewhere), 'folder')} of DICOM files left out, not beside the others in "
            f"{images.relative_to(files.root)}/: {shown(elsewhere, files.root)}; expected "
            "IMAGES/PATIENT/*.dcm"
        )
    masks = _mask_root(files.nrrd, folders)
    if masks is None:
        found.remarks.append(
            "the DICOM folders have no masks: expected .seg.nrrd files in a folder named like the patient's, "
            "as 3D Slicer exports segmentations"
        )
        return found
    segments = {name: _segments_of(name, masks, files.nrrd, found.remarks) for name in sorted(folders)}
    found.classes = _classes(segments, found.remarks)
    found.source = {"kind": "dicom", "images": str(images), "masks": str(masks)}
    _add_patients(found, folders, segments)
    return found


def _add_patients(found: Candidates, folders: Mapping[str, Path], segments: Mapping[str, Segments]) -> None:
    if not found.classes:
        return
    source = DicomSource.model_validate(found.source)
    classes = [AnatomyClass.model_validate(fields) for fields in found.classes]
    lonely = [name for name, files in segments.items() if not files]
    if lonely:
        found.remarks.append(
            f"{counted(len(lonely), 'patient')} without masks left out: {', '.join(lonely[:3])}"
        )
    for name, files in segments.items():
        if files:
            raw = (folders[name], Path(source.masks))
            read = partial(_read, source, classes, name, raw)
            found.patients.append(Candidate(name, "", {}, read))


def _read(
    source: DicomSource, classes: Sequence[AnatomyClass], name: str, raw: tuple[Path, Path]
) -> tuple[Volume, Volume]:
    return read_patient(source, classes, {"patient": name}, raw)


def _most_common_parent(dicom: Mapping[Path, Sequence[Path]]) -> Path:
    parents = Counter(folder.parent for folder in sorted(dicom))
    return parents.most_common(1)[0][0]


def _mask_root(nrrd: Sequence[Path], patients: Mapping[str, Path]) -> Path | None:
    """The folder that holds folders of the patients' names with .nrrd files in them."""
    roots: dict[Path, set[str]] = defaultdict(set)
    for path in nrrd:
        for above in path.parents:
            if above.name in patients:
                roots[above.parent].add(above.name)
                break
    return max(sorted(roots), key=lambda root: len(roots[root]), default=None)


def _segments_of(name: str, masks: Path, nrrd: Sequence[Path], remarks: list[str]) -> Segments:
    """The segments of a patient's files, by their names with {patient} in place of the patient's."""
    found: Segments = {}
    for path in nrrd:
        if not path.is_relative_to(masks / name):
            continue
        pattern = path.relative_to(masks / name).as_posix().replace(name, "{patient}")
        try:
            with path.open("rb") as file:
                header = nrrd_header.read_header(file)
        except (ValueError, OSError, EOFError) as error:
            remarks.append(f"{path}: left out, {error}")
            continue
        names = [str(value) for key, value in header.items() if re.fullmatch(r"Segment\d+_Name", key)]
        found[pattern] = [*names] or [None]
    return found


def _classes(segments: Mapping[str, Segments], remarks: list[str]) -> list[dict[str, Any]]:
    """The segments that at least half of the patients with masks have, as classes without colours."""
    counts = Counter(
        (pattern, segment)
        for files in segments.values()
        for pattern, names in files.items()
        for segment in names
    )
    with_masks = sum(bool(files) for files in segments.values())
    frequent = [key for key, count in counts.items() if 2 * count >= with_masks]
    rare = [
        f"{segment or 'all'} of {pattern}"
        for pattern, segment in counts
        if (pattern, segment) not in frequent
    ]
    if rare:
        remarks.append(
            f"no classes, for fewer than half of the patients have them: {counted(len(rare), 'segment')}, "
            f"{', '.join(rare[:3])}"
        )
    fields = named({k: _text(*key) for k, key in enumerate(frequent, 1)})
    return [
        {**fields.get(k, {"name": f"class_{k}"}), "file": pattern} | ({"segment": segment} if segment else {})
        for k, (pattern, segment) in enumerate(frequent, 1)
    ]


def _text(pattern: str, segment: str | None) -> str:
    """What a file calls a class: the segment's name, or its own without the patient's."""
    if segment:
        return segment
    return pattern.replace("{patient}", "").removesuffix(".nrrd").removesuffix(".seg").strip("_-. ")
