"""Patients of folders of DICOM files with masks as .seg.nrrd, DICOM-SEG or RTSTRUCT.

The layout is the one that the pipeline reads: IMAGES/PATIENT/*.dcm, and MASKS/PATIENT/FILE. Both may be the
same folder.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from segguided.app.start.candidates import Candidate, Candidates
from segguided.app.start.class_names import named
from segguided.app.start.folder_files import NRRD, FolderFiles, counted, shown
from segguided.config.classes import AnatomyClass
from segguided.config.sources.dicom import DicomSource
from segguided.data.datasets.sources import read_patient
from segguided.data.formats import nrrd_header
from segguided.data.formats.dicom.mask_files import holds_masks, segment_names
from segguided.data.formats.volume import Volume
from segguided.shown import some

Repeated = dict[tuple[str, ...], list[Path]]  # files by names that are there more than once
Segments = dict[str, list[str | None]]  # names of segments by file pattern; None: all that is marked


def dicom_patients(files: FolderFiles) -> Candidates:
    """A patient for each folder of DICOM files that has segmentations."""
    found = Candidates("DICOM")
    dicom_masks = [path for paths in files.dicom.values() for path in paths if holds_masks(path)]
    series = [folder for folder, paths in files.dicom.items() if not set(paths) <= set(dicom_masks)]
    if not series:
        found.remarks.append(
            f"the DICOM files hold masks alone ({shown(dicom_masks, files.root)}): expected the images that "
            "they belong to as IMAGES/PATIENT/*.dcm"
        )
        return found
    images = _most_common_parent(series)
    folders = {folder.name: folder for folder in series if folder.parent == images}
    elsewhere = sorted(set(series) - set(folders.values()))
    if elsewhere:
        found.remarks.append(
            f"{counted(len(elsewhere), 'folder')} of DICOM files left out, not beside the others in "
            f"{images.relative_to(files.root)}/: {shown(elsewhere, files.root)}; expected "
            "IMAGES/PATIENT/*.dcm"
        )
    mask_files = sorted([*files.nrrd, *dicom_masks])
    masks = _mask_root(mask_files, folders)
    if masks is None:
        found.remarks.append(
            "the DICOM folders have no masks: expected .seg.nrrd, DICOM-SEG or RTSTRUCT files in a folder "
            "named like the patient's; 3D Slicer exports segmentations so"
        )
        return found
    twice: Repeated = defaultdict(list)
    segments = {name: _segments_of(name, masks, mask_files, found.remarks, twice) for name in sorted(folders)}
    found.remarks += [
        f"{some(names)} left out, there more than once in {shown(paths, files.root)}; give each segment or "
        "structure a name of its own"
        for names, paths in twice.items()
    ]
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
            f"{counted(len(lonely), 'patient')} without masks that can be used left out: "
            f"{', '.join(lonely[:3])}"
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


def _most_common_parent(series: Sequence[Path]) -> Path:
    parents = Counter(folder.parent for folder in sorted(series))
    return parents.most_common(1)[0][0]


def _mask_root(mask_files: Sequence[Path], patients: Mapping[str, Path]) -> Path | None:
    """The folder that holds folders of the patients' names with masks in them."""
    roots: dict[Path, set[str]] = defaultdict(set)
    for path in mask_files:
        for above in path.parents:
            if above.name in patients:
                roots[above.parent].add(above.name)
                break
    return max(sorted(roots), key=lambda root: len(roots[root]), default=None)


def _segments_of(
    name: str, masks: Path, mask_files: Sequence[Path], remarks: list[str], twice: Repeated
) -> Segments:
    """The segments of a patient's files, by their names with {patient} in place of the patient's.

    `twice` gains the files with names that are there more than once.
    """
    found: Segments = {}
    for path in mask_files:
        if not path.is_relative_to(masks / name):
            continue
        pattern = path.relative_to(masks / name).as_posix().replace(name, "{patient}")
        is_nrrd = path.name.lower().endswith(NRRD)
        try:
            names, repeated = (_names_in_nrrd(path), []) if is_nrrd else segment_names(path)
        except (ValueError, OSError, EOFError) as error:
            remarks.append(f"{path}: left out, {str(error).removeprefix(f'{path}: ')}")
            continue
        if repeated:
            twice[tuple(repeated)].append(path)
        if names or is_nrrd:  # a plain .nrrd is one mask without a name
            found[pattern] = [*names] or [None]
    return found


def _names_in_nrrd(path: Path) -> list[str]:
    with path.open("rb") as file:
        header = nrrd_header.read_header(file)
    return [str(value) for key, value in header.items() if re.fullmatch(r"Segment\d+_Name", key)]


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
    rare = [key for key in counts if key not in frequent]
    if rare:
        remarks.append(_about_rare(rare, segments, with_masks))
    fields = named({k: _text(*key) for k, key in enumerate(frequent, 1)})
    return [
        {**fields.get(k, {"name": f"class_{k}"}), "file": pattern} | ({"segment": segment} if segment else {})
        for k, (pattern, segment) in enumerate(frequent, 1)
    ]


def _about_rare(
    rare: Sequence[tuple[str, str | None]], segments: Mapping[str, Segments], with_masks: int
) -> str:
    patterns = Counter(pattern for files in segments.values() for pattern in files)
    if 2 * max(patterns.values()) < with_masks:
        return (
            "no classes, for the mask files have other names in each patient, and a class names one file for "
            f"all, in which {{patient}} stands for the patient: rename {some(sorted(patterns), 3)}, for "
            "example to PATIENT_masks.dcm"
        )
    names = [f"{segment or 'all'} of {pattern}" for pattern, segment in rare]
    return (
        f"no classes, for fewer than half of the patients have them: {counted(len(rare), 'segment')}, "
        f"{', '.join(names[:3])}"
    )


def _text(pattern: str, segment: str | None) -> str:
    """What a file calls a class: the segment's name, or its own without the patient's."""
    if segment:
        return segment
    return (
        pattern.replace("{patient}", "")
        .removesuffix(".nrrd")
        .removesuffix(".dcm")
        .removesuffix(".seg")
        .strip("_-. ")
    )
