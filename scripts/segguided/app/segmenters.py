"""The segmenter that chooses among generated images: any of the run's but those that measure the tables."""

import json
from dataclasses import dataclass
from pathlib import Path

from segguided.app.run_folder import WEIGHTS_FILE, RunFolder
from segguided.config.reserved import REAL
from segguided.seals import KEY
from segguided.training.storage import WEIGHTS_KEY, check_weights, config_path, read_description

SEGMENTER_FOLDER = "segmenter"  # where a copied run folder may hold one


@dataclass(frozen=True)
class Chooser:
    """A segmenter's weights, with their checksum."""

    weights: Path
    weights_sha256: str
    channels: int = 1  # of the images that it segments


def find_chooser(run: RunFolder, folder: Path | None) -> Chooser:
    """The segmenter in `folder`, or by default the one that was trained on images of the run's own model.

    Raises ValueError where there is none, where it is an evaluator, trained on real images, by which the
    tables measure, and where it knows other classes or grey values than the model.
    """
    weights = (_default(run) if folder is None else folder) / WEIGHTS_FILE
    if not weights.is_file():
        raise ValueError(f"{weights}: expected a trained segmenter, but there is none; correct --segmenter")
    description = read_description(weights)
    if "segmenter" not in description:
        raise ValueError(f"{weights.parent} holds no segmenter, but another network; correct --segmenter")
    if _trained_on(weights) == REAL:
        raise ValueError(
            f"{weights.parent} is the evaluator, by which the tables measure, and images that it chose could "
            "not be measured by it any more; name a segmenter that was trained on generated images"
        )
    if description["n_classes"] != len(run.facts.classes):
        raise ValueError(
            f"{weights.parent} knows {description['n_classes']} classes, but {run.facts.model} has "
            f"{len(run.facts.classes)}; name a segmenter of the dataset {run.facts.dataset}"
        )
    channels = description.get("channels", 1)
    if channels != run.facts.n_channels:
        raise ValueError(
            f"{weights.parent} segments images of {channels} channels, but those of {run.facts.model} have "
            f"{run.facts.n_channels}; name a segmenter of the dataset {run.facts.dataset}"
        )
    prepared = description.get("preparation")
    if prepared and run.facts.preparation and prepared != run.facts.preparation:
        raise ValueError(
            f"{weights.parent} was trained on slices that were prepared by other settings than those of "
            f"{run.facts.model}; name a segmenter of the dataset {run.facts.dataset}"
        )
    check_weights(weights)
    return Chooser(weights, str(description[WEIGHTS_KEY]), channels)


def _default(run: RunFolder) -> Path:
    """The folder of the segmenter. Raises ValueError where neither run folder nor results have one."""
    copied = run.folder / SEGMENTER_FOLDER
    if (copied / WEIGHTS_FILE).is_file():
        return copied
    facts = run.facts
    segmenters = run.folder.absolute().parents[3] / "segmenters" if _is_in_results(run) else None
    own = Path(facts.dataset, facts.model, f"seed{facts.seed}")
    if segmenters and (segmenters / own / WEIGHTS_FILE).is_file():
        return segmenters / own
    only = segmenters is not None and any((segmenters / facts.dataset / REAL).glob(f"*/{WEIGHTS_FILE}"))
    there = "the results hold only the evaluator of the tables" if only else "the results hold none"
    raise ValueError(
        f"--keep-best needs a segmenter that was trained on generated images, but {there}; make it "
        f"(snakemake RESULTS/segmenters/{own}/{WEIGHTS_FILE}), or name one with --segmenter"
    )


def _is_in_results(run: RunFolder) -> bool:
    """Whether the folder is runs/DATASET/MODEL/seedN of some results."""
    names = run.folder.absolute().parts[-4:]
    return names == ("runs", run.facts.dataset, run.facts.model, f"seed{run.facts.seed}")


def _trained_on(weights: Path) -> str:
    """The set of images that a segmenter was trained on, by the place it was written for; empty: unknown."""
    sealed_for = json.loads(config_path(weights).read_text(encoding="utf-8"))[KEY].partition(" ")[2]
    parts = Path(sealed_for).parts  # segmenters/DATASET/TRAIN_SET/seedN/config.json
    return parts[2] if len(parts) == 5 and parts[0] == "segmenters" else ""
