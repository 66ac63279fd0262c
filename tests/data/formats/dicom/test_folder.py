"""What is in a DICOM folder is read, left out for a reason that the log states, or refused by its name."""

import gzip
import logging
import os
import shutil
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from segguided.data.formats.dicom.series import read_series
from segguided.listing import SYSTEM_FILES
from support import volume_files as vf
from support.refusals import series_refusal

CLASSES = {
    "seg": "1.2.840.10008.5.1.4.1.1.66.4",
    "surface": "1.2.840.10008.5.1.4.1.1.66.5",
    "rtstruct": "1.2.840.10008.5.1.4.1.1.481.3",
    "rtdose": "1.2.840.10008.5.1.4.1.1.481.2",
    "report": "1.2.840.10008.5.1.4.1.1.88.67",
    "key objects": "1.2.840.10008.5.1.4.1.1.88.59",
    "presentation": "1.2.840.10008.5.1.4.1.1.11.1",
    "registration": "1.2.840.10008.5.1.4.1.1.66.1",
    "pdf": "1.2.840.10008.5.1.4.1.1.104.1",
    "raw": "1.2.840.10008.5.1.4.1.1.66",
}
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def assert_read_as_truth(folder: Path) -> None:
    volume = read_series(folder)
    np.testing.assert_array_equal(volume.array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)
    assert volume.provenance["instances"] == 9


