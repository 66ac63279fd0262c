"""Reads a patient of any source: the source and the patient's row give an image and a mask."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segguided.config.classes import AnatomyClass
from segguided.config.datasets import Source
from segguided.config.sources.ct_org import CtOrgSource
from segguided.config.sources.dicom import DicomSource
from segguided.config.sources.idc import IdcSource
from segguided.config.sources.nifti import NiftiSource
from segguided.config.sources.phantom import PhantomSource
from segguided.config.sources.png import PngSource
from segguided.data.datasets import ct_org
from segguided.data.datasets.duke_masks import OBTAIN, mask_folder
from segguided.data.download import receipts
from segguided.data.formats import nifti, nrrd, png
from segguided.data.formats.dicom import segments as dicom_segments
from segguided.data.formats.dicom import series as dicom
from segguided.data.formats.volume import Volume, labels_in
from segguided.listing import find

SHOWN = 12  # unknown labels that a message lists


def read_patient(
    source: Source,
    classes: Sequence[AnatomyClass],
    row: Mapping[str, str],
    raw: Sequence[Path],
    not_annotated: Collection[int] = (),
) -> tuple[Volume, Volume]:
    """Image and mask (uint8, class k for the k-th class) of one patient, both in the LPS frame.

    `raw` are the patient's files or folders: image and mask file (nifti), DICOM folder and folder of all
    masks (dicom), folders of images and masks (png), receipt (phantom, ct-org, idc) or source package
    (demo-ct). Where each class is a segment of its own, those that are `not_annotated` (values) are not read,
    so what lies below them shows, and their files may be absent.
    Raises ValueError where they are damaged or do not fit together.
    """
    match source:
        case NiftiSource():
            image = nifti.read_image(raw[0])
            labels = nifti.read_labels(raw[1])
            return image, _classes_of(labels, classes, source.ignore, raw[1])
        case PngSource():
            image, labels = png.read_patient(row["patient"], raw[0], raw[1])
            return image, _classes_of(labels, classes, source.ignore, raw[1])
        case CtOrgSource():
            image, labels = ct_org.read_patient(raw[0])
            return image, _classes_of(labels, classes, source.ignore, raw[0])
        case DicomSource() | PhantomSource() | IdcSource():
            images, masks = _dicom_folders(source, row["patient"], raw)
            annotated = {k: c for k, c in enumerate(classes, 1) if k not in not_annotated}
            return _read_dicom(annotated, row["patient"], images, masks)
        case _:
            from segguided.data.datasets import demo_ct  # noqa: PLC0415 - others do not wait for scipy

            return demo_ct.read_patient(raw[0], row)


def read_channels(
    source: Source,
    classes: Sequence[AnatomyClass],
    row: Mapping[str, str],
    raw: Sequence[Path],
    not_annotated: Collection[int] = (),
) -> tuple[list[Volume], Volume]:
    """The same of a source whose images may have several channels: a Volume each, and the mask.

    `raw` are then the files or folders of all channels in their order, and last those of the mask.
    """
    count = len(source.image_channels)
    match source:
        case NiftiSource() if count:
            *files, label_file = raw
            volumes = count if len(files) == 1 else 1  # of each file
            images = [image for file in files for image in nifti.read_images(file, volumes)]
            return images, _classes_of(nifti.read_labels(label_file), classes, source.ignore, label_file)
        case PngSource() if count:
            images, labels = png.read_channels(row["patient"], raw[0], raw[1], count)
            return images, _classes_of(labels, classes, source.ignore, raw[1])
        case DicomSource() | PhantomSource() if count:
            *series, masks = _channel_folders(source, row["patient"], raw)
            annotated = {k: c for k, c in enumerate(classes, 1) if k not in not_annotated}
            first, mask = _read_dicom(annotated, row["patient"], series[0], masks)
            return [first, *(dicom.read_series(folder) for folder in series[1:])], mask
    image, mask = read_patient(source, classes, row, raw, not_annotated)
    return [image], mask


def _channel_folders(source: DicomSource | PhantomSource, patient: str, raw: Sequence[Path]) -> list[Path]:
    """The folder of each channel's series, and last that of the masks."""
    if isinstance(source, DicomSource):
        return [*raw[:-1], mask_folder(raw[-1], patient)]
    from segguided.data.datasets.duke_layout import channel_series  # noqa: PLC0415 - as for demo_ct

    folder = raw[0].parent.parent
    series = channel_series(folder, patient, len(source.channels))
    receipts.check_phantom(raw[0], folder, *series)
    return [*series, mask_folder(folder, patient)]


