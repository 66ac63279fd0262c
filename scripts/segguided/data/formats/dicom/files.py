"""One DICOM file: opened within bounds, also in forms that are not to the letter, or named as what it is."""

import io
import zlib
from pathlib import Path

import pydicom
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from segguided.data.formats.bounds import refuse_huge
from segguided.data.formats.dicom import header

PREFIX = b"DICM"  # after 128 bytes of preamble
# First bytes of a file that lost preamble and prefix: group 2 or 8, in little or big endian.
GROUPS = (b"\x02\x00\x00\x00", b"\x08\x00", b"\x00\x08\x00")
PACKED = {b"\x1f\x8b": "gunzip", b"PK\x03\x04": "unzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz"}
STORAGE = "1.2.840.10008.5.1.4.1.1."
DICOMDIR = "1.2.840.10008.1.3.10"
# Objects of these groups of SOP classes hold no slices, though they may lie in a series' folder: waveforms,
# presentation states, raw data and segmentations, value maps, surfaces, reports, documents, radiotherapy.
NO_SLICES = tuple(f"{STORAGE}{group}" for group in (9, 11, 66, 67, 68, 88, 104, 131, 481))
SECONDARY_CAPTURE = f"{STORAGE}7"
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
LARGEST_FILE = 1 << 30  # bytes; a slice of 16,384×16,384 takes half
INFLATED = 256 << 20  # bytes that a deflated file may become; a slice of 8,192×8,192 takes half
BESIDE_PIXELS = 64 << 20  # bytes of a file that are not its image


class _Refused(ValueError):
    """A whole file that is refused, in a sentence of its own."""


def open_file(path: Path) -> pydicom.Dataset:
    """The data set of one file, also where its preamble is missing; never more in memory than a slice may be.

    Raises ValueError where it is no DICOM, damaged, or larger than any slice.
    """
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(
            f"{path}: expected one slice a file, got {size / 2**30:.1f} GiB, more than any slice takes; "
            "split a multi-frame file into slices, or get the file again"
        )
    try:
        dataset = _read(path, size)
        _complete_syntax(dataset)
    except _Refused:
        raise
    except header.UNREADABLE as error:
        raise header.damaged(path, error) from error
    return dataset


def _read(path: Path, size: int) -> pydicom.Dataset:
    with path.open("rb") as file:
        start = file.read(132)
    has_preamble = start.endswith(PREFIX) and len(start) == 132
    if not has_preamble:
        _refuse_packed(path, start)
    lost_preamble = not has_preamble and start.startswith(GROUPS)
    # pydicom inflates while it reads, so this has to be known before.
    if _is_deflated(path, lost_preamble):
        return _inflated(path)
    # A large value waits on the disk until the header has been held against it.
    later = "1 MB" if size > BESIDE_PIXELS else None
    dataset = pydicom.dcmread(path, defer_size=later, force=lost_preamble)
    if lost_preamble and not str(dataset.get("SOPClassUID", "")).startswith("1.2.840.10008."):
        raise ValueError("it has no preamble and names no class of DICOM objects")
    return dataset


def _refuse_packed(path: Path, start: bytes) -> None:
    for magic, tool in PACKED.items():
        if start.startswith(magic):
            raise _Refused(f"{path}: expected a DICOM file as it is, got a packed one; unpack it with {tool}")


def _is_deflated(path: Path, lost_preamble: bool) -> bool:
    if not lost_preamble:
        return read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    if DeflatedExplicitVRLittleEndian.encode() in path.read_bytes():
        raise _Refused(
            f"{path}: expected a preamble before deflated DICOM, got none; inflate it with dcmconv +te"
        )
    return False


