"""What a DICOM pixel value means is understood, or refused with the names of attribute and file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from segguided.config.datasets import Preparation
from segguided.data.formats.dicom.series import read_series
from segguided.data.formats.volume import Volume
from segguided.data.slicing import to_stack
from support import volume_files as vf
from support.refusals import series_refusal

Change = Callable[[int, Dataset], None]
PERCENTILE = {"kind": "percentile", "low": 1, "high": 99}
WINDOW = {"kind": "window", "low": -200, "high": 300}


def series(folder: Path, change: Change, **how: Any) -> Volume:
    vf.write_dicom(folder, vf.truth(), change=change, **how)
    return read_series(folder)


def refusal(folder: Path, change: Change, **how: Any) -> str:
    """The message of reading such a series, which names a file of the folder."""
    vf.write_dicom(folder, vf.truth(), change=change, **how)
    message = series_refusal(folder)
    assert message.startswith(f"{folder}/") and ".dcm: expected" in message
    return message


def sliced(image: Volume, intensity: dict[str, Any], size: int = 16) -> np.ndarray:
    values = {
        "source": {"kind": "nifti", "folder": "unused"},
        "classes": [{"name": "body", "label": 1}],
        "intensity": intensity,
        "image_size": size,
    }
    mask = Volume(np.ones(image.array_zyx.shape, np.uint8), image.affine)
    return to_stack("p", image, mask, Preparation.model_validate(values)).images_SHW


def pixels(dataset: Dataset) -> np.ndarray:
    kind = "<i2" if dataset.PixelRepresentation else "<u2"
    return np.frombuffer(dataset.PixelData, kind).reshape(dataset.Rows, dataset.Columns).copy()


def set_all(**attributes: Any) -> Change:
    def change(k: int, dataset: Dataset) -> None:
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)

    return change


def in_slice(which: int, change: Change) -> Change:
    return lambda k, dataset: change(k, dataset) if k == which else None


def lacking(*keywords: str) -> Change:
    def change(k: int, dataset: Dataset) -> None:
        for keyword in keywords:
            del dataset[keyword]

    return change


# Padding

PADS = [  # the value as the header states it, as the pixels hold it, signed, bits stored
    (65535, 65535, False, 16),
    (-2000, -2000, True, 16),
    (63536, -2000, True, 16),  # US beside signed pixels
    (-32768, -32768, True, 16),
    (0, 0, False, 16),
    (4095, 4095, False, 12),
    (63536, 63536, False, 12),  # beyond the bits stored
    (-2000, -2000, True, 12),
]


def padded(stated: int, stored: int, signed: bool, bits: int) -> Change:
    def change(k: int, dataset: Dataset) -> None:
        grey = pixels(dataset)
        grey[:, :2] = stored
        dataset.PixelData = grey.tobytes()
        dataset.BitsStored = bits
        dataset.HighBit = bits - 1
        dataset.add_new(0x00280120, "SS" if stated < 0 else "US", stated)

    return change


@pytest.mark.parametrize(("stated", "stored", "signed", "bits"), PADS)
def test_padding_counts_for_no_percentile_and_shows_as_darkest(
    tmp_path: Path, stated: int, stored: int, signed: bool, bits: int
) -> None:
    intercept = 0 if signed else -1200  # so that no other pixel is 0
    image = series(tmp_path, padded(stated, stored, signed, bits), signed=signed, intercept=intercept)
    true_zyx = vf.truth().array_ijk.transpose(2, 1, 0)
    np.testing.assert_array_equal(image.array_zyx[..., 2:], true_zyx[..., 2:])
    assert (image.array_zyx[..., :2] == image.padding).all() and image.array_zyx.dtype == np.int16
    assert image.provenance["padded_voxels"] == 9 * 8 * 2
    low, high = np.percentile(true_zyx[..., 2:], [1, 99])
    whole = Volume(true_zyx, image.affine)
    shown = sliced(image, PERCENTILE)
    right = sliced(whole, {"kind": "window", "low": low, "high": high})
    # Seven columns become 16: the first three show only padding, those from the sixth on none.
    assert (shown[..., :3] == 0).all()
    np.testing.assert_array_equal(shown[..., 6:], right[..., 6:])


def test_a_range_of_padding_up_to_its_limit(tmp_path: Path) -> None:
    def change(k: int, dataset: Dataset) -> None:
        grey = pixels(dataset)
        grey[:, :3] = -2100, -2050, -2000
        dataset.PixelData = grey.tobytes()
        dataset.add_new(0x00280120, "SS", -2000)
        dataset.add_new(0x00280121, "SS", -2100)

    image = series(tmp_path, change)
    assert (image.array_zyx[..., :3] == image.padding).all()
    assert image.provenance["padded_voxels"] == 9 * 8 * 3


def test_padding_is_a_stored_value_not_one_after_rescale(tmp_path: Path) -> None:
    image = series(tmp_path, set_all(PixelPaddingValue=-1000), intercept=-24)
    assert image.padding is None  # -1000 is stored as -976
    image = series(tmp_path / "b", set_all(PixelPaddingValue=-976), intercept=-24)
    assert (image.array_zyx == image.padding).sum() == (vf.truth().array_ijk == -1000).sum()


def test_padding_of_float_values_and_of_the_whole_range_of_int16(tmp_path: Path) -> None:
    image = series(tmp_path / "a", padded(-2000, -2000, True, 16), slope=0.5)
    assert image.array_zyx.dtype == np.float32 and (image.array_zyx[..., :2] == image.padding).all()
    assert (sliced(image, PERCENTILE)[..., 0] == 0).all()

    def both(k: int, dataset: Dataset) -> None:
        padded(-2000, -2000, True, 16)(k, dataset)
        grey = pixels(dataset)
        grey[0, 5] = -32768
        dataset.PixelData = grey.tobytes()

    image = series(tmp_path / "b", both)
    assert image.array_zyx.dtype == np.float32 and (image.array_zyx == -32768).sum() == 9
    assert (image.array_zyx == image.padding).sum() == 9 * 8 * 2


def test_float_pixels_have_padding_of_their_own(tmp_path: Path) -> None:
    def change(k: int, dataset: Dataset) -> None:
        grey = pixels(dataset).astype("<f4")
        grey[:, 0] = np.nan
        del dataset.PixelData, dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit
        dataset.BitsAllocated = 32
        dataset.FloatPixelData = grey.tobytes()
        dataset.add_new(0x00280122, "FL", float("nan"))

    image = series(tmp_path, change)
    assert (image.array_zyx[..., 0] == image.padding).all() and np.isfinite(image.array_zyx).all()


def test_padding_that_no_pixel_has_changes_nothing(tmp_path: Path) -> None:
    with_tag = series(tmp_path / "a", set_all(PixelPaddingValue=-2000))
    plain = series(tmp_path / "b", lambda k, d: None)
    assert with_tag.padding is None and "padded_voxels" not in with_tag.provenance
    np.testing.assert_array_equal(with_tag.array_zyx, plain.array_zyx)


def test_padding_that_cannot_be_separated_is_refused(tmp_path: Path) -> None:
    limit = refusal(tmp_path / "a", set_all(PixelPaddingRangeLimit=-2000))
    assert "PixelPaddingValue" in limit

    def beyond(k: int, dataset: Dataset) -> None:
        dataset.BitsStored = 12
        dataset.HighBit = 11
        dataset.add_new(0x00280120, "SS", -2000)
        dataset.add_new(0x00280121, "SS", -3000)

    assert "PixelPaddingRangeLimit" in refusal(tmp_path / "b", beyond)

    def everywhere(k: int, dataset: Dataset) -> None:
        dataset.PixelData = np.full((8, 7), -2000, "<i2").tobytes()
        dataset.PixelPaddingValue = -2000

    image = series(tmp_path / "c", everywhere)
    with pytest.raises(ValueError, match=r"every voxel is padding.*PixelPaddingValue"):
        sliced(image, PERCENTILE)


# Inverted images


@pytest.mark.parametrize("intensity", [PERCENTILE, WINDOW], ids=["percentile", "window"])
@pytest.mark.parametrize("attributes", [{}, {"PresentationLUTShape": "INVERSE"}], ids=["plain", "with shape"])
def test_monochrome1_is_shown_inverted(tmp_path: Path, intensity: Any, attributes: dict[str, str]) -> None:
    inverted = set_all(PhotometricInterpretation="MONOCHROME1", **attributes)
    image = series(tmp_path / "a", inverted)
    plain = sliced(series(tmp_path / "b", lambda k, d: None), intensity)
    shown = sliced(image, intensity)
    assert image.inverted and image.provenance["inverted"]
    # The margin of the square above and below is black in both.
    difference = shown[:, 2:-2].astype(int) + plain[:, 2:-2] - 255
    assert np.abs(difference).max() <= 1


def test_padding_of_an_inverted_image_is_black_too(tmp_path: Path) -> None:
    def change(k: int, dataset: Dataset) -> None:
        padded(-2000, -2000, True, 16)(k, dataset)
        dataset.PhotometricInterpretation = "MONOCHROME1"

    shown = sliced(series(tmp_path, change), WINDOW)
    assert (shown[..., 0] == 0).all() and shown.max() == 255


@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        (set_all(PhotometricInterpretation="MONOCHROME1", Modality="CT"), "MONOCHROME1"),
        (set_all(PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY"), "INVERSE"),
        (set_all(PresentationLUTShape="INVERSE"), "PresentationLUTShape"),
        (in_slice(4, set_all(PhotometricInterpretation="MONOCHROME1")), "PhotometricInterpretation"),
        (set_all(PhotometricInterpretation="PALETTE COLOR"), "PALETTE COLOR"),
        (set_all(PhotometricInterpretation="YBR_FULL"), "YBR_FULL"),
        (set_all(PhotometricInterpretation="RGB", SamplesPerPixel=3, PlanarConfiguration=0), "RGB"),
        (set_all(SamplesPerPixel=2), "2 sample(s)"),
        (lacking("PhotometricInterpretation"), "PhotometricInterpretation is missing"),
    ],
)
def test_contradictions_and_colours_are_refused(tmp_path: Path, change: Change, attribute: str) -> None:
    assert attribute in refusal(tmp_path, change)


# Bits


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(("stored", "high"), [(12, 15), (12, 13), (14, 15)])
def test_values_above_bit_0_are_shifted_down(tmp_path: Path, stored: int, high: int, signed: bool) -> None:
    def change(k: int, dataset: Dataset) -> None:
        shifted = pixels(dataset).view("<u2") << (high + 1 - stored)
        dataset.PixelData = shifted.tobytes()
        dataset.BitsStored = stored
        dataset.HighBit = high

    image = series(tmp_path, change, signed=signed, intercept=0 if signed else -1024)
    np.testing.assert_array_equal(image.array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)


def test_an_overlay_below_the_stored_bits_is_no_intensity(tmp_path: Path) -> None:
    def change(k: int, dataset: Dataset) -> None:
        shifted = (pixels(dataset).view("<u2") << 4) | 1
        dataset.PixelData = shifted.tobytes()
        dataset.BitsStored = 12
        dataset.HighBit = 15
        dataset.add_new(0x60000102, "US", 0)

    image = series(tmp_path, change)
    np.testing.assert_array_equal(image.array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({"BitsStored": 12, "HighBit": 15}, "HighBit"),  # of values that begin at bit 0
        ({"BitsStored": 12, "HighBit": 10}, "HighBit"),
        ({"BitsStored": 16, "HighBit": 16}, "HighBit"),
        ({"BitsStored": 0, "HighBit": -1 & 0xFFFF}, "BitsStored"),
        ({"PixelRepresentation": 2}, "PixelRepresentation"),
        ({"BitsAllocated": 12, "BitsStored": 12, "HighBit": 11}, "BitsAllocated"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "bytes of pixels"),
    ],
)
def test_bits_that_contradict_are_refused(tmp_path: Path, attributes: dict[str, int], word: str) -> None:
    assert word in refusal(tmp_path, set_all(**attributes))


def test_sign_and_bits_may_differ_between_slices(tmp_path: Path) -> None:
    def change(k: int, dataset: Dataset) -> None:
        if k % 2:
            grey = pixels(dataset)
            dataset.PixelData = (grey + 1024).astype("<u2").tobytes()
            dataset.PixelRepresentation = 0
            dataset.BitsStored = 12
            dataset.HighBit = 11
            dataset.RescaleIntercept = "-1024"

    image = series(tmp_path, change)
    np.testing.assert_array_equal(image.array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)


# Rescale

RESCALE = ("RescaleSlope", "RescaleIntercept")


def test_pet_has_a_slope_of_its_own_in_each_slice(tmp_path: Path) -> None:
    def change(k: int, dataset: Dataset) -> None:
        dataset.Modality = "PT"
        dataset.RescaleSlope = f"{0.25 * (k + 1):g}"

    image = series(tmp_path, change)
    slopes = 0.25 * np.arange(1, 10, dtype=np.float32)[:, None, None]
    np.testing.assert_array_equal(image.array_zyx, vf.truth().array_ijk.transpose(2, 1, 0) * slopes)


def table(k: int, dataset: Dataset) -> None:
    """A modality lookup table that doubles 0 to 2047, in place of slope and intercept."""
    lut = Dataset()
    lut.add_new(0x00283002, "US", [2048, 0, 16])
    lut.add_new(0x00283006, "US", list(range(0, 4096, 2)))
    lut.ModalityLUTType = "US"
    del dataset.RescaleSlope, dataset.RescaleIntercept
    dataset.ModalityLUTSequence = Sequence([lut])
    dataset.PixelData = np.abs(pixels(dataset)).astype("<u2").tobytes()
    dataset.PixelRepresentation = 0


def test_a_modality_table_takes_the_place_of_the_slope(tmp_path: Path) -> None:
    image = series(tmp_path, table)
    np.testing.assert_array_equal(image.array_zyx.transpose(2, 1, 0), 2 * np.abs(vf.truth().array_ijk))


def test_a_real_world_mapping_changes_no_value(tmp_path: Path) -> None:
    mapping = Dataset()
    mapping.RealWorldValueSlope = 7.0
    mapping.RealWorldValueIntercept = 3.0
    image = series(tmp_path, set_all(RealWorldValueMappingSequence=Sequence([mapping])))
    np.testing.assert_array_equal(image.array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)


def test_an_identity_need_not_be_stated_everywhere(tmp_path: Path) -> None:
    image = series(tmp_path, in_slice(3, lacking(*RESCALE)))
    np.testing.assert_array_equal(image.array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (in_slice(3, lacking(*RESCALE)), "expected RescaleSlope as in"),
        (lambda k, d: lacking(*RESCALE)(k, d) if k != 3 else None, "got none"),
        (in_slice(0, lacking(*RESCALE)), "RescaleSlope"),
        (lacking("RescaleIntercept"), "RescaleIntercept is missing"),
        (in_slice(5, lacking("RescaleSlope")), "RescaleSlope is missing"),
        (set_all(RescaleSlope="0"), "RescaleSlope other than 0"),
        (in_slice(2, table), "ModalityLUTSequence"),
        (set_all(ModalityLUTSequence=Sequence([Dataset()])), "got both"),
        (set_all(Modality="CT", RescaleType="US"), "HU as RescaleType"),
        (set_all(Modality="CT", RescaleType="Z_EFF"), "Z_EFF"),
        (set_all(Modality="CT", RescaleType="HU_MOD"), "HU_MOD"),
        (in_slice(4, set_all(RescaleType="CM2")), "RescaleType"),
    ],
)
def test_values_of_other_units_are_refused(tmp_path: Path, change: Change, words: str) -> None:
    assert words in refusal(tmp_path, change, signed=False, intercept=-1024)


@pytest.mark.parametrize("units", ["HU", "hu ", None])
def test_a_ct_in_hu_reads(tmp_path: Path, units: str | None) -> None:
    change = set_all(Modality="CT", **({"RescaleType": units} if units else {}))
    image = series(tmp_path, change, signed=False, intercept=-1024, syntax=ExplicitVRLittleEndian)
    np.testing.assert_array_equal(image.array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)


@pytest.mark.parametrize("spacing", [[0, 0.5], [-0.5, 0.5], [0.5, -0.1]])
def test_spacing_is_above_zero(tmp_path: Path, spacing: list[float]) -> None:
    assert "PixelSpacing above 0" in refusal(tmp_path, set_all(PixelSpacing=spacing))
