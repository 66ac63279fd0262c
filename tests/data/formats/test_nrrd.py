"""NRRD images; and .seg.nrrd masks on the image's grid, found by segment name, not by label value."""

import gzip
from pathlib import Path

import nrrd as pynrrd
import numpy as np
import pytest

from segguided.data.formats import nrrd_file
from segguided.data.formats.dicom.series import read_series
from segguided.data.formats.nrrd import read_image, read_segments
from segguided.data.formats.orientation import oriented
from segguided.data.formats.volume import Volume
from support import volume_files as vf
from support.refusals import refusal

DUKE = vf.segment_fields(("Vessels", 1, 0), ("Dense", 2, 0))
SWAPPED = vf.segment_fields(("Dense", 1, 0), ("Vessels", 2, 0))
LAYERED = vf.segment_fields(("Vessels", 1, 1), ("Dense", 1, 0))


def vessels_xyz() -> np.ndarray:
    return np.isin(vf.truth().array_ijk, [300])


def dense_xyz() -> np.ndarray:
    return np.isin(vf.truth().array_ijk, [-500, vf.MARKER])


def reference(tilt: float = 0) -> Volume:
    truth = vf.truth(tilt)
    return oriented(truth.array_ijk, truth.affine)


def labelled(vessels: int, dense: int, tilt: float = 0) -> vf.Stored:
    """Both segments in one array, on the truth's grid."""
    array = np.where(vessels_xyz(), vessels, 0) + np.where(dense_xyz(), dense, 0)
    return vf.Stored(array.astype(np.uint8), vf.truth(tilt).affine)


def layered(stored_as: str, tilt: float = 0) -> vf.Stored:
    """A layer a segment, dense first, overlapping in a voxel."""
    dense = dense_xyz() | (np.cumsum(vessels_xyz()).reshape(vessels_xyz().shape) == 1)
    layers = [
        vf.stored_along(vf.Stored(m.astype(np.uint8), vf.truth(tilt).affine), stored_as)
        for m in (dense, vessels_xyz())
    ]
    return vf.Stored(np.stack([layer.array_ijk for layer in layers]), layers[0].affine)


def read_masks(path: Path, names: list[str | None], image: Volume) -> dict[str | None, np.ndarray]:
    masks = zip(names, read_segments(path, names, image), strict=True)
    return {name: np.stack([mask.plane(z) for z in range(len(image.array_zyx))]) for name, mask in masks}


def read_segment(path: Path, name: str | None, image: Volume) -> np.ndarray:
    return read_masks(path, [name], image)[name]


# --- images ---


@pytest.mark.parametrize("tilt", [0, 10])
@pytest.mark.parametrize("space", vf.SPACES)
@pytest.mark.parametrize("code", ["LPS", "LPI", "RAS", "PIL"])
def test_every_space_and_orientation_gives_the_truth(
    tmp_path: Path, space: str, code: str, tilt: int
) -> None:
    truth = vf.truth(tilt)
    volume = read_image(vf.write_nrrd(tmp_path / "ct.nrrd", vf.stored_along(truth, code), space))
    assert volume.array_zyx.dtype == np.int16
    np.testing.assert_array_equal(volume.array_zyx.transpose(2, 1, 0), truth.array_ijk)
    np.testing.assert_allclose(volume.affine, truth.affine, atol=1e-6)
    z, y, x = np.argwhere(volume.array_zyx == vf.MARKER)[0]
    np.testing.assert_allclose((volume.affine @ [x, y, z, 1])[:3], vf.marker_mm(truth), atol=1e-6)


def test_an_image_without_orientation(tmp_path: Path) -> None:
    path = tmp_path / "ct.nrrd"
    pynrrd.write(str(path), vf.truth().array_ijk, {"spacings": [1.0, 1.0, 2.0]})
    assert "left and right are unknown" in refusal(path, read_image)
    assert "'space directions'" in refusal(
        vf.write_nrrd(path, vf.truth(), space_of_directions=None), read_image
    )
    assert "'space origin'" in refusal(vf.write_nrrd(path, vf.truth(), space_of_origin=None), read_image)


def test_image_with_singular_directions_nan_voxels_or_four_axes(tmp_path: Path) -> None:
    truth = vf.truth(dtype=np.float32)
    path = vf.write_nrrd(tmp_path / "ct.nrrd", truth, space_of_directions=np.diag([1.0, 1.0, 0.0]))
    assert "not invertible" in refusal(path, read_image)
    truth.array_ijk[1, 2, 3] = np.nan
    assert "1 voxels are NaN or infinite" in refusal(vf.write_nrrd(path, truth), read_image)
    four = vf.Stored(np.stack([truth.array_ijk] * 2), truth.affine)
    assert "3-D volume" in refusal(vf.write_nrrd(path, four), read_image)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.6, 0.9])
