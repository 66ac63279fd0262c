"""Slices per second on one core: scripts/prepare_patient.py against a plain SimpleITK loop on the same files.

Run by `make bench`. Both read a generated patient, bring it to LPS, clip, resample to 256×256 and write an
.npz; in turn, each time in a process of its own, which also tells its peak memory. CPU seconds, with warm
disk caches. Then the same patient through Snakemake, whose benchmark file has the memory of the whole job.
"""

import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

from segguided.config.datasets import Preparation
from support import volume_files as vf
from support.miniature import copy_repository, snakemake

SIZE, SLICES, OUT = 512, 160, 256  # the largest of the Duke series' matrices, and a middling number of slices
ROUNDS, REPEATS = 5, 3
BREAST, DENSE = "Segmentation_p1_Breast.seg.nrrd", "Segmentation_p1_Dense_and_Vessels.seg.nrrd"
CLASSES = {
    "dicom": [
        {"name": "breast", "file": BREAST, "segment": "Breast"},
        {"name": "vessels", "file": DENSE, "segment": "Vessels"},
        {"name": "FGT", "file": DENSE, "segment": "Dense"},
    ],
    "nifti": [
        {"name": name, "label": k}
        for k, name in enumerate(("liver", "bladder", "lungs", "kidneys", "bone"), start=1)
    ],
}
INTENSITY = {
    "dicom": {"kind": "percentile", "low": 0.5, "high": 99.5},
    "nifti": {"kind": "window", "low": -1000, "high": 1000},
}
NAMES = {"image": "{patient}.nii.gz", "mask": "{patient}_labels.nii.gz"}
SOURCES = {
    "dicom": {"kind": "dicom", "images": "unused", "masks": "unused"},
    "nifti": {"kind": "nifti", "folder": "unused"},
}


def preparation(kind):
    values = {
        "source": SOURCES[kind],
        "classes": CLASSES[kind],
        "intensity": INTENSITY[kind],
        "image_size": OUT,
    }
    return Preparation.model_validate(values)


def ball(radius, centre=0.0):
    """Whether each voxel lies in a ball; coordinates run from -1 to 1."""
    x, y, z = np.ogrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j, -1 : 1 : SLICES * 1j]
    return (x - centre) ** 2 + y**2 + z**2 < radius**2


def write_patient(folder, kind):
    """A noisy ball as a DICOM series with .seg.nrrd masks, or as NIfTI with a label map; the files' paths."""
    affine = np.diag([0.7, 0.7, 1.0, 1.0])
    noise = np.random.default_rng(0).normal(0, 30, (SIZE, SIZE, SLICES))
    values = (ball(0.8) * 400 + noise).astype(np.int16)
    labels = ball(0.7).astype(np.uint8)
    if kind == "nifti":
        for k in range(2, 6):
            labels[ball(0.2, -0.7 + k * 0.2)] = k
        image = vf.write_nifti(folder / "p1.nii.gz", vf.Stored(values, affine))
        return [image, vf.write_nifti(folder / "p1_labels.nii.gz", vf.Stored(labels, affine))]
    vf.write_dicom(folder / "p1", vf.Stored(values, affine))
    masks = folder / "masks/p1"
    masks.mkdir(parents=True)
    vf.write_nrrd(masks / BREAST, vf.Stored(labels, affine), **vf.segment_fields(("Breast", 1, 0)))
    dense = ball(0.4).astype(np.uint8) + ball(0.2)
    names = vf.segment_fields(("Vessels", 2, 0), ("Dense", 1, 0))
    vf.write_nrrd(masks / DENSE, vf.Stored(dense, affine), **names)
    return [folder / "p1", folder / "masks"]


def ours(kind, raw, output):
    from prepare_patient import prepare_patient

    return lambda: prepare_patient({"patient": "p1"}, preparation(kind), raw, output)


