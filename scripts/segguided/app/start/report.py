"""What was found, as text: patients, labels, and one sentence for each thing to look at."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from segguided.app.start.candidates import Candidates
from segguided.app.start.class_list import is_ct
from segguided.app.start.folder_files import FolderFiles, counted, shown
from segguided.app.start.reading import Patient
from segguided.shown import some

MOST_ROWS = 12  # patients that are listed one by one
MOST_REMARKS = 12  # sentences of one kind
WIDE = 1.5  # times as large: a spacing that differs so from another patient's is named
IN_PLANE = "slices are resized to one number of pixels, so that a pixel has another size in each patient"
BETWEEN = "a patient with thin slices has more of them, and counts more in training"
NEARLY_ALL = 0.9  # of all voxels: a label that fills so much may be the background


def patients_text(found: Candidates, patients: Sequence[Patient]) -> str:
    """A line for each of the first patients: size, spacing, orientation, labels, grey values."""
    rows: list[tuple[str, ...]] = [("patient", "size x y z", "spacing in mm", "axes", "labels", "values")]
    rows += [_row(patient, found.kind) for patient in patients[:MOST_ROWS]]
    text = _columns(rows)
    more = len(patients) - MOST_ROWS
    return f"{text}\n… and {more} more" if more > 0 else text


def _row(patient: Patient, kind: str) -> tuple[str, ...]:
    size = " ".join(str(n) for n in reversed(patient.shape_zyx))
    spacing = "" if kind == "PNG" else " ".join(f"{mm:.2f}" for mm in reversed(patient.spacing_zyx_mm))
    labels = sorted(patient.labels)
    listed = " ".join(map(str, labels[:8])) + (" …" if len(labels) > 8 else "")
    axes = f"{patient.axes or '-'}{'?' if patient.is_unsure else ''}"
    return (patient.name, size, spacing or "-", axes, listed, f"{patient.low:g} to {patient.high:g}")


def labels_text(classes: Sequence[Mapping[str, object]], patients: Sequence[Patient]) -> str:
    """A line for each class: in how many patients, voxels, and their share of all labelled ones."""
    rows = [("label", "class", "patients", "voxels", "share")]
    total = sum(patient.labels.total() for patient in patients)
    for place, fields in enumerate(classes, 1):
        label = int(str(fields.get("label", place)))
        holders = sum(label in patient.labels for patient in patients)
        voxels = sum(patient.labels[label] for patient in patients)
        share = f"{100 * voxels / total:.1f} %" if total else "-"
        rows.append((str(label), str(fields["name"]), f"{holders} of {len(patients)}", f"{voxels:,}", share))
    return _columns(rows)


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def about_files(files: FolderFiles, kinds: Sequence[Candidates]) -> Iterator[str]:
    """A sentence for each kind of file that is there and not used."""
    if files.packed:
        what = counted(len(files.packed), "packed file")
        yield f"{what} not looked into ({shown(files.packed, files.root)}): unpack, and run this again"
    if files.unread:
        listed = ", ".join(f"{count} {ending}" for ending, count in sorted(files.unread.items()))
        yield f"files that the pipeline does not read: {listed}; convert them to NIfTI (.nii.gz) or 8-bit PNG"
    others = [
        f"{counted(len(other.patients), 'patient')} as {other.kind}" for other in kinds[1:] if other.patients
    ]
    if others:
        yield f"the folder also holds {' and '.join(others)}, not used; name their folder alone for them"


def about_patients(patients: Sequence[Patient], modality: str) -> Iterator[str]:
    """A sentence for each thing in which patients differ, or that is seldom meant."""
    if not patients:
        return
    yield from _about_grids(patients)
    unsure = [patient.name for patient in patients if patient.is_unsure]
    if unsure:
        yield (
            f"the header of {some(unsure, 3)} states no position, or two that differ: look in overview.png "
            "whether left, right, front and back are where they should be"
        )
    ct = [patient.name for patient in patients if is_ct(patient, modality)]
    if ct and len(ct) < len(patients):
        yield (
            f"the values of {some(ct, 3)} look like CT (HU) and those of the others do not: one intensity is "
            "used for all; keep one modality"
        )


def _about_grids(patients: Sequence[Patient]) -> Iterator[str]:
    z_mm, in_plane = zip(*((p.spacing_zyx_mm[0], max(p.spacing_zyx_mm[1:])) for p in patients), strict=True)
    ranges = ((in_plane, "in the slices", IN_PLANE), (z_mm, "between slices", BETWEEN))
    for mm, where, effect in ranges:
        if max(mm) > WIDE * min(mm):
            yield f"the spacing {where} runs from {min(mm):.2f} to {max(mm):.2f} mm: {effect}"
    axes = Counter(patient.axes for patient in patients)
    if len(axes) > 1:
        listed = ", ".join(f"{count} {name or '-'}" for name, count in axes.most_common())
        yield f"the axes are stored in different directions ({listed}); all are turned to LPS when read"
    flat = [
        patient.name
        for patient in patients
        if patient.axes and patient.shape_zyx[0] > max(patient.shape_zyx[1:])
    ]
    if flat and len(flat) == len(patients):
        yield "the volumes have more slices than pixels a side: slices are taken along z, head to foot"


def about_labels(classes: Sequence[Mapping[str, object]], patients: Sequence[Patient]) -> Iterator[str]:
    """Sentences on gaps in the labels, on labels that few patients have, and on one that fills an image."""
    labels = sorted(int(str(fields["label"])) for fields in classes if "label" in fields)
    if labels and labels != list(range(1, len(labels) + 1)):
        listed = ", ".join(map(str, labels[:8])) + (" …" if len(labels) > 8 else "")
        yield f"the labels ({listed}) leave numbers out: that is fine, each class is found by its label"
    for fields in classes:
        label = int(str(fields.get("label", 0)))
        holders = [patient.name for patient in patients if label in patient.labels]
        if label and 0 < len(holders) < min(3, len(patients)):
            yield (
                f"{fields['name']} (label {label}) is in {some(holders, 3)} alone, too few for it to be "
                "learnt and measured; if it is no anatomy, list it under source.ignore instead of classes"
            )
    for patient in patients:
        label, voxels = patient.labels.most_common(1)[0]
        if voxels > NEARLY_ALL * patient.voxels:
            share = 100 * voxels / patient.voxels
            yield f"label {label} fills {share:.0f} % of {patient.name}: is it the background?"


def listed(remarks: Sequence[str]) -> str:
    """The sentences as a list, of each kind (by its first words) at most twelve."""
    counts: Counter[str] = Counter()
    lines = []
    for remark in remarks:
        kind = remark.split(" ")[0]
        counts[kind] += 1
        if counts[kind] <= MOST_REMARKS:
            lines.append(f"- {remark}")
    more = sum(count - MOST_REMARKS for count in counts.values() if count > MOST_REMARKS)
    return "\n".join([*lines, *([f"- … and {more} more of these"] if more else [])])