@pytest.mark.parametrize("encoding", ["gzip", "raw"])
def test_truncated_files(tmp_path: Path, share: float, encoding: str) -> None:
    path = vf.cut(vf.write_nrrd(tmp_path / "m.seg.nrrd", labelled(1, 2), encoding=encoding, **DUKE), share)
    assert "truncated or damaged" in refusal(path, read_image)
    assert "truncated or damaged" in refusal(path, read_segment, None, reference())


def test_missing_file(tmp_path: Path) -> None:
    assert "there is none" in refusal(tmp_path / "m.seg.nrrd", read_masks, ["Dense"], reference())


# --- segments ---


@pytest.mark.parametrize("tilt", [0, 10])
@pytest.mark.parametrize("code", ["LPS", "LPI", "RAS", "PIL"])
@pytest.mark.parametrize(("fields", "values"), [(DUKE, (1, 2)), (SWAPPED, (2, 1))], ids=["usual", "swapped"])
def test_segments_follow_their_names(
    tmp_path: Path, code: str, tilt: int, fields: dict[str, str], values: tuple[int, int]
) -> None:
    path = vf.write_nrrd(tmp_path / "m.seg.nrrd", vf.stored_along(labelled(*values, tilt), code), **fields)
    masks = read_masks(path, ["vessels", "DENSE"], reference(tilt))
    assert list(masks) == ["vessels", "DENSE"] and masks["DENSE"].dtype == bool
    np.testing.assert_array_equal(masks["vessels"].transpose(2, 1, 0), vessels_xyz())
    np.testing.assert_array_equal(masks["DENSE"].transpose(2, 1, 0), dense_xyz())
    np.testing.assert_array_equal(read_segment(path, "Dense", reference(tilt)), masks["DENSE"])


@pytest.mark.parametrize("code", ["LPS", "LPI", "PIL"])
def test_layers_may_overlap(tmp_path: Path, code: str) -> None:
    path = vf.write_nrrd(tmp_path / "m.seg.nrrd", layered(code), **LAYERED)
    masks = read_masks(path, ["Vessels", "Dense"], reference())
    np.testing.assert_array_equal(masks["Vessels"].transpose(2, 1, 0), vessels_xyz())
    assert (masks["Vessels"] & masks["Dense"]).sum() == 1
    assert masks["Dense"].sum() == dense_xyz().sum() + 1


def test_the_layer_axis_is_the_one_without_direction(tmp_path: Path) -> None:
    stored = layered("LPS")
    last = vf.Stored(np.moveaxis(stored.array_ijk, 0, 3), stored.affine)
    directions = np.vstack([stored.affine[:3, :3].T, np.full(3, np.nan)])
    path = vf.write_nrrd(tmp_path / "m.seg.nrrd", last, space_of_directions=directions, **LAYERED)
    mask = read_segment(path, "Vessels", reference())
    np.testing.assert_array_equal(mask.transpose(2, 1, 0), vessels_xyz())


def test_old_files_without_values_and_layers(tmp_path: Path) -> None:
    path = vf.write_nrrd(
        tmp_path / "m.seg.nrrd", layered("LPS"), Segment0_Name="Dense", Segment1_Name="Vessels"
    )
    np.testing.assert_array_equal(
        read_segment(path, "Vessels", reference()).transpose(2, 1, 0), vessels_xyz()
    )


def test_everything_nonzero_where_no_segment_is_asked_or_named(tmp_path: Path) -> None:
    both = vessels_xyz() | dense_xyz()
    path = vf.write_nrrd(tmp_path / "m.seg.nrrd", labelled(1, 2), **DUKE)
    assert list(read_masks(path, [None, "Dense"], reference())) == [None, "Dense"]
    np.testing.assert_array_equal(read_segment(path, None, reference()).transpose(2, 1, 0), both)
    path = vf.write_nrrd(tmp_path / "b.seg.nrrd", labelled(1, 1))
    np.testing.assert_array_equal(read_segment(path, "Breast", reference()).transpose(2, 1, 0), both)