def write_object(path: Path, sop_class: str, **attributes: Any) -> Path:
    """A DICOM object that is no slice."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.SeriesInstanceUID = generate_uid()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def screenshot(path: Path, **attributes: Any) -> Path:
    """A dose report as a picture in colours."""
    colours = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    grid = {
        "Rows": 4,
        "Columns": 4,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
    }
    return write_object(path, SECONDARY_CAPTURE, **colours, **grid, PixelData=bytes(48), **attributes)


# Beside the slices


@pytest.mark.parametrize("kind", CLASSES)
def test_objects_that_are_no_slices_are_left_out_by_name(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    vf.write_dicom(tmp_path, vf.truth())
    write_object(tmp_path / "0.dcm", CLASSES[kind], NumberOfFrames=12)
    with caplog.at_level(logging.INFO, "segguided"):
        assert_read_as_truth(tmp_path)
    assert f"left out 1 (0.dcm): {UID(CLASSES[kind]).name}, no slice" in caplog.text


def test_screenshots_and_localizers_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = vf.write_dicom(tmp_path, vf.truth())
    screenshot(tmp_path / "0.dcm")
    screenshot(tmp_path / "1.dcm")
    scout = pydicom.dcmread(paths[0])
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    scout.save_as(tmp_path / "scout.dcm")
    with caplog.at_level(logging.INFO, "segguided"):
        assert_read_as_truth(tmp_path)
    assert "left out 2 (0.dcm): secondary capture without a position" in caplog.text
    assert "left out 1 (scout.dcm): localizer" in caplog.text


def test_a_folder_of_other_objects_only_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    for n in range(3):
        write_object(tmp_path / f"{n}.dcm", CLASSES["rtstruct"])
    write_object(tmp_path / "seg.dcm", CLASSES["seg"])
    message = series_refusal(tmp_path)
    assert "3 × RT Structure Set Storage" in message and "1 × Segmentation Storage" in message


def test_names_that_are_no_slices(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    vf.write_dicom(tmp_path, vf.truth())
    for name in ("._1.dcm", "._2.dcm", ".1.dcm.part", "Thumbs.db", "DICOMDIR", "NOTES.TXT", "p1.NII.GZ"):
        (tmp_path / name).write_bytes(b"no image")
    (tmp_path / "reports").mkdir()
    with caplog.at_level(logging.INFO, "segguided"):
        assert_read_as_truth(tmp_path)
    for line in (
        "left out 2 (._1.dcm): resource fork",
        "left out 1 (.1.dcm.part): hidden",
        "left out 2 (DICOMDIR): companion by its name",
        "left out 1 (NOTES.TXT): companion by its ending .txt",
        "left out 1 (reports): folder below",
    ):
        assert line in caplog.text


@pytest.mark.parametrize("name", sorted(SYSTEM_FILES))
def test_what_systems_write_into_folders_is_no_slice(tmp_path: Path, name: str) -> None:
    vf.write_dicom(tmp_path, vf.truth())
    (tmp_path / name).write_bytes(b"no image")
    assert_read_as_truth(tmp_path)


@pytest.mark.parametrize("ending", [".DCM", ".ima", "", ".0001", ".json", ".LOG", ".zip"])
def test_a_slice_is_found_under_any_ending(tmp_path: Path, ending: str) -> None:
    for path in vf.write_dicom(tmp_path, vf.truth())[-2:]:  # the last two: without them there is no gap
        path.rename(path.with_suffix(ending))
    assert_read_as_truth(tmp_path)


def test_what_cannot_be_a_file_is_refused_by_name(tmp_path: Path) -> None:
    last = vf.write_dicom(tmp_path, vf.truth())[-1]
    last.unlink()
    last.symlink_to(tmp_path / "nowhere")
    assert "a link to nothing" in series_refusal(tmp_path) and last.name in series_refusal(tmp_path)
    last.unlink()
    os.mkfifo(last)
    assert "no regular file" in series_refusal(tmp_path)
    last.unlink()
    last.symlink_to("/dev/zero")
    assert "no regular file" in series_refusal(tmp_path)


@pytest.mark.parametrize("name", ["1.dcm.gz", "1.gz", "1.dcm"])
def test_a_packed_slice_is_refused_by_name(tmp_path: Path, name: str) -> None:
    last = vf.write_dicom(tmp_path, vf.truth())[-1]
    (tmp_path / name).write_bytes(gzip.compress(last.read_bytes()))
    last.unlink()
    message = series_refusal(tmp_path)
    assert name in message and "gunzip" in message


@pytest.mark.parametrize("depth", ["more", "more/deeper"])
def test_slices_in_a_folder_below_are_not_lost(tmp_path: Path, depth: str) -> None:
    below = tmp_path / depth
    below.mkdir(parents=True)
    for path in vf.write_dicom(tmp_path, vf.truth())[-3:]:
        shutil.move(path, below / path.name)
    write_object(below / "0.dcm", CLASSES["seg"])
    message = series_refusal(tmp_path)
    assert str(tmp_path / "more") in message and "same series" in message


def test_another_series_in_a_folder_below_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vf.write_dicom(tmp_path, vf.truth())
    vf.write_dicom(tmp_path / "other", vf.truth())
    with caplog.at_level(logging.INFO, "segguided"):
        assert_read_as_truth(tmp_path)
    assert "left out 1 (other): folder below" in caplog.text


def test_a_copy_of_a_slice_is_named_as_such(tmp_path: Path) -> None:
    path = vf.write_dicom(tmp_path, vf.truth())[3]
    shutil.copy(path, tmp_path / "copy of it.dcm")
    message = series_refusal(tmp_path)
    assert path.name in message and "copy of it.dcm" in message and "one SOPInstanceUID" in message


# Files that bend the standard


def shortened(path: Path, start: int) -> None:
    path.write_bytes(path.read_bytes()[start:])


def test_a_missing_preamble(tmp_path: Path) -> None:
    for path in vf.write_dicom(tmp_path / "a", vf.truth()):
        shortened(path, 132)
    assert_read_as_truth(tmp_path / "a")
    for path in vf.write_dicom(tmp_path / "b", vf.truth(), syntax=ExplicitVRLittleEndian):
        shortened(path, 144 + int.from_bytes(path.read_bytes()[140:144], "little"))
    assert_read_as_truth(tmp_path / "b")


@pytest.mark.parametrize(
    "content", [b"", b"\x08\x00", b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100" * 40, b"II*\0" * 99]
)
def test_what_only_begins_like_dicom_is_refused(tmp_path: Path, content: bytes) -> None:
    vf.write_dicom(tmp_path, vf.truth())[2].write_bytes(content)
    assert "truncated, damaged or no DICOM" in series_refusal(tmp_path)


GROUPS = {
    "PixelMeasuresSequence": ("PixelSpacing",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
}


def enhanced(shared: tuple[str, ...], frames: int = 1) -> Callable[[int, Dataset], None]:
    """Move a slice's attributes into functional groups, as enhanced files have them; some are shared."""

    def change(k: int, dataset: Dataset) -> None:
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.4.1")
        dataset.NumberOfFrames = frames
        frame = Dataset()
        common = Dataset()
        for group, keywords in GROUPS.items():
            item = Dataset()
            for keyword in keywords:
                setattr(item, keyword, dataset[keyword].value)
                del dataset[keyword]
            setattr(common if group in shared else frame, group, Sequence([item]))
        dataset.SharedFunctionalGroupsSequence = Sequence([common])
        dataset.PerFrameFunctionalGroupsSequence = Sequence([frame])

    return change


