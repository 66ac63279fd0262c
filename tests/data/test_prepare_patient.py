"""The script that slices one patient, through its command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segguided.config.datasets import Preparation
from segguided.data.datasets.duke_layout import write_duke_layout
from segguided.data.datasets.phantom import make_phantom
from segguided.data.slices import Stack, read_stack
from support import volume_files as vf

SCRIPT = Path(__file__).parents[2] / "scripts" / "prepare_patient.py"
DUKE = [
    {"name": "breast", "file": "Segmentation_{patient}_Breast.seg.nrrd", "segment": "Breast"},
    {"name": "vessels", "file": "Segmentation_{patient}_Dense_and_Vessels.seg.nrrd", "segment": "Vessels"},
    {"name": "FGT", "file": "Segmentation_{patient}_Dense_and_Vessels.seg.nrrd", "segment": "Dense"},
]


def nifti_settings(**changes: Any) -> str:
    values = {
        "source": {"kind": "nifti", "folder": "unused"},
        "classes": [{"name": "body", "label": 1}, {"name": "bone", "label": 5}],
        "intensity": {"kind": "window", "low": -1000, "high": 1550},
        "image_size": 16,
    }
    return Preparation.model_validate({**values, **changes}).to_json()


def call(output: Path, patient: str, settings: str, *raw: Path) -> "subprocess.CompletedProcess[str]":
    arguments = [
        "--row",
        json.dumps({"patient": patient}),
        "--preparation",
        settings,
        "--output",
        str(output),
    ]
    command = [sys.executable, str(SCRIPT), *arguments, "--raw", *map(str, raw)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def ct(tmp_path: Path) -> list[Path]:
    whole = vf.stored_along(vf.truth(), "RAS")
    labels = np.where(whole.array_ijk == 40, 1, np.where(whole.array_ijk == 300, 5, 0)).astype(np.uint8)
    return [
        vf.write_nifti(tmp_path / "image.nii.gz", whole),
        vf.write_nifti(tmp_path / "mask.nii.gz", vf.Stored(labels, whole.affine)),
    ]


def test_nifti_end_to_end(tmp_path: Path, ct: list[Path]) -> None:
    output = tmp_path / "slices" / "p1.npz"
    done = call(output, "p1", nifti_settings(), *ct)
    assert done.returncode == 0, done.stderr
    stack = read_stack(output)
    assert stack.images_SHW.shape == stack.masks_SHW.shape == (9, 16, 16)
    assert stack.positions_S[0] == pytest.approx(-140)
    # In the frame of the library the bar of "bone" is on the left, anterior, upper side.
    s, y, x = np.argwhere(stack.masks_SHW == 2).mean(axis=0) - np.argwhere(stack.masks_SHW == 1).mean(axis=0)
    assert (s > 0, y < 0, x > 0) == (True, True, True)
    assert (stack.images_SHW[2] == 104).sum() > 20  # 40 HU in a window from -1000 to 1550
    again = tmp_path / "again" / "p1.npz"
    assert call(again, "p1", nifti_settings(), *ct).returncode == 0
    assert again.read_bytes() == output.read_bytes()


def test_duke_layout_end_to_end(tmp_path: Path) -> None:
    patient = "phantom_003"
    phantom = make_phantom(patient, seed=0, size=32, slices=6)
    write_duke_layout(phantom, patient, tmp_path / "duke")
    settings = Preparation.model_validate(
        {
            "source": {"kind": "dicom", "images": "unused", "masks": "unused"},
            "classes": DUKE,
            "intensity": {"kind": "percentile", "low": 0, "high": 100},
            "image_size": 32,
        }
    )
    output = tmp_path / "p.npz"
    done = call(output, patient, settings.to_json(), tmp_path / "duke/images" / patient, tmp_path / "duke")
    assert done.returncode == 0, done.stderr
    stack: Stack = read_stack(output)
    np.testing.assert_array_equal(stack.masks_SHW, phantom.labels_zyx)
    assert (stack.images_SHW.min(), stack.images_SHW.max()) == (0, 255)
    assert stack.provenance["image"]["series_uid"]


def refusal(output: Path, settings: str, *raw: Path) -> str:
    done = call(output, "p1", settings, *raw)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert not output.parent.exists() or not list(output.parent.iterdir())
    return done.stderr.removeprefix("error: ")


def test_bad_input_ends_in_one_sentence_and_no_file(tmp_path: Path, ct: list[Path]) -> None:
    image, mask = ct
    output = tmp_path / "slices" / "p1.npz"
    two = [{"name": "body", "label": 1}, {"name": "other", "label": 2}]
    assert refusal(output, nifti_settings(classes=two), *ct).startswith(f"{mask}: labels [5] are outside")
    absent = tmp_path / "none.nii"
    assert refusal(output, nifti_settings(), image, absent).startswith(f"{absent}: expected a NIfTI file")
    vf.cut(image)
    assert "truncated or damaged" in refusal(output, nifti_settings(), *ct)


def test_settings_that_do_not_fit_are_named(tmp_path: Path, ct: list[Path]) -> None:
    done = call(tmp_path / "p1.npz", "p1", nifti_settings().replace('"image_size":16', '"image_size":8'), *ct)
    assert done.returncode == 2
    assert "argument --preparation: not the settings of a Preparation (image_size: " in done.stderr
    assert not (tmp_path / "p1.npz").exists()
