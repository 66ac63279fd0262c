"""RTSTRUCT contours as masks: analytic shapes, an independent filling, holes, and what is refused."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from matplotlib.path import Path as Polygon

from segguided.data.formats.dicom.segments import read_segments
from segguided.data.formats.dicom.series import read_series
from segguided.data.formats.dicom.structures import filled
from segguided.data.formats.orientation import oriented
from segguided.data.formats.volume import Volume
from support import volume_files as vf
from support.generated_volumes import turn
from support.refusals import refusal
from support.rtstruct_files import write_rtstruct


def reference(tilt: float = 0) -> Volume:
    """A grid of 40 × 32 × 5 voxels (x, y, z)."""
    affine = np.eye(4)
    affine[:3, :3] = turn(tilt, 0, tilt / 2) @ np.diag([0.8, 0.8, 2.5])
    affine[:3, 3] = [-12.5, 31.25, -140.0]
    return oriented(np.zeros((40, 32, 5), np.int16), affine)


def in_mm(image: Volume, points_N2: np.ndarray, z: float) -> np.ndarray:
    """Points (x, y) in voxels of slice z, in LPS mm (N, 3)."""
    homogeneous = np.column_stack([points_N2, np.full(len(points_N2), z), np.ones(len(points_N2))])
    return (image.affine @ homogeneous.T)[:3].T


def circle(x: float, y: float, radius: float, points: int = 200) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.column_stack([x + radius * np.cos(angles), y + radius * np.sin(angles)])


def inside_circle(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.indices((32, 40))
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


def masks(path: Path, names: list[str | None], image: Volume) -> list[np.ndarray]:
    slices = range(len(image.array_zyx))
    return [np.stack([segment.plane(z) for z in slices]) for segment in read_segments(path, names, image)]


def mask(path: Path, name: str | None, image: Volume) -> np.ndarray:
    return masks(path, [name], image)[0]


@pytest.mark.parametrize("tilt", [0, 15])
def test_circles_with_a_hole_and_an_island_are_the_analytic_shape(tmp_path: Path, tilt: float) -> None:
    image = reference(tilt)
    ring = [
        circle(15.3, 14.2, 10.4),
        circle(15.3, 14.2, 6.3),
        circle(15.3, 14.2, 2.2),
        circle(33.1, 8.4, 4.3),
    ]
    contours = [in_mm(image, points, z) for z in (1, 3) for points in ring]
    path = write_rtstruct(tmp_path / "rt.dcm", {"liver": contours, "ptv": [in_mm(image, ring[1], 2)]})
    liver, ptv = masks(path, ["LIVER", "ptv"], image)
    expected = inside_circle(15.3, 14.2, 10.4) ^ inside_circle(15.3, 14.2, 6.3)
    expected = expected ^ inside_circle(15.3, 14.2, 2.2) ^ inside_circle(33.1, 8.4, 4.3)
    for z in range(5):
        assert np.array_equal(liver[z], expected if z in (1, 3) else np.zeros_like(expected))
        assert np.array_equal(ptv[z], inside_circle(15.3, 14.2, 6.3) & (z == 2))
    assert np.array_equal(mask(path, None, image), liver | ptv)


def test_a_keyhole_is_a_hole(tmp_path: Path) -> None:
    """One contour: around the outside, along a slit, around the hole, and back along the same slit."""
    image = reference()
    outer, inner = circle(18.3, 15.2, 11.4), circle(18.3, 15.2, 5.3)
    keyhole = np.vstack([outer, outer[:1], inner, inner[:1]])
    path = write_rtstruct(tmp_path / "rt.dcm", {"gut": [in_mm(image, keyhole, 2)]})
    expected = inside_circle(18.3, 15.2, 11.4) & ~inside_circle(18.3, 15.2, 5.3)
    assert np.array_equal(mask(path, "gut", image)[2], expected)


@pytest.mark.parametrize("seed", range(20))
def test_random_polygons_are_filled_as_by_matplotlib(seed: int) -> None:
    """An independent filling of each polygon; of several, voxels in an odd number of them."""
    rng = np.random.default_rng(seed)
    polygons = [rng.uniform(-6, 46, (rng.integers(3, 12), 2)) for _ in range(rng.integers(1, 4))]
    rows, columns = np.indices((32, 40))
    centres = np.column_stack([columns.ravel(), rows.ravel()])
    expected = np.zeros(32 * 40, bool)
    for polygon in polygons:
        expected ^= Polygon(polygon).contains_points(centres)
    assert np.array_equal(filled(polygons, 32, 40).ravel(), expected)


def test_squares_that_share_an_edge_share_no_voxel_and_leave_none_out() -> None:
    """Their edges run through the centres of voxels."""
    square = np.array([[4, 4], [10, 4], [10, 10], [4, 10]], float)
    left, right = filled([square], 32, 40), filled([square + np.array([6, 0])], 32, 40)
    assert left.sum() == right.sum() == 36
    assert not (left & right).any()
    assert np.array_equal(left | right, filled([square * np.array([2, 1]) - np.array([4, 0])], 32, 40))


@pytest.mark.parametrize("plane", [vf.AXIAL, vf.AXIAL_DOWN, vf.AXIAL_TURNED, vf.SAGITTAL])
def test_a_box_around_each_voxel_of_a_dicom_series_gives_the_voxels(tmp_path: Path, plane: str) -> None:
    """Each voxel of a chiral object gets a contour of its own, in mm, from the series' true affine."""
    truth = vf.truth()
    vf.write_dicom(tmp_path / "ct", vf.stored_along(truth, plane))
    image = read_series(tmp_path / "ct")
    box = np.array([[-0.4, -0.4], [0.4, -0.4], [0.4, 0.4], [-0.4, 0.4]])
    contours = []
    for x, y, z in np.argwhere(truth.array_ijk == 300):
        corners = np.column_stack([box + np.array([x, y]), np.full(4, z), np.ones(4)])
        contours.append((truth.affine @ corners.T)[:3].T)
    path = write_rtstruct(tmp_path / "rt.dcm", {"ell": contours})
    assert np.array_equal(mask(path, "ell", image), image.array_zyx == 300)