@pytest.mark.parametrize(
    "shared", [(), tuple(GROUPS)[:2], tuple(GROUPS)[3:]], ids=["frame", "plane", "values"]
)
def test_enhanced_files_of_one_frame_read(tmp_path: Path, shared: tuple[str, ...]) -> None:
    vf.write_dicom(tmp_path, vf.truth(), signed=False, intercept=-1024, change=enhanced(shared))
    assert_read_as_truth(tmp_path)


def test_enhanced_files_of_several_frames_are_named(tmp_path: Path) -> None:
    vf.write_dicom(tmp_path, vf.truth(), change=enhanced((), frames=3))
    message = series_refusal(tmp_path)
    assert "of 3 frames" in message and "emf2sf" in message


@pytest.mark.parametrize("which", [0, 4, 8])
def test_a_slice_without_pixels_is_named(tmp_path: Path, which: int) -> None:
    paths = vf.write_dicom(
        tmp_path, vf.truth(), change=lambda k, d: delattr(d, "PixelData") if k == which else None
    )
    message = series_refusal(tmp_path)
    assert "PixelData is missing" in message and paths[which].name in message


# Compressed pixels


def compressed(syntax: UID, code: bytes, **attributes: Any) -> Callable[[int, Dataset], None]:
    def change(k: int, dataset: Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = encapsulate([code])
        dataset["PixelData"].is_undefined_length = True
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)

    return change


def jpeg_header(marker: int, precision: int, rows: int = 8, columns: int = 7) -> bytes:
    """The start of a JPEG: image, an empty comment, frame header."""
    frame = bytes([precision]) + rows.to_bytes(2, "big") + columns.to_bytes(2, "big") + b"\x01\x01\x11\x00"
    return (
        b"\xff\xd8\xff\xfe\x00\x02\xff"
        + bytes([marker])
        + (len(frame) + 2).to_bytes(2, "big")
        + frame
        + bytes(40)
    )


@pytest.mark.parametrize(
    ("syntax", "code", "words"),
    [
        (JPEGExtended12Bit, jpeg_header(0xC1, 12), ("12-bit JPEG", "dcmdjpeg", "gdcmconv")),
        (JPEGBaseline8Bit, jpeg_header(0xC1, 12), ("12-bit JPEG", "dcmdjpeg")),
        (JPEGBaseline8Bit, jpeg_header(0xC3, 16), ("lossless or arithmetic JPEG", "gdcmconv")),
        (JPEGLosslessSV1, jpeg_header(0xC3, 16), ("JPEG Lossless", "dcmdjpeg")),
        (UID("1.2.840.10008.1.2.4.102"), b"\0" * 50, ("MPEG-4", "gdcmconv")),
        (UID("1.2.3.4.5"), b"\0" * 50, ("1.2.3.4.5", "gdcmconv")),
    ],
    ids=["extended", "baseline", "baseline lossless", "lossless", "MPEG-4", "private"],
)
@pytest.mark.filterwarnings("ignore")
def test_a_form_without_a_decoder_is_named_with_a_way_out(
    tmp_path: Path, syntax: UID, code: bytes, words: tuple[str, ...]
) -> None:
    change = compressed(syntax, code, BitsStored=12, HighBit=11)
    vf.write_dicom(tmp_path, vf.truth(), syntax=ExplicitVRLittleEndian, change=change)
    message = series_refusal(tmp_path)
    assert all(word in message for word in words) and "may well be whole" in message
    assert "truncated" not in message and "again" not in message


def jpeg(grey: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=100)
    return file.getvalue()


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGExtended12Bit], ids=["baseline", "extended"])
def test_jpeg_of_8_bits_reads(tmp_path: Path, syntax: UID) -> None:
    grey = np.tile(np.arange(0, 224, 32, dtype=np.uint8), (8, 1))
    change = compressed(syntax, jpeg(grey), BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0)
    vf.write_dicom(tmp_path, vf.truth(), syntax=ExplicitVRLittleEndian, change=change)
    assert np.abs(read_series(tmp_path).array_zyx - grey).max() <= 3


