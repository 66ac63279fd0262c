"""Made-up patients in the files of the paper's two datasets, for `make smoke-paper`; nothing is downloaded.

Duke: DICOM series of 448×448 pixels, as if fetched, and .seg.nrrd masks. CT-ORG: NIfTI volumes and labels of
512×512.
"""

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
import pydicom

from segguided.data.datasets.duke_layout import write_duke_layout
from segguided.data.datasets.phantom import make_phantom
from segguided.files import sha256_of
from support import fixtures_ct_org, volume_files

SLICES = 3
DUKE_SIDE = 448  # pixels, as in most of the real series
# Chosen so that a test mask allows each edit of the counterfactuals.
DUKE = {
    "Breast_MRI_002": "held-out",
    "Breast_MRI_006": "train",
    "Breast_MRI_019": "test",
    "Breast_MRI_031": "test",
}
CT_ORG = {0: "train", 1: "held-out", 2: "test", 3: "test"}
CT_SLICES = [4, 12, 24]  # of the small case: bladder; liver and kidneys; lungs
CT_FACTOR = 16  # from the small case's 32×28 pixels to 512×512
CT_NOISE_HU = 25.0


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a patient table."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_duke(results: Path, made: Path, side: int) -> None:
    """Series where the pipeline keeps fetched ones, so that it finds them complete; the rest in `made`."""
    raw = results / "raw/breast-mri"
    rows = []
    for patient, split in DUKE.items():
        write_duke_layout(make_phantom(patient, seed=0, size=side, slices=SLICES), patient, raw)
        files = sorted((raw / "images" / patient).iterdir())
        rows.append(
            {
                "patient": patient,
                "series_uid": str(pydicom.dcmread(files[0], stop_before_pixels=True).SeriesInstanceUID),
                "series_url": f"s3://idc-open-data/made-up-{patient}/*",
                "instances": str(len(files)),
                "size_MB": f"{sum(path.stat().st_size for path in files) / 1e6:.6f}",
                "paper_split": split,
            }
        )
    masks = made / "duke-masks/Supplement-v3"
    masks.mkdir(parents=True)
    shutil.move(raw / "Segmentation_Masks_NRRD", masks / "Segmentation_Masks_NRRD")
    write_table(made / "duke.tsv", rows)


def ct_labels(case: int) -> volume_files.Stored:
    """The label map of one case, axes (x, y, z): a few slices, each patient moved a little to the left."""
    small = fixtures_ct_org.labels()
    array = small.array_ijk[:, :, CT_SLICES].repeat(CT_FACTOR, axis=0).repeat(CT_FACTOR, axis=1)
    array = np.pad(np.roll(array, 8 * case, axis=0), ((0, 0), (0, array.shape[0] - array.shape[1]), (0, 0)))
    affine = small.affine @ np.diag([1 / CT_FACTOR, 1 / CT_FACTOR, CT_SLICES[1] - CT_SLICES[0], 1.0])
    return volume_files.Stored(array, affine)


def write_ct_org(made: Path) -> None:
    """volume-N.nii.gz and labels-N.nii.gz as downloaded from TCIA, and the table."""
    folder = made / "ct-org/OrganSegmentations"
    folder.mkdir(parents=True)
    rows = []
    for case, split in CT_ORG.items():
        labels = volume_files.stored_along(ct_labels(case), "LAS")
        noise = np.random.default_rng(case).normal(0, CT_NOISE_HU, labels.array_ijk.shape)
        image = np.rint(fixtures_ct_org.HU[labels.array_ijk] + noise).astype(np.int16)
        files = {part: folder / f"{part}-{case}.nii.gz" for part in ("volume", "labels")}
        volume_files.write_nifti(files["volume"], volume_files.Stored(image, labels.affine))
        volume_files.write_nifti(files["labels"], labels, slope=1 / 255)
        checksums = {f"sha256_{part}": sha256_of(path) for part, path in files.items()}
        rows.append({"patient": f"ct-org-{case:03}", "case": str(case), **checksums, "split": split})
    write_table(made / "ct-org.tsv", rows)


def write_smoke_files(results: Path, duke_side: int = DUKE_SIDE) -> None:
    """Write all files below `results`, once: `made` is complete where it is there."""
    made = results / "made"
    if made.is_dir():
        return
    shutil.rmtree(results / "raw/breast-mri", ignore_errors=True)
    unfinished = results / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write_duke(results, unfinished, duke_side)
    write_ct_org(unfinished)
    unfinished.rename(made)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the folder of results, such as results/smoke-paper")
    write_smoke_files(parser.parse_args().results)
