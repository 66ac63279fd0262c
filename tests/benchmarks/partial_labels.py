"""What partial labels cost: half of the training phantoms' vessels withheld, as free or as background.

Run by hand, minutes on one core: `PYTHONPATH=scripts:tests python tests/benchmarks/partial_labels.py FOLDER`.
segguided-plus of workflow/partial-labels.yaml trains three times: on the whole masks, on those that lack the
vessels, and on the same with vessels taken for background. A segmenter of whole real held-out masks measures
Dice of the images' vessels with the input masks. Then segmenters of the same training patients' real images,
and of images generated from held-out masks, are measured on real test images. A second run skips what is
there.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
import yaml

from generate_diffusion import generate_diffusion
from prepare_patient import prepare_patient
from segguided.config.workflow import Config, load
from segguided.data.annotation import not_annotated
from segguided.data.slices import SliceSet, read_generated, read_slices, read_stack, write_stack
from segguided.data.splits import assign_splits, read_manifest
from segguided.devices import pick_device
from segguided.evaluation.dice import class_counts, pooled_dice
from segguided.evaluation.prediction import load_segmenter_for, predict
from segguided.models.segmenter_run import run_segmenter
from support.miniature_config import merged
from train_diffusion import train_diffusion
from write_phantom import write_phantom

ROOT = Path(__file__).parents[2]
FILES = ["config.yaml", *(f"workflow/{name}.yaml" for name in ("demo", "tuning", "partial-labels"))]
DATASET = "breast-phantom"
VARIANTS = ("whole", "free", "background")
TEST_PATIENTS = 8
SECONDS = 600.0  # between two saves of a resume file


def configuration() -> Config:
    settings: object = {}
    for name in FILES:
        settings = merged(settings, yaml.safe_load((ROOT / name).read_text()))
    return load(settings)


def prepare(config: Config, folder: Path) -> dict[str, list[str]]:
    """Write the slices of all variants; the patients of each split, of the test patients eight."""
    dataset = config.datasets[DATASET]
    rows = {row["patient"]: row for row in read_manifest(ROOT / dataset.manifest)}
    missing = not_annotated(list(rows.values()), dataset.class_names)
    splits = assign_splits(list(rows.values()), dataset.split)
    splits["test"] = splits["test"][:TEST_PATIENTS]
    for patient in (patient for patients in splits.values() for patient in patients):
        files = {variant: folder / "slices" / variant / f"{patient}.npz" for variant in VARIANTS}
        if all(path.exists() for path in files.values()):
            continue
        receipt = folder / "raw" / "receipts" / f"{patient}.json"
        write_phantom(patient, dataset.source, receipt)
        prepare_patient(rows[patient], dataset, [receipt], files["whole"])
        prepare_patient(rows[patient], dataset, [receipt], files["free"], missing[patient])
        write_stack(files["background"], replace(read_stack(files["free"]), not_annotated=()))
    return splits


def slices(folder: Path, variant: str, patients: list[str]) -> list[Path]:
    return [folder / "slices" / variant / f"{patient}.npz" for patient in patients]


def dice(segmenter: Path, shown: SliceSet, classes: int) -> list[float]:
    """Pooled Dice of each class, of what the segmenter finds in the images with the masks."""
    network = load_segmenter_for(shown, segmenter)
    predicted_SHW = predict(network, shown.images, pick_device())
    counts_SC4 = class_counts(predicted_SHW, shown.masks, classes)
    return [round(float(value), 3) for value in pooled_dice(counts_SC4)]


def trained_segmenter(weights: Path, data: SliceSet, config: Config, classes: int, seed: int) -> Path:
    if not weights.exists():
        run_segmenter(data, None, config.segmenter, classes, seed, weights)
    return weights


def main(folder: Path, seed: int) -> None:
    config = configuration()
    model = config.models["segguided-plus"]
    names = config.datasets[DATASET].class_names
    count = len(names)
    splits = prepare(config, folder)
    sets = [slices(folder, "whole", splits[split]) for split in ("test", "held-out")]
    test, held_out = (read_slices(paths) for paths in sets)
    judge = trained_segmenter(folder / f"judge{seed}/model.safetensors", held_out, config, count, seed)
    print("classes", names, "ceiling", dice(judge, test, count), flush=True)
    generated_held_out = {}
    for variant in VARIANTS:
        start = time.perf_counter()
        weights = folder / f"{variant}{seed}" / "model.safetensors"
        if not weights.exists():
            train_diffusion(slices(folder, variant, splits["train"]), model, count, seed, weights, SECONDS)
        outputs = [weights.with_name("test.npz"), weights.with_name("held-out.npz")]
        generate_diffusion(weights, config.sampling_of("segguided-plus"), sets, outputs, seed)
        shown = test.with_images(*read_generated(outputs[0], test))
        generated_held_out[variant] = held_out.with_images(*read_generated(outputs[1], held_out))
        print(
            variant,
            "generated",
            dice(judge, shown, count),
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
    for variant in VARIANTS:
        real = read_slices(slices(folder, variant, splits["train"]))
        for name, data in (("real", real), ("downstream", generated_held_out[variant])):
            weights = folder / f"{variant}{seed}" / name / "model.safetensors"
            segmenter = trained_segmenter(weights, data, config, count, seed)
            print(variant, name, dice(segmenter, test, count), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