@pytest.mark.parametrize(
    ("syntax", "code", "size"),
    [
        (JPEGBaseline8Bit, jpeg(np.zeros((64, 64), np.uint8)), "(64, 64)"),
        (JPEGBaseline8Bit, jpeg_header(0xC0, 8, 65000, 65000), "(65000, 65000)"),
        (JPEGLSLossless, jpeg_header(0xF7, 16, 65000, 65000), "(65000, 65000)"),
        (
            JPEG2000Lossless,
            b"\xff\x4f\xff\x51\x00\x29\x00\x00" + b"\x00\x00\xff\xff" * 2 + bytes(99),
            "(65535, 65535)",
        ),
        (
            HTJ2KLossless,
            b"\xff\x4f\xff\x51\x00\x29\x00\x00" + b"\x7f\xff\xff\xff" * 2 + bytes(99),
            "2147483647",
        ),
        (
            RLELossless,
            bytes([2, 0, 0, 0, 64, 0, 0, 0, 70, 0, 0, 0]) + bytes(52) + b"\x81\0" * (1 << 19),
            "bytes of code",
        ),
    ],
    ids=["JPEG", "large JPEG", "JPEG-LS", "JPEG 2000", "HTJ2K", "run lengths"],
)
@pytest.mark.filterwarnings("ignore")
def test_a_codec_may_not_deliver_more_than_the_header_states(
    tmp_path: Path, syntax: UID, code: bytes, size: str
) -> None:
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7} if syntax == JPEGBaseline8Bit else {}
    change = compressed(syntax, code, PixelRepresentation=0, **bits)
    vf.write_dicom(tmp_path, vf.truth(), syntax=ExplicitVRLittleEndian, change=change)
    assert size in series_refusal(tmp_path)


@pytest.mark.parametrize(
    "code",
    [b"\0\0", b"\0" * 40, b"\x00\x00\x00\x0cjP  \x0d\x0a\x87\x0a" + bytes(60), b"\xff\x4f\xff\x51\x00\x29"],
    ids=["empty", "zeros", "a box without end", "cut"],
)
@pytest.mark.filterwarnings("ignore")
def test_damaged_code_is_damage(tmp_path: Path, code: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    vf.write_dicom(
        tmp_path, vf.truth(), syntax=ExplicitVRLittleEndian, change=compressed(JPEG2000Lossless, code)
    )
    assert "truncated, damaged or no DICOM" in series_refusal(tmp_path)
    assert "Traceback" not in capfd.readouterr().err


def test_a_compressed_file_without_its_syntax_is_damaged(tmp_path: Path) -> None:
    paths = vf.write_dicom(
        tmp_path, vf.truth(), syntax=ExplicitVRLittleEndian, change=compressed(JPEG2000Lossless, b"\0" * 40)
    )
    for path in paths:
        shortened(path, 144 + int.from_bytes(path.read_bytes()[140:144], "little"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "TransferSyntaxUID is missing" in series_refusal(tmp_path)


@pytest.mark.parametrize("enhance", [False, True], ids=["plain", "enhanced"])
@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless],
)
@pytest.mark.filterwarnings("ignore")  # pydicom warns of what it then raises for
def test_overwritten_bytes_end_in_a_sentence_in_any_form(tmp_path: Path, syntax: UID, enhance: bool) -> None:
    truth = vf.truth()
    truth = vf.Stored(np.pad(truth.array_ijk, ((0, 40), (0, 33), (0, 0))), truth.affine)

    def change(k: int, dataset: Dataset) -> None:
        dataset.PixelPaddingValue = -2000
        if enhance:
            enhanced(("PixelMeasuresSequence",))(k, dataset)
        if syntax in (RLELossless, JPEGLSLossless):
            dataset.compress(syntax)

    written = ExplicitVRLittleEndian if syntax in (RLELossless, JPEGLSLossless) else syntax
    paths = vf.write_dicom(tmp_path, truth, syntax=written, change=change)
    for path in paths[2:]:
        path.unlink()
    whole = paths[1].read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in random.integers(min(len(whole), 1500), size=random.integers(1, 4)):
            damaged[place] = random.integers(256)
        paths[1].write_bytes(damaged)
        try:
            read_series(tmp_path)
        except ValueError as error:
            assert str(error).startswith(str(tmp_path))


@pytest.mark.parametrize(
    "stated",
    [b"1.2.840\\10008.1.2\0", b"1.2.840.10008.1.1\0", b"no syntax at all.\0"],
    ids=["two", "no syntax", "text"],
)
@pytest.mark.filterwarnings("ignore")
def test_meta_information_that_names_no_form(tmp_path: Path, stated: bytes) -> None:
    path = vf.write_dicom(tmp_path, vf.truth())[4]
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2\0", stated))
    assert path.name in series_refusal(tmp_path)


def test_a_disk_that_cannot_be_read_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vf.write_dicom(tmp_path, vf.truth())

    def fail(*arguments: Any, **settings: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(pydicom, "dcmread", fail)
    with pytest.raises(OSError, match="Input/output error"):
        read_series(tmp_path)