def plain(kind, raw, output):
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

    def read():
        if kind == "nifti":
            return sitk.ReadImage(str(raw[0])), [sitk.ReadImage(str(raw[1]))]
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(raw[0])))
        masks = [sitk.ReadImage(str(raw[1] / "p1" / name)) for name in (BREAST, DENSE)]
        return reader.Execute(), [masks[0], *(masks[1] == value for value in (2, 1))]

    def resampled(image, interpolator):
        image = sitk.DICOMOrient(image, "LPS")
        width, height, depth = image.GetSize()
        spacing = image.GetSpacing()
        step = [spacing[0] * width / OUT, spacing[1] * height / OUT, spacing[2]]
        origin, direction = image.GetOrigin(), image.GetDirection()
        return sitk.GetArrayFromImage(
            sitk.Resample(
                image,
                [OUT, OUT, depth],
                sitk.Transform(),
                interpolator,
                origin,
                step,
                direction,
                0,
                image.GetPixelID(),
            )
        )

    def run():
        image, masks = read()
        intensity = INTENSITY[kind]
        low, high = intensity["low"], intensity["high"]
        if kind == "dicom":
            low, high = np.percentile(sitk.GetArrayViewFromImage(image), [low, high])
        image = sitk.IntensityWindowing(sitk.Cast(image, sitk.sitkFloat32), float(low), float(high), 0, 255)
        images = resampled(image, sitk.sitkLinear).astype(np.uint8)
        mask = np.zeros(images.shape, np.uint8)
        for value, one in enumerate(masks, 1):
            array = resampled(one, sitk.sitkNearestNeighbor)
            mask[array > 0] = array[array > 0] if kind == "nifti" else value
        np.savez(output, images=images, masks=mask)

    return run


def measured(kind, how, raw, output):
    """CPU seconds of the fastest of REPEATS runs, after one to warm up, and memory beyond the imports'."""
    run = {"ours": ours, "plain": plain}[how](kind, raw, output)
    imports = peak_mib()
    run()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return {"seconds": min(times), "MiB": peak_mib() - imports}


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_its_own_process(*arguments):
    """What this file prints when called with `arguments`; a child's peak memory begins at its parent's."""
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def compare(kind, raw, scratch):
    """Print the median rate and the range of ROUNDS rounds, in each of which both take their turn."""
    results = {"ours": [], "plain": []}
    for _ in range(ROUNDS):
        for how, found in results.items():
            found.append(in_its_own_process(kind, how, *raw, Path(scratch, f"{how}.npz")))
    for how, found in results.items():
        rates = sorted(SLICES / one["seconds"] for one in found)
        memory = statistics.median(one["MiB"] for one in found)
        print(
            f"{kind}, {how}: {statistics.median(rates):.0f} slices/s ({rates[0]:.0f} to {rates[-1]:.0f}), "
            f"{memory:.0f} MiB beyond the imports"
        )
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(results["ours"], results["plain"], strict=True)]
    print(f"{kind}: ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def through_snakemake(kind, raw, scratch):
    """Print what the benchmark file of prepare_patient says about the patient."""
    repository = copy_repository(Path(scratch))
    raw = [Path(path) for path in raw]
    source = {
        "dicom": {"kind": "dicom", "images": str(raw[0].parent), "masks": str(raw[1])},
        "nifti": {"kind": "nifti", "folder": str(raw[0].parent), **NAMES},
    }[kind]
    dataset = {"source": source, "manifest": "own.tsv", "classes": CLASSES[kind], "image_size": OUT}
    dataset |= {"intensity": INTENSITY[kind], "split": {"column": "split", "seed": 0}}
    table = "patient\tsplit\np1\ttrain\np2\theld-out\np3\ttest\n"
    (repository / "own.tsv").write_text(table)
    config = yaml.safe_load((repository / "config.yaml").read_text())
    config["grid"] |= {"datasets": ["bench"], "models": ["unconditional"]}
    config["datasets"] = {"bench": dataset, **config["datasets"]}
    (repository / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(repository, "results/slices/bench/p1.npz", "--cores", 1)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    with (repository / "benchmarks/prepare_patient/bench/p1.tsv").open() as file:
        job = next(csv.DictReader(file, delimiter="\t"))
    print(f"{kind}, the whole job by its benchmark file: {job['s']} s, max_rss {job['max_rss']} MB")


def main():
    volume = SIZE * SIZE * SLICES / 2**20
    print(
        f"{SLICES} slices of {SIZE}×{SIZE}: image {2 * volume:.0f} MiB as int16, its mask {volume:.0f} MiB, "
        f"the slices to write {2 * OUT * OUT * SLICES / 2**20:.0f} MiB"
    )
    for kind in ("dicom", "nifti"):
        with tempfile.TemporaryDirectory() as scratch:
            raw = in_its_own_process(kind, scratch)
            compare(kind, raw, scratch)
            through_snakemake(kind, raw, scratch)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(list(map(str, write_patient(Path(sys.argv[2]), sys.argv[1])))))
    elif len(sys.argv) > 3:
        kind, how, *raw, output = sys.argv[1:]
        print(json.dumps(measured(kind, how, [Path(path) for path in raw], Path(output))))
    else:
        main()
