"""A CT-ORG case: boxes where a body has its organs, rasterised and written as in CT-ORG; and its receipt."""

from pathlib import Path
from typing import Any

import numpy as np

from fetch_volume import fetch_volume
from segguided.config.sources.ct_org import CtOrgSource
from support import volume_files as vf

# x to the left, y to the back, z to the head; organs differ in size, and no flip leaves one in place.
BOXES = {
    1: np.s_[3:9, 5:12, 12:18],  # liver, on the right
    2: np.s_[10:14, 5:9, 2:6],  # bladder, low and in front
    3: np.s_[3:20, 6:13, 20:28],  # lungs
    4: np.s_[6:9, 12:16, 8:13],  # right kidney
    5: np.s_[11:14, 14:18, 1:29],  # spine
    6: np.s_[10:13, 4:9, 28:30],  # brain
}
HU = np.array([-1000, 60, 5, -800, 120, 700, 35], np.int16)  # by label: each label has its own value


def labels(*absent: int) -> vf.Stored:
    """The label map in LPS order, without the absent labels."""
    array = np.zeros((32, 28, 30), np.int16)
    for label, box in BOXES.items():
        if label not in absent:
            array[box] = label
    array[16, 12:15, 10] = 0 if 4 in absent else 4  # and a small part of the left one
    affine = np.diag([0.8, 0.8, 2.5, 1.0])
    affine[:3, 3] = [-12.5, 31.25, -140.0]
    return vf.Stored(array, affine)


def image(label_map: vf.Stored) -> vf.Stored:
    return vf.Stored(HU[label_map.array_ijk], label_map.affine)


def write_case(
    folder: Path, case: int = 0, code: str = "LPS", whole: vf.Stored | None = None, **header: Any
) -> vf.Stored:
    """volume-N.nii.gz and labels-N.nii.gz with axes towards `code`; the labels as scaled floats."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = whole or labels()
    stored = vf.stored_along(whole, code)
    if header.get("identity"):  # in NIfTI's own frame, RAS
        stored = vf.Stored(stored.array_ijk, np.diag([-1.0, -1.0, 1.0, 1.0]))
    vf.write_nifti(folder / f"volume-{case}.nii.gz", image(stored))
    vf.write_nifti(folder / f"labels-{case}.nii.gz", stored, slope=header.get("slope", 1 / 255))
    return whole


def row(case: int = 0, volume: str = "", label: str = "") -> dict[str, str]:
    return {
        "patient": f"ct-org-{case:03}",
        "case": str(case),
        "sha256_volume": volume,
        "sha256_labels": label,
    }


def settings(**values: Any) -> CtOrgSource:
    return CtOrgSource.model_validate({"kind": "ct-org", **values})


def fetch(root: Path, patient_row: dict[str, str] | None = None, **source: Any) -> Path:
    """The receipt of the fetched case."""
    patient_row = patient_row or row()
    receipt = root / "receipts" / f"{patient_row['patient']}.json"
    fetch_volume(patient_row, settings(**source), receipt)
    return receipt