def _inflated(path: Path) -> pydicom.Dataset:
    """The data set of a deflated file; pydicom itself would inflate it whatever it becomes."""
    meta = read_file_meta_info(path)
    begin = 128 + len(PREFIX) + 12 + meta.FileMetaInformationGroupLength  # 12: the element of that length
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflater.decompress(path.read_bytes()[begin:], INFLATED)
    if inflater.unconsumed_tail:
        raise _Refused(
            f"{path}: expected one slice, but the deflated file becomes more than {INFLATED >> 20} MiB; get "
            "it again, or inflate it (dcmconv +te) if it is what it should be"
        )
    if not inflater.eof:
        raise EOFError("the deflated data ends too early")
    dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    dataset.file_meta = meta
    return dataset


def _complete_syntax(dataset: pydicom.Dataset) -> None:
    """State the transfer syntax that pydicom guessed where the file states none."""
    stated = dataset.file_meta.get("TransferSyntaxUID")
    if stated:
        if not isinstance(stated, UID):
            raise ValueError("TransferSyntaxUID is not one UID")
        return
    implicit, little = dataset.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise ValueError("its pixels are compressed, but TransferSyntaxUID is missing")


def why_no_slice(dataset: pydicom.Dataset, path: Path) -> str:
    """What the file is instead of a slice; empty where it has to be one."""
    stated = header.text(dataset, "SOPClassUID", path)
    sop_class = UID(stated or header.text(dataset.file_meta, "MediaStorageSOPClassUID", path))
    if sop_class == DICOMDIR or any(
        sop_class == group or sop_class.startswith(f"{group}.") for group in NO_SLICES
    ):
        return f"{sop_class.name}, no slice"
    if not any(keyword in dataset for keyword in PIXELS):
        return ""  # of an image, which is incomplete then
    if (
        sop_class.startswith(SECONDARY_CAPTURE)
        and header.value(dataset, "ImagePositionPatient", path) is None
    ):
        return "secondary capture without a position, no slice"
    return "localizer, no slice of the volume" if _is_localizer(dataset, path) else ""


def _is_localizer(dataset: pydicom.Dataset, path: Path) -> bool:
    kind = header.value(dataset, "ImageType", path)
    return (
        kind is not None and not isinstance(kind, str) and "LOCALIZER" in [str(word).upper() for word in kind]
    )


def complete_slice(dataset: pydicom.Dataset, path: Path) -> None:
    """Bring the attributes of an enhanced file with one frame to where a slice has them.

    Raises ValueError for several frames, no pixels, and pixels beyond what a slice may take.
    """
    frames = header.value(dataset, "NumberOfFrames", path)
    if frames is not None and header.whole(dataset, "NumberOfFrames", path) > 1:
        raise ValueError(
            f"{path}: expected one slice a file, got an enhanced (multi-frame) file of {frames} frames; "
            "convert it to single-frame DICOM first (emf2sf of dcm4che does)"
        )
    try:
        _flatten(dataset, path)
    except header.UNREADABLE as error:
        raise header.damaged(path, error) from error
    if not any(keyword in dataset for keyword in PIXELS):
        header.required(dataset, "PixelData", path)
    rows, columns, bits = (header.whole(dataset, key, path) for key in ("Rows", "Columns", "BitsAllocated"))
    refuse_huge(str(path), rows * columns, -(-bits // 8))
    _refuse_other_size(dataset, path, rows * columns * bits // 8)


def _flatten(dataset: pydicom.Dataset, path: Path) -> None:
    """What a functional group says of the one frame; the attribute of the data set itself goes before it."""
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        for frame in header.value(dataset, groups, path) or ():
            for group in frame:
                for item in group.value if group.VR == "SQ" else ():
                    dataset.update({e.tag: e for e in item if e.tag not in dataset})


def _refuse_other_size(dataset: pydicom.Dataset, path: Path, stated: int) -> None:
    """Raise ValueError where the file is far larger than the image that its header states."""
    size = path.stat().st_size
    if size > 2 * stated + BESIDE_PIXELS:
        raise ValueError(
            f"{path}: expected a file about as large as the {stated:,} bytes of the image that its header "
            f"states, got {size:,} bytes; get it again, or move it away if it is no slice"
        )
