"""One DICOM file: opened with bounded memory, also if it bends the standard; other files are named."""

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
from segguided.data.formats.dicom import attributes
from segguided.data.formats.dicom.attributes import RefusedError

PREFIX = b"DICM"  # after 128 bytes of preamble
# First bytes of a file that lost preamble and prefix: group 2 or 8, in little or big endian.
GROUPS = (b"\x02\x00\x00\x00", b"\x08\x00", b"\x00\x08\x00")
PACKED = {b"\x1f\x8b": "gunzip", b"PK\x03\x04": "unzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz"}
STORAGE = "1.2.840.10008.5.1.4.1.1."
DICOMDIR = "1.2.840.10008.1.3.10"
# Objects of these groups of SOP classes hold no slices, but may be in a series' folder: waveforms,
# presentation states, raw data and segmentations, value maps, surfaces, reports, documents, radiotherapy.
NO_SLICES = tuple(f"{STORAGE}{group}" for group in (9, 11, 66, 67, 68, 88, 104, 131, 481))
SECONDARY_CAPTURE = f"{STORAGE}7"
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
LARGEST_FILE = 1 << 30  # bytes; a slice of 16,384×16,384 takes half
INFLATED = 256 << 20  # bytes that a deflated file may become; a slice of 8,192×8,192 takes half
BESIDE_PIXELS = 64 << 20  # bytes of a file that are not its image


def open_file(path: Path) -> pydicom.Dataset:
    """The data set of one file, also without its preamble; takes no more memory than a slice may.

    Raises ValueError if the file is no DICOM, damaged, or larger than any slice.
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
    except RefusedError:
        raise
    except attributes.UNREADABLE as error:
        raise attributes.damaged(path, error) from error
    return dataset


def _read(path: Path, size: int) -> pydicom.Dataset:
    with path.open("rb") as file:
        start = file.read(132)
    has_preamble = start.endswith(PREFIX) and len(start) == 132
    if not has_preamble:
        _refuse_packed(path, start)
    lost_preamble = not has_preamble and start.startswith(GROUPS)
    # pydicom inflates while it reads, so this must be known first.
    if _is_deflated(path, lost_preamble):
        return _read_deflated(path)
    # Of a large file, large values stay on the disk until the header has been checked against its size.
    deferred_size = "1 MB" if size > BESIDE_PIXELS else None
    dataset = pydicom.dcmread(path, defer_size=deferred_size, force=lost_preamble)
    if lost_preamble and not str(dataset.get("SOPClassUID", "")).startswith("1.2.840.10008."):
        raise ValueError("it has no preamble and names no class of DICOM objects")
    return dataset


def _refuse_packed(path: Path, start: bytes) -> None:
    for magic, tool in PACKED.items():
        if start.startswith(magic):
            raise RefusedError(
                f"{path}: expected an unpacked DICOM file, got a packed one; unpack it with {tool}"
            )


def _is_deflated(path: Path, lost_preamble: bool) -> bool:
    if not lost_preamble:
        return read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    if DeflatedExplicitVRLittleEndian.encode() in path.read_bytes():
        raise RefusedError(
            f"{path}: expected a preamble before deflated DICOM, got none; inflate it with dcmconv +te"
        )
    return False


def _read_deflated(path: Path) -> pydicom.Dataset:
    """The data set of a deflated file, with a limit on its inflated size; pydicom itself sets none."""
    meta = read_file_meta_info(path)
    begin = 128 + len(PREFIX) + 12 + meta.FileMetaInformationGroupLength  # 12: the element of that length
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflater.decompress(path.read_bytes()[begin:], INFLATED)
    if inflater.unconsumed_tail:
        raise RefusedError(
            f"{path}: expected one slice, but the deflated file becomes more than {INFLATED >> 20} MiB; get "
            "it again, or inflate it (dcmconv +te) if its size is right"
        )
    if not inflater.eof:
        raise EOFError("the deflated data ends too early")
    dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    dataset.file_meta = meta
    return dataset


def _complete_syntax(dataset: pydicom.Dataset) -> None:
    """Where the file states no transfer syntax, state the one that pydicom guessed."""
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
    """What the file is instead of a slice; empty if it must be a slice."""
    stated = attributes.text(dataset, "SOPClassUID", path)
    sop_class = UID(stated or attributes.text(dataset.file_meta, "MediaStorageSOPClassUID", path))
    if _holds_no_slice(sop_class):
        return f"{sop_class.name}, no slice"
    if not any(keyword in dataset for keyword in PIXELS):
        return ""  # an image without its pixels, which is refused later
    if sop_class.startswith(SECONDARY_CAPTURE) and not _has_position(dataset, path):
        return "secondary capture without a position, no slice"
    return "localizer, no slice of the volume" if _is_localizer(dataset, path) else ""


def _holds_no_slice(sop_class: UID) -> bool:
    in_group = any(sop_class == group or sop_class.startswith(f"{group}.") for group in NO_SLICES)
    return sop_class == DICOMDIR or in_group


def _has_position(dataset: pydicom.Dataset, path: Path) -> bool:
    return attributes.value(dataset, "ImagePositionPatient", path) is not None


def _is_localizer(dataset: pydicom.Dataset, path: Path) -> bool:
    image_type = attributes.value(dataset, "ImageType", path)
    if image_type is None or isinstance(image_type, str):
        return False
    return "LOCALIZER" in [str(word).upper() for word in image_type]


def complete_slice(dataset: pydicom.Dataset, path: Path) -> None:
    """Copy the attributes of an enhanced file with one frame to where a plain slice has them.

    Raises ValueError for several frames, no pixels, and more pixels than a slice may have.
    """
    frames = attributes.value(dataset, "NumberOfFrames", path)
    if frames is not None and attributes.whole_number(dataset, "NumberOfFrames", path) > 1:
        raise ValueError(
            f"{path}: expected one slice a file, got an enhanced (multi-frame) file of {frames} frames; "
            "convert it to single-frame DICOM first (emf2sf of dcm4che does)"
        )
    try:
        _flatten(dataset, path)
    except attributes.UNREADABLE as error:
        raise attributes.damaged(path, error) from error
    if not any(keyword in dataset for keyword in PIXELS):
        attributes.required(dataset, "PixelData", path)
    rows = attributes.whole_number(dataset, "Rows", path)
    columns = attributes.whole_number(dataset, "Columns", path)
    bits = attributes.whole_number(dataset, "BitsAllocated", path)
    refuse_huge(str(path), rows * columns, -(-bits // 8))
    _check_file_size(path, rows * columns * bits // 8)


def _flatten(dataset: pydicom.Dataset, path: Path) -> None:
    """Copy what functional groups say of the one frame; attributes of the data set itself take precedence."""
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        for frame in attributes.value(dataset, groups, path) or ():
            for group in frame:
                for item in group.value if group.VR == "SQ" else ():
                    dataset.update({e.tag: e for e in item if e.tag not in dataset})


def _check_file_size(path: Path, stated: int) -> None:
    """Raise ValueError if the file is far larger than the image that its header states."""
    size = path.stat().st_size
    if size > 2 * stated + BESIDE_PIXELS:
        raise ValueError(
            f"{path}: expected a file about as large as the {stated:,} bytes of the image that its header "
            f"states, got {size:,} bytes; get it again, or move it away if it is no slice"
        )