def test_segments_that_cannot_be_identified(tmp_path: Path) -> None:
    path = vf.write_nrrd(tmp_path / "m.seg.nrrd", labelled(1, 2), **DUKE)
    message = refusal(path, read_segment, "Breast", reference())
    assert "named Breast" in message and "Vessels, Dense" in message
    path = vf.write_nrrd(path, labelled(1, 2))
    assert "names none and holds the values [1, 2]" in refusal(path, read_segment, "Dense", reference())
    path = vf.write_nrrd(path, labelled(1, 2), Segment0_Name="Vessels", Segment1_Name="Dense")
    assert "SegmentN_LabelValue" in refusal(path, read_segment, "Dense", reference())
    path = vf.write_nrrd(path, labelled(1, 2), **vf.segment_fields(("Vessels", 1, 0), ("Dense", 2, 1)))
    assert "got layer 1" in refusal(path, read_segment, "Dense", reference())
    path = vf.write_nrrd(path, labelled(1, 2), **{**DUKE, "Segment0_LabelValue": "one"})
    assert "value one" in refusal(path, read_segment, "Dense", reference())


def test_bytes_before_and_after_the_mask(tmp_path: Path) -> None:
    path = vf.write_nrrd(tmp_path / "m.seg.nrrd", labelled(1, 2), **DUKE)
    header, _, zipped = path.read_bytes().partition(b"\n\n")
    skipping = header + b"\nbyte skip: -1\n\n" + gzip.compress(b"\1" * 16 + gzip.decompress(zipped))
    for content in (skipping, path.read_bytes() + b"after"):
        path.write_bytes(content)
        np.testing.assert_array_equal(
            read_segment(path, "Vessels", reference()).transpose(2, 1, 0), vessels_xyz()
        )


def test_another_grid_is_refused(tmp_path: Path) -> None:
    moved = labelled(1, 2)
    moved.affine[2, 3] += 2.5
    path = vf.write_nrrd(tmp_path / "m.seg.nrrd", moved, **DUKE)
    assert "different grids" in refusal(path, read_segment, "Dense", reference())
    cropped = vf.Stored(labelled(1, 2).array_ijk[:, :, :8], vf.truth().affine)
    path = vf.write_nrrd(path, cropped, **DUKE)
    assert "shape (9, 8, 7)" in refusal(path, read_segment, "Dense", reference())


# --- masks without a geometry: the frame of the DICOM files ---


@pytest.mark.parametrize("plane", [vf.AXIAL, vf.AXIAL_DOWN, vf.AXIAL_TURNED, vf.SAGITTAL])
@pytest.mark.parametrize("tilt", [0, 10])
@pytest.mark.parametrize("header", ["absent", "default"])
def test_duke_masks_take_the_dicom_frame(tmp_path: Path, plane: str, tilt: int, header: str) -> None:
    vf.write_dicom(tmp_path / "series", vf.stored_along(vf.truth(tilt), plane))
    image = read_series(tmp_path / "series")
    # Column i, row j, slice k upwards: the stored axes, but never downwards in k.
    upwards = plane.replace("I", "S") if plane == vf.AXIAL_DOWN else plane
    array = vf.stored_along(labelled(1, 2), upwards).array_ijk
    path = tmp_path / "m.seg.nrrd"
    if header == "absent":
        pynrrd.write(str(path), array, {"type": "uint8", **DUKE})
    else:
        vf.write_nrrd(path, vf.Stored(array, np.eye(4)), **DUKE)
    masks = read_masks(path, ["Dense", "Vessels"], image)
    np.testing.assert_array_equal(masks["Vessels"], image.array_zyx == 300)
    np.testing.assert_array_equal(masks["Dense"], np.isin(image.array_zyx, [-500, vf.MARKER]))


def test_a_mask_without_geometry_needs_dicom_and_its_shape(tmp_path: Path) -> None:
    path = tmp_path / "m.seg.nrrd"
    pynrrd.write(str(path), labelled(1, 2).array_ijk, DUKE)
    assert "image from DICOM files" in refusal(path, read_segment, "Dense", reference())
    vf.write_dicom(tmp_path / "series", vf.truth())
    pynrrd.write(str(path), labelled(1, 2).array_ijk[:, :, 1:], DUKE)
    assert "one series" in refusal(path, read_segment, "Dense", read_series(tmp_path / "series"))


def test_one_read_serves_all_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = vf.write_nrrd(tmp_path / "m.seg.nrrd", labelled(1, 2), **DUKE)
    once = iter([nrrd_file.read(path)])
    monkeypatch.setattr(nrrd_file, "read", lambda path: next(once))
    assert len(read_masks(path, ["Dense", "Vessels"], reference())) == 2
    with pytest.raises(StopIteration):
        nrrd_file.read(path)
