"""DICOM segmentations and structure sets are found as masks of a DICOM series, and proposed as classes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydicom.dataset import Dataset

from segguided.app.start.main import start
from segguided.data.formats.dicom.mask_files import holds_masks, segment_names
from support.own_folders import dicom_folder, image_of, label_map
from support.rtstruct_files import write_rtstruct
from support.seg_files import write_dicom_seg
from support.volume_files import Stored, write_dicom

AFFINE = np.diag([1.0, 1.0, 3.0, 1.0])
NAMES = ("breast", "FGT")
Write = Callable[[Path], object]


def masks() -> dict[str, np.ndarray]:
    mask_xyz = label_map((1, 2))
    return {name: mask_xyz == label for label, name in enumerate(NAMES, 1)}


def frames(path: Path) -> None:
    write_dicom_seg(path, masks(), AFFINE)


def labels(path: Path) -> None:
    write_dicom_seg(path, masks(), AFFINE, "LABELMAP")


def contours(path: Path, change: Callable[[Dataset], None] = lambda dataset: None) -> None:
    """A rectangle around the voxels of each class in each slice."""
    structures = {}
    for name, mask_xyz in masks().items():
        x, y, slices = (np.unique(index) for index in np.nonzero(mask_xyz))
        ends_x, ends_y = (x[0] - 0.5, x[-1] + 0.5), (y[0] - 0.5, y[-1] + 0.5)
        corners = [(a, b) for a, b in zip((0, 1, 1, 0), (0, 0, 1, 1), strict=True)]
        structures[name] = [np.array([(ends_x[a], ends_y[b], 3.0 * z) for a, b in corners]) for z in slices]
    write_rtstruct(path, structures, change)


def patients(root: Path, write: Write, place: str, count: int = 4) -> Path:
    """Patients mr0, mr1, … below `root`/images, with masks at `place` below `root`."""
    dicom_folder(root / "images", count)
    for path in root.rglob("*.seg.nrrd"):
        path.unlink()
    for number in range(count):
        path = root / place.format(name=f"mr{number}")
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
    return root


def proposed(folder: Path, output: Path) -> dict:
    start(folder, output)
    return yaml.safe_load((output / "mine.yaml").read_text())["datasets"]["mine"]


@pytest.mark.parametrize("write", [frames, labels, contours])
@pytest.mark.parametrize(
    ("place", "tree", "file"),
    [
        ("images/{name}/{name}_masks.dcm", "images", "{patient}_masks.dcm"),
        ("masks/{name}/masks.dcm", "masks", "masks.dcm"),
        ("images/{name}/drawn/masks", "images", "drawn/masks"),
    ],
)
def test_segments_become_classes(write, place, tree, file, tmp_path, capsys):
    """Beside the slices, in a tree of their own, in a folder below, and without an ending."""
    folder = patients(tmp_path / "data", write, place)
    settings = proposed(folder, tmp_path / "out")
    assert settings["source"] == {
        "kind": "dicom",
        "images": str(folder / "images"),
        "masks": str(folder / tree),
    }
    assert [(c["name"], c["segment"], c["file"]) for c in settings["classes"]] == [
        (name, name, file) for name in NAMES
    ]
    shown = capsys.readouterr().out.splitlines()
    assert "4 patients with image and mask, as DICOM" in shown[0]
    assert not [line for line in shown if line.startswith("- ")]
    counts = [line.split()[-3] for line in shown if line.split()[1:2] in (["breast"], ["FGT"])]
    assert counts == [f"{4 * mask.sum():,}" for mask in masks().values()]


def test_files_whose_names_are_others_in_each_patient_get_one_sentence(tmp_path, capsys):
    def unique(path: Path) -> None:
        frames(path.with_name(f"1.2.{path.parent.name[-1]}.dcm"))

    folder = patients(tmp_path / "data", unique, "masks/{name}/x.dcm")
    with pytest.raises(ValueError, match="none is an image with a mask, so nothing was written"):
        start(folder, tmp_path / "out")
    assert [line for line in capsys.readouterr().out.splitlines() if "classes" in line] == [
        "- no classes, for the mask files have other names in each patient, and a class names one file for "
        "all, in which {patient} stands for the patient: rename 1.2.0.dcm, 1.2.1.dcm, 1.2.2.dcm and 1 more, "
        "for example to PATIENT_masks.dcm"
    ]


def test_masks_without_the_images_they_belong_to(tmp_path, capsys):
    folder = patients(tmp_path / "data", frames, "masks/{name}/masks.dcm")
    with pytest.raises(ValueError, match="of 0 NIfTI, 4 DICOM and 0 PNG files none is an image with a mask"):
        start(folder / "masks", tmp_path / "out")
    assert (
        "- the DICOM files hold masks alone (mr0/masks.dcm, mr1/masks.dcm, mr2/masks.dcm and 1 more): "
        "expected the images" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("length", "start_of", "lonely"),
    [
        (900, "patient mr1 left out: {}:", []),
        (600, "{}: left out,", ["- 1 patient without masks that can be used left out: mr1"]),
    ],
)
def test_a_damaged_segmentation_leaves_its_patient_out(length, start_of, lonely, tmp_path, capsys):
    """Its frames are damaged, or the list of its segments."""
    folder = patients(tmp_path / "data", frames, "masks/{name}/masks.dcm", 5)
    broken = folder / "masks/mr1/masks.dcm"
    broken.write_bytes(broken.read_bytes()[:length])
    proposed(folder, tmp_path / "out")
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("- ")]
    assert shown[0].startswith(f"- {start_of.format(broken)} expected a complete DICOM file, but it is")
    assert shown[1:] == lonely
    assert {line.split()[0] for line in (tmp_path / "out/mine.tsv").read_text().splitlines()[2:]} == {
        *("mr0", "mr2", "mr3", "mr4")
    }


def test_structures_that_are_no_masks_are_no_classes(tmp_path):
    """Points of reference, structures that nobody drew, and those without a name."""

    def change(dataset: Dataset) -> None:
        for kind in ("POINT", "OPEN_PLANAR", "", "CLOSED_PLANAR"):
            number = 50 + len(dataset.StructureSetROISequence)
            roi, drawn, contour = Dataset(), Dataset(), Dataset()
            roi.ROINumber = drawn.ReferencedROINumber = number
            roi.ROIName = "" if kind == "CLOSED_PLANAR" else f"{kind} {number}"
            contour.ContourGeometricType = kind
            contour.ContourData = [0, 0, 0]
            if kind:
                drawn.ContourSequence = [contour]
            dataset.StructureSetROISequence.append(roi)
            dataset.ROIContourSequence.append(drawn)

    contours(tmp_path / "rt.dcm", change)
    assert segment_names(tmp_path / "rt.dcm") == (list(NAMES), [])


def test_names_that_are_there_twice_are_left_out(tmp_path, capsys):
    """Reading refuses them, whatever their capitals and whether both have contours; the patients stay."""

    def change(dataset: Dataset) -> None:
        for number, name in enumerate(("GTV", "liver", "gtv ", "Spinal cord", "SPINAL CORD"), 50):
            roi, drawn = Dataset(), Dataset()
            roi.ROINumber = drawn.ReferencedROINumber = number
            roi.ROIName = name
            if name != "SPINAL CORD":
                drawn.ContourSequence = dataset.ROIContourSequence[0].ContourSequence
            dataset.StructureSetROISequence.append(roi)
            dataset.ROIContourSequence.append(drawn)

    contours(tmp_path / "rt.dcm", change)
    assert segment_names(tmp_path / "rt.dcm") == ([*NAMES, "liver"], ["GTV", "Spinal cord"])

    def twice(path: Path) -> None:
        both = np.stack([*masks().values()])
        write_dicom_seg(path, dict(zip(("liver", "GTV", "gtv"), [*both, both[0]], strict=True)), AFFINE)

    folder = patients(tmp_path / "data", twice, "masks/{name}/masks.dcm")
    settings = proposed(folder, tmp_path / "out")
    assert [c["segment"] for c in settings["classes"]] == ["liver"]
    assert [line for line in capsys.readouterr().out.splitlines() if "left out" in line] == [
        "- GTV left out, there more than once in masks/mr0/masks.dcm, masks/mr1/masks.dcm, "
        "masks/mr2/masks.dcm and 1 more; give each segment or structure a name of its own"
    ]


def test_a_file_whose_names_are_all_there_twice_gives_no_class(tmp_path, capsys):
    """Not one of everything that is marked; and points without contours are not worth a word."""

    def twice(path: Path) -> None:
        both = [*masks().values()]
        write_dicom_seg(path, dict(zip(("GTV", "gtv"), both, strict=True)), AFFINE)

    folder = patients(tmp_path / "data", twice, "masks/{name}/masks.dcm")
    with pytest.raises(ValueError, match="none is an image with a mask, so nothing was written"):
        proposed(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "GTV left out, there more than once" in capsys.readouterr().out

    def points(dataset: Dataset) -> None:
        for number in (50, 51):
            roi, drawn = Dataset(), Dataset()
            roi.ROINumber = drawn.ReferencedROINumber = number
            roi.ROIName = "POI"
            dataset.StructureSetROISequence.append(roi)
            dataset.ROIContourSequence.append(drawn)

    contours(tmp_path / "rt.dcm", points)
    assert segment_names(tmp_path / "rt.dcm") == (list(NAMES), [])


def test_a_structure_set_of_points_is_no_class(tmp_path):
    """Beside masks in another file: it takes neither these nor the patient away."""

    def points_alone(dataset: Dataset) -> None:
        for drawn in dataset.ROIContourSequence:
            for contour in drawn.ContourSequence:
                contour.ContourGeometricType = "POINT"

    def both(path: Path) -> None:
        frames(path)
        contours(path.with_name("points.dcm"), points_alone)

    folder = patients(tmp_path / "data", both, "masks/{name}/masks.dcm")
    settings = proposed(folder, tmp_path / "out")
    assert [c["segment"] for c in settings["classes"]] == list(NAMES)


def test_a_segmentation_with_an_unnamed_segment_gets_one_sentence(tmp_path, capsys):
    folder = patients(tmp_path / "data", frames, "masks/{name}/masks.dcm", 5)
    path = folder / "masks/mr1/masks.dcm"
    write_dicom_seg(path, dict(zip(("breast", " "), masks().values(), strict=True)), AFFINE)
    proposed(folder, tmp_path / "out")
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("- ")] == [
        f"- {path}: left out, expected a SegmentLabel for each segment, but segment 2 has none; export it "
        "again with its segments' names",
        "- 1 patient without masks that can be used left out: mr1",
    ]


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_kinds_of_contours_are_compared_as_the_reader_does(tmp_path):
    """In capitals; without one, its structure is left out and no other."""

    def change(dataset: Dataset) -> None:
        fgt, breast = dataset.ROIContourSequence
        for contour in breast.ContourSequence:
            contour.ContourGeometricType = "Closed_Planar"
        del fgt.ContourSequence[0].ContourGeometricType

    contours(tmp_path / "rt.dcm", change)
    assert segment_names(tmp_path / "rt.dcm") == (["breast"], [])


def test_what_a_file_holds_is_read_from_its_header(tmp_path):
    write_dicom(tmp_path / "series", Stored(image_of(label_map((1,)), 0), AFFINE))
    assert not any(holds_masks(path) for path in (tmp_path / "series").iterdir())
    frames(tmp_path / "whole.dcm")
    whole = (tmp_path / "whole.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[:600])
    contours(tmp_path / "drawn.dcm")
    drawn = (tmp_path / "drawn.dcm").read_bytes()
    (tmp_path / "without_preamble.dcm").write_bytes(drawn[144 + int.from_bytes(drawn[140:144], "little") :])
    (tmp_path / "text.dcm").write_text("no DICOM")
    (tmp_path / "empty.dcm").write_bytes(b"")
    held = {path.name for path in tmp_path.glob("*.dcm") if holds_masks(path)}
    assert held == {"whole.dcm", "cut.dcm", "drawn.dcm", "without_preamble.dcm"}