def _classes_of(
    labels: Volume, classes: Sequence[AnatomyClass], ignored: Sequence[int], path: Path
) -> Volume:
    """A label map with each class's label replaced by its place in the table, from 1."""
    index_of = {c.label if c.label is not None else k: k for k, c in enumerate(classes, 1)}
    index_of |= dict.fromkeys((0, *ignored), 0)
    present = labels_in(labels.array_zyx)
    unknown = sorted(set(present) - index_of.keys())
    if unknown:
        known = (str(label) for label, index in index_of.items() if index)
        raise ValueError(
            f"{path}: labels {_some(unknown)} are outside the class table, whose labels are "
            f"{', '.join(known)}; give them a class with that `label`, or list them "
            "under source.ignore"
        )
    if all(index_of[label] == label for label in present):
        return labels
    # In place where the type allows it, so that a large label map is not in memory twice.
    in_place = labels.array_zyx.dtype == np.uint8 and labels.array_zyx.flags.writeable
    mask_zyx = labels.array_zyx if in_place else np.empty(labels.array_zyx.shape, np.uint8)
    indices = np.array([index_of[label] for label in present], np.uint8)
    for mask_yx, labels_yx in zip(mask_zyx, labels.array_zyx, strict=True):
        mask_yx[...] = indices[np.searchsorted(np.array(present, labels_yx.dtype), labels_yx)]
    return replace(labels, array_zyx=mask_zyx)


def _some(labels: Sequence[int]) -> str:
    """The labels, or the first of many: an image in place of a label map has thousands."""
    shown = ", ".join(map(str, labels[:SHOWN]))
    return f"[{shown}]" if len(labels) <= SHOWN else f"[{shown} and {len(labels) - SHOWN} more]"


def _dicom_folders(
    source: DicomSource | PhantomSource | IdcSource, patient: str, raw: Sequence[Path]
) -> tuple[Path, Path]:
    """The folders of the patient's series and masks, after they are compared to their receipt."""
    if isinstance(source, DicomSource):
        return raw[0], mask_folder(raw[1], patient)
    folder = raw[0].parent.parent  # of the receipt's dataset
    images = folder / "images" / patient
    if isinstance(source, PhantomSource):
        receipts.check_phantom(raw[0], folder, images)
        return images, mask_folder(folder, patient)
    masks = mask_folder(Path(source.masks), patient, OBTAIN)
    receipts.check_files(raw[0], "images", images)
    receipts.check_files(raw[0], "masks", masks)
    return images, masks


def _read_dicom(
    classes: Mapping[int, AnatomyClass], patient: str, images: Path, masks: Path
) -> tuple[Volume, Volume]:
    image = dicom.read_series(images)
    mask_zyx = np.zeros(image.array_zyx.shape, np.uint8)
    # In the order of classes: where two classes hold a voxel, the later one counts. A file that holds several
    # classes in a row is read once.
    for file, numbered in itertools.groupby(classes.items(), key=_file_of):
        _fill(mask_zyx, dict(numbered), find(masks / file.format(patient=patient)), image)
    return image, Volume(mask_zyx, image.affine, {"format": "seg.nrrd", "folder": masks.name})


def _file_of(numbered: tuple[int, AnatomyClass]) -> str:
    return str(numbered[1].file)


def _fill(mask_zyx: np.ndarray, classes: Mapping[int, AnatomyClass], path: Path, image: Volume) -> None:
    """Write each class's number where its segment of the file is."""
    read_segments = dicom_segments.read_segments if dicom_segments.is_dicom(path) else nrrd.read_segments
    segments = read_segments(path, [class_.segment for class_ in classes.values()], image)
    for number, segment in zip(classes, segments, strict=True):
        for z, mask_yx in enumerate(mask_zyx):
            mask_yx[segment.plane(z)] = number