def test_a_structure_without_contours_is_empty(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rt.dcm", {"liver": [], "other": []})
    assert not mask(path, "liver", reference()).any()


def refused(tmp_path: Path, contours: list[np.ndarray], change=lambda dataset: None) -> str:
    path = write_rtstruct(tmp_path / "rt.dcm", {"liver": contours}, change)
    return refusal(path, mask, "liver", reference())


def test_contours_that_lie_in_no_slice(tmp_path: Path) -> None:
    image = reference()
    points = circle(18, 15, 5)
    assert "lies at 1.50 to 1.50 slices" in refused(tmp_path, [in_mm(image, points, 1.5)])
    assert "in none of the series' slices 0 to 4" in refused(tmp_path, [in_mm(image, points, 5)])
    upright = in_mm(image, points, 2)
    upright[:, 2] += np.linspace(-9, 9, len(points))
    assert "in none of the series' slices" in refused(tmp_path, [upright])


def test_the_same_contour_twice_and_open_contours(tmp_path: Path) -> None:
    contour = in_mm(reference(), circle(18, 15, 5), 2)
    assert "has a contour twice in slice 2" in refused(tmp_path, [contour, contour])

    def point(dataset: pydicom.Dataset) -> None:
        dataset.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "POINT"

    assert "got one of the kind POINT" in refused(tmp_path, [contour], point)


def test_names_that_do_not_fit(tmp_path: Path) -> None:
    contour = in_mm(reference(), circle(18, 15, 5), 2)
    path = write_rtstruct(tmp_path / "rt.dcm", {"Liver": [contour], "liver ": [contour]})
    assert "2 segments are named LIVER" in refusal(path, mask, "LIVER", reference())
    assert "named bone, but the file has Liver, liver; correct" in refusal(path, mask, "bone", reference())


@pytest.mark.parametrize("keyword", ["StructureSetROISequence", "ROIContourSequence"])
def test_files_that_lack_a_part(tmp_path: Path, keyword: str) -> None:
    contour = in_mm(reference(), circle(18, 15, 5), 2)
    message = refused(tmp_path, [contour], lambda dataset: delattr(dataset, keyword))
    assert "truncated, damaged or no DICOM" in message


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated_files(tmp_path: Path, share: float) -> None:
    contour = in_mm(reference(), circle(18, 15, 5), 2)
    path = vf.cut(write_rtstruct(tmp_path / "rt.dcm", {"liver": [contour]}), share)
    assert "damaged" in refusal(path, mask, "liver", reference())
