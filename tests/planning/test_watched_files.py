"""What Snakemake compares of a user's folders: each patient's files, so that a neighbour's change nothing."""

import os

import pytest

from segguided.config.sources.dicom import DicomSource
from segguided.config.sources.nifti import NiftiSource
from segguided.config.sources.png import PngSource
from segguided.data.datasets.duke_layout import write_duke_layout
from segguided.data.datasets.phantom import make_phantom
from segguided.planning.watched_files import _png, files_in_folders, model_files
from support.miniature import ARGUMENTS, copy_repository, jobs_of, snakemake

MASKS = ["Segmentation_{}_Breast.seg.nrrd", "Segmentation_{}_Dense_and_Vessels.seg.nrrd"]


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return str(path)


def test_a_series_and_its_masks_in_any_folder_and_no_hidden_file(tmp_path):
    source = DicomSource(kind="dicom", images=str(tmp_path / "images"), masks=str(tmp_path))
    series = [write(tmp_path / f"images/p1/{k}.dcm") for k in (1, 2)]
    write(tmp_path / "images/p1/._1.dcm")
    write(tmp_path / "images/p2/1.dcm")
    assert files_in_folders(source, "p1", ["a.nrrd"]) is None, "no masks: slicing says so"
    mask = write(tmp_path / "sub/Segmentation_Masks_NRRD/p1/a.nrrd")
    assert files_in_folders(source, "p1", ["a.nrrd"]) == [*series, mask]
    assert files_in_folders(source, "p1", ["a.nrrd", "b.nrrd"]) is None


def test_slices_of_a_patient_whose_name_begins_anothers(tmp_path):
    source = PngSource(kind="png", images=str(tmp_path / "i"), masks=str(tmp_path / "m"))
    for patient in ("p", "p_slice_1", "q"):
        write(tmp_path / f"i/train/{patient}_slice_3.png")
    assert files_in_folders(source, "p", []) is None
    mask = write(tmp_path / "m/train/p_slice_3.png")
    _png.cache_clear()
    assert files_in_folders(source, "p", []) == [str(tmp_path / "i/train/p_slice_3.png"), mask]


def test_slices_on_their_own_and_names_in_another_unicode_form(tmp_path):
    """Else Snakemake would look at the folder's time alone, which a slice that is written anew leaves."""
    source = PngSource(kind="png", images=str(tmp_path / "i"), masks=str(tmp_path / "m"))
    names = {"case7": "case7.PNG", "a_slice_x": "a_slice_x.png", "jos\u00e9": "jose\u0301_slice_3.png"}
    files = {p: [write(tmp_path / part / "train" / name) for part in "im"] for p, name in names.items()}
    assert {patient: files_in_folders(source, patient, []) for patient in names} == files
    dicom = DicomSource(kind="dicom", images=str(tmp_path / "images"), masks=str(tmp_path / "masks"))
    mask = write(tmp_path / "masks/jose\u0301/l\u00e4sion.nrrd")
    assert files_in_folders(dicom, "jos\u00e9", ["la\u0308sion.nrrd"]) is None, "no series yet"
    series = write(tmp_path / "images/jose\u0301/1.dcm")
    write(tmp_path / "images/jose\u0301/Thumbs.db")
    assert files_in_folders(dicom, "jos\u00e9", ["la\u0308sion.nrrd"]) == [series, mask]


def test_other_sources_name_files_themselves(tmp_path):
    assert files_in_folders(NiftiSource(kind="nifti", folder=str(tmp_path)), "p", []) is None


def test_files_of_a_model_in_both_layouts(tmp_path):
    assert model_files(tmp_path / "none") == [str(tmp_path / "none")]
    files = [
        write(tmp_path / "one" / name) for name in ("unet/a.bin", "unet/config.json", "scheduler/c.json")
    ]
    write(tmp_path / "one/README.md")
    assert model_files(tmp_path / "one") == model_files(tmp_path / "one/unet") == files
    plain = [write(tmp_path / "two" / name) for name in ("a.safetensors", "config.json")]
    assert model_files(tmp_path / "two") == plain


@pytest.fixture
def repository(tmp_path):
    """The miniature with its patients as a user's own DICOM folders; the fourth is still to come."""
    root = copy_repository(tmp_path)
    for k in (1, 2, 3):
        add(root, f"tiny_{k}")
    path = root / "workflow/miniature.yaml"
    source = "source: {kind: dicom, images: own/images, masks: own}"
    own = path.read_text().replace("source: {kind: phantom, size: 32, slices: 6, seed: 0}", source)
    path.write_text(own.replace("source: {kind: dicom, images: own/images, masks: own, contrast", "# {"))
    return root


def add(root, patient):
    write_duke_layout(make_phantom(patient, 0, 32, 6), patient, root / "own")


def test_a_new_patient_and_new_times_slice_no_other_patient_again(repository):
    targets = [f"results/slices/breast-phantom/tiny_{k}.npz" for k in (1, 2)]
    arguments = (*targets, "--configfile", "workflow/miniature.yaml", *ARGUMENTS)
    result = snakemake(repository, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    add(repository, "tiny_4")
    files = sorted((repository / "own").rglob("*"))
    for path in files:
        os.utime(path)
    assert jobs_of(snakemake(repository, "-n", *arguments)) == {}
    path = next(path for path in files if path.is_file() and "tiny_2" in str(path))
    path.write_bytes(path.read_bytes() + b"\0\0")
    assert jobs_of(snakemake(repository, "-n", *arguments)) == {"prepare_patient": 1}
