"""What kind of file begins with these bytes: for the message that refuses it."""

import stat
from pathlib import Path

GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
LENGTH = 540  # bytes at the beginning that are needed
# Place in the file, the bytes there, and what the file is and what to do with it.
KINDS = (
    (0, GZIP, "a gzip file; unpack it once"),
    (0, BZIP2, "a bzip2 file; unpack it"),
    (0, b"\xfd7zXZ", "an xz file; unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file; unpack it"),
    (0, b"PK\x03\x04", "a zip file; unpack it"),
    (0, b"NRRD", "an NRRD file; convert it, or name it where NRRD is expected"),
    (0, b"\x89PNG", "a PNG picture; name the volume instead"),
    (0, b"\x89HDF", "an HDF5 or MINC file; convert it"),
    (0, b"CDF", "a MINC file; convert it"),
    (0, b"ObjectType", "a MetaImage header; convert it"),
    (0, b"\0\0\0\1\0\0", "an MGH file of FreeSurfer; convert it with mri_convert"),
    (0, b"version https://git-lfs", "a pointer of Git LFS; fetch the file itself with git lfs pull"),
    (0, b"/annex/", "a pointer of git-annex; fetch the file itself with git annex get"),
    (0, b"<", "a web page or XML; download the file itself"),
    (128, b"DICM", "a DICOM file; name its folder as a dicom source, or convert it"),
    (344, b"n+1", "a NIfTI file; convert it, or name it where NIfTI is expected"),
    (344, b"ni1", "the header of a NIfTI pair; convert it, or name it where NIfTI is expected"),
)


def kind_of(start: bytes) -> str:
    """What a file that begins with these bytes is, and what to do with it."""
    for place, magic, kind in KINDS:
        if start[place : place + len(magic)] == magic:
            return kind
    if not start:
        return "empty; get it again"
    return "of an unknown form, or damaged at its beginning; convert it or get it again"


def check_is_file(path: Path, expected: str) -> None:
    """Raise ValueError, naming what was `expected`, unless `path` is an ordinary file."""
    if path.is_file():
        return
    if not path.exists():
        raise ValueError(f"{path}: expected {expected}, but there is none; download it or correct the name")
    mode = path.stat().st_mode
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    kind = kinds.get(stat.S_IFMT(mode), "a device")
    raise ValueError(f"{path}: expected {expected}, but it is {kind}; name a file")
