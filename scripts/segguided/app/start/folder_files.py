"""What lies in a folder: volumes, PNG files, DICOM folders, masks of DICOM series, and what nothing reads."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from segguided import listing
from segguided.shown import some

NIFTI = (".nii.gz", ".nii", ".nii.bz2")
PNG = (".png",)
NRRD = (".nrrd",)
PACKED = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".7z", ".rar")
DICOM = (".dcm", ".ima", ".dicom")
# Images that nothing here reads, with how each becomes one that is read.
UNREAD = (
    ".mha",
    ".mhd",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".bmp",
    ".gif",
    ".webp",
    ".npy",
    ".npz",
    ".mgz",
    ".img",
)
TEXTS = (".json", ".txt", ".tsv", ".csv", ".ctbl")
MOST = 500_000  # files; more are another folder than the user meant


@dataclass
class FolderFiles:
    """The files below a folder, by what reads them; paths are absolute and sorted."""

    root: Path
    nifti: list[Path] = field(default_factory=list)
    png: list[Path] = field(default_factory=list)
    dicom: dict[Path, list[Path]] = field(default_factory=dict)  # DICOM files by their folder
    nrrd: list[Path] = field(default_factory=list)
    packed: list[Path] = field(default_factory=list)
    texts: list[Path] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)  # files by their ending

    @property
    def has_images(self) -> bool:
        """Whether anything that the pipeline reads is there."""
        return bool(self.nifti or self.png or self.dicom)


def look(root: Path) -> FolderFiles:
    """The files in `root` and below; nothing is opened but the first bytes of files without an ending.

    Raises ValueError for a missing folder, a file in its place, and a folder of far too many files.
    """
    if not root.exists():
        raise ValueError(
            f"{root}: expected a folder of images and masks, but there is none; correct its name"
        )
    if not root.is_dir():
        raise ValueError(
            f"{root}: expected a folder of images and masks, got a file; name the folder it is in"
        )
    root = root.absolute()
    found = FolderFiles(root)
    seen = 0
    for folder in listing.walk(root, ("",)):
        seen += len(folder.files)
        if seen > MOST:
            raise ValueError(f"{root}: holds more than {MOST:,} files; name the folder of the data set alone")
        for name, path in sorted(folder.files.items()):
            _sort_in(found, name.lower(), path)
    return found


def _sort_in(found: FolderFiles, name: str, path: Path) -> None:
    if name.endswith(PACKED):
        found.packed.append(path)
    elif name.endswith(NIFTI):
        found.nifti.append(path)
    elif name.endswith(PNG):
        found.png.append(path)
    elif name.endswith(NRRD):
        found.nrrd.append(path)
    elif name.endswith(UNREAD):
        found.unread[Path(name).suffix] += 1
    elif name.endswith(TEXTS):
        found.texts.append(path)
    elif name.endswith(DICOM) or (name != "dicomdir" and _begins_as_dicom(path)):
        found.dicom.setdefault(path.parent, []).append(path)


def _begins_as_dicom(path: Path) -> bool:
    """Whether DICOM's mark follows the preamble; unreadable files are none."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def shown(paths: list[Path], root: Path, most: int = 3) -> str:
    """The first of some files, below `root`, and how many more there are."""
    return some([path.relative_to(root) for path in paths], most)


def counted(count: int, word: str) -> str:
    """A number and a noun, which gets an s unless there is one."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
