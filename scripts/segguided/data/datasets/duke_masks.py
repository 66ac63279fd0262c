"""The 3-D masks of the Duke breast MRI (Lew et al., Scientific Reports 2024), downloaded by hand."""

from collections.abc import Sequence
from pathlib import Path

from segguided.data.download.checksums import check_or_record
from segguided.data.formats import nrrd_file
from segguided.listing import find, list_folder

MASK_FOLDER = "Segmentation_Masks_NRRD"  # at some depth below the folder that the user names
DEEPEST = 6  # levels below that folder to search
OLD_MASKS = "supplement-v2"  # in the name of the data's older 2-D masks
OBTAIN = (
    'download the package "3D Breast and FGT MRI Segmentation Supplemental Data" (Supplement-v3, 0.4 GB, by '
    "Aspera, once and by hand) from https://www.cancerimagingarchive.net/collection/duke-breast-cancer-mri/ "
    "and put it there, or correct source.masks"
)


def mask_folder(masks: Path, patient: str, remedy: str = "correct source.masks") -> Path:
    """The folder of a patient's masks, in `masks` itself or in a Segmentation_Masks_NRRD below it.

    The search goes level by level, so that it lists no patient's own folder. Raises ValueError where there is
    none, and for the older 2-D masks, which do not fit.
    """
    if not masks.is_dir():
        raise ValueError(f"{masks}: expected the folder of the masks, but there is none; {remedy}")
    older = [masks] if OLD_MASKS in str(masks.absolute()).lower() else []
    level = [] if older else [masks]
    for _ in range(DEEPEST):
        for folder in level:
            if (folder.name == MASK_FOLDER or folder is masks) and find(folder / patient).is_dir():
                return find(folder / patient)
        below = [path for folder in level if folder.name != MASK_FOLDER for path in _folders(folder)]
        older += [path for path in below if OLD_MASKS in path.name.lower()]
        level = [path for path in below if OLD_MASKS not in path.name.lower()]
    if older:
        raise ValueError(
            f"{older[0]} holds the older 2-D masks (Supplement-v2); name the folder of Supplement-v3, "
            "whose masks are 3-D, as source.masks"
        )
    raise ValueError(
        f"{masks}: no folder of masks for patient {patient}, neither there nor in a {MASK_FOLDER} up to "
        f"{DEEPEST - 1} levels below; {remedy}, or drop the patient"
    )


def checked_masks(masks: Path, patient: str, names: Sequence[str], record: Path) -> list[Path]:
    """The patient's mask files of these names, checked by the checksums in `record`.

    Checksums of new files are recorded there. Raises ValueError for files that are absent, damaged or
    changed; its message says where to get the masks.
    """
    folder = mask_folder(masks, patient, OBTAIN)
    files = [find(folder / name) for name in names]
    for path in files:
        if not path.is_file():
            raise ValueError(f"{path}: expected a mask of patient {patient}, but there is none; {OBTAIN}")
        check_or_record(path, path.name, "", record, _check_whole)
    return files


def _check_whole(path: Path) -> None:
    nrrd_file.read(path)


def _folders(folder: Path) -> list[Path]:
    return sorted(list_folder(folder).folders.values())
