"""Patients of a folder of NIfTI volumes and label maps."""

from functools import partial
from pathlib import Path

from segguided.app.start.candidates import Candidate, Candidates, named_patients
from segguided.app.start.folder_files import NIFTI, FolderFiles
from segguided.app.start.pairing import pair
from segguided.data.formats import nifti
from segguided.data.formats.volume import Volume, labels_in
from segguided.listing import composed


def nifti_patients(files: FolderFiles) -> Candidates:
    """A patient for each image that has a label map; the table names both files below the folder.

    And, where each patient has the same several images, all of these, each in a column of its own.
    """
    pairs = pair(files.nifti, files.root, NIFTI, _count_labels)
    source = {
        "kind": "nifti",
        "folder": str(files.root),
        "image": "{image}",
        "mask": "{mask}",
    }
    found = Candidates("NIfTI", [], pairs.remarks, source)
    names = [*pairs.pairs[0].channels] if pairs.pairs else []
    found.channels = [{"name": channel, "image": f"{{image_{channel}}}"} for channel in names]
    if names:
        found.remarks.append(
            f"each patient has the images {', '.join(names)}: a line in mine.yaml takes them as channels of "
            "one image"
        )
    for name, split, files_of in named_patients(pairs.pairs, found.remarks):
        cells = {
            "image": _below(files_of.image, files.root),
            "mask": _below(files_of.mask, files.root),
            **{f"image_{channel}": _below(path, files.root) for channel, path in files_of.channels.items()},
        }
        read = partial(_read, files_of.image, files_of.mask)
        found.patients.append(Candidate(name, split, cells, read))
    return found


def _below(path: Path, root: Path) -> str:
    return composed(path.relative_to(root).as_posix())


def _read(image: Path, mask: Path) -> tuple[Volume, Volume]:
    return nifti.read_image(image), nifti.read_labels(mask)


def _count_labels(path: Path) -> int | None:
    try:
        return len(labels_in(nifti.read_labels(path).array_zyx))
    except (ValueError, OSError):
        return None
