"""Images for masks from elsewhere, batch by batch, with a manifest; a call that was stopped goes on.

Shape letters: N masks, B batch, H height, W width.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from segguided.app.mask_inputs import UserMasks
from segguided.app.run_folder import RunFolder
from segguided.app.samplers import load_sampler
from segguided.config.models.training import Precision
from segguided.config.sampling import Sampling
from segguided.data.formats.png import write_grey
from segguided.files import atomic_path, table_text, write_text
from segguided.generation.completion import Completer, load_completer
from segguided.generation.partial_masks import GivenClasses, PartialMaskSampler
from segguided.text_tables import read_table
from segguided.training.storage import WEIGHTS_KEY, read_description

LOG = logging.getLogger("segguided")
MANIFEST = "manifest.csv"
IMAGES = "images"
MASKS = "masks"  # those that the images follow, where a completer filled them in
COLUMNS = ("image", "mask", "slice", "seed", "sample", "mask_id", "batch", "call", "weights", "settings")


@dataclass(frozen=True)
class Wanted:
    """What is asked for: noise seeds, samples of each mask and seed, classes that are left to the model."""

    seeds: tuple[int, ...]
    samples: int
    free: tuple[int, ...]
    sampling: Sampling

    @property
    def settings(self) -> dict[str, object]:
        """As JSON values."""
        return {
            "seeds": list(self.seeds),
            "samples": self.samples,
            "free": list(self.free),
            "sampling": self.sampling.model_dump(mode="json"),
        }


@dataclass(frozen=True)
class MaskBatch:
    """Masks (B, H, W) of one call of the sampler; which they are decides an image's last bits."""

    number: int
    seed: int
    sample: int
    rows: range  # of the masks


def plan(masks: UserMasks, wanted: Wanted) -> list[MaskBatch]:
    """All batches: for each seed and sample the masks in their order, as the pipeline's sets are made."""
    size = wanted.sampling.batch_size
    batches: list[MaskBatch] = []
    for seed in wanted.seeds:
        for sample in range(wanted.samples):
            for start in range(0, len(masks.names), size):
                rows = range(start, min(start + size, len(masks.names)))
                batches.append(MaskBatch(len(batches), seed, sample, rows))
    return batches


def call_digest(run: RunFolder, masks: UserMasks, wanted: Wanted) -> str:
    """A digest of all that decides the images: weights, masks, their ids and order, settings."""
    digest = sha256(run.facts.weights_sha256.encode())
    completer = run.completer() if wanted.free else None
    if completer:
        digest.update(str(read_description(completer)[WEIGHTS_KEY]).encode())
    digest.update(json.dumps(wanted.settings, sort_keys=True).encode())
    digest.update("\0".join(masks.names).encode())
    digest.update(np.ascontiguousarray(masks.masks_NHW).tobytes())
    return digest.hexdigest()[:16]


def image_name(masks: UserMasks, row: int, batch: MaskBatch, wanted: Wanted) -> str:
    """The file's name without its ending: the mask id, then seed and sample where there are several."""
    name = masks.names[row]
    if len(wanted.seeds) > 1:
        name += f"_seed{batch.seed}"
    return name if wanted.samples == 1 else f"{name}_{batch.sample}"


def generate(run: RunFolder, masks: UserMasks, wanted: Wanted, output: Path) -> list[Path]:
    """Write images/NAME.png for each image and manifest.csv; batches that are there are not made again.

    With free classes and a model that has a mask completer, masks/NAME.png are the masks that were completed.
    Returns the images' files in the order of the manifest. Raises ValueError where `output` holds what
    another call made, or other files.
    """
    call = call_digest(run, masks, wanted)
    folders = (IMAGES, MASKS) if wanted.free and run.facts.completer else (IMAGES,)
    done = _finished(output, call, folders)
    rows = [row for rows in done.values() for row in rows]
    waiting = [batch for batch in plan(masks, wanted) if batch.number not in done]
    for batch in _with_progress(waiting):
        rows += _make(run, masks, wanted, batch, output, call)
        rows.sort(key=lambda row: int(row["batch"]))
        write_text(output / MANIFEST, table_text(output / MANIFEST, rows))
    return [output / row["image"] for row in rows]


def images_of(
    run: RunFolder, masks: UserMasks, wanted: Wanted, batch: MaskBatch
) -> tuple[np.ndarray, np.ndarray]:
    """Images (B, H, W) of a batch, and the masks that they follow."""
    sampler = load_sampler(run, wanted.sampling, batch.seed)
    completer = _completer(run, wanted, batch.seed)
    n_classes = len(run.facts.classes)
    kept = [value for value in range(1, n_classes + 1) if value not in wanted.free]
    given = GivenClasses(kept, n_classes, completer)
    partial = PartialMaskSampler(sampler, given, batch.sample, [])
    names = [masks.names[row] for row in batch.rows]
    images_BHW = partial(torch.from_numpy(masks.masks_NHW[batch.rows.start : batch.rows.stop].copy()), names)
    return images_BHW.cpu().numpy(), partial.masks[0]


def _completer(run: RunFolder, wanted: Wanted, seed: int) -> Completer | None:
    """What fills in free classes; None where none is free, or the model has none."""
    weights = run.completer() if wanted.free else None
    if weights is None:
        return None
    sha256_of_weights = str(read_description(weights)[WEIGHTS_KEY])
    return _loaded_completer(weights, sha256_of_weights, seed, wanted.sampling.precision)


@lru_cache(maxsize=1)
def _loaded_completer(weights: Path, _sha256: str, seed: int, precision: Precision) -> Completer:
    """Read from disk once for all batches of a seed, and anew where other weights are at the same place."""
    return load_completer(weights, seed, precision)


def _make(
    run: RunFolder, masks: UserMasks, wanted: Wanted, batch: MaskBatch, output: Path, call: str
) -> list[dict[str, str]]:
    """Write the images of a batch; the manifest's rows."""
    images_BHW, seen_BHW = images_of(run, masks, wanted, batch)
    rows = []
    for row, image_HW, seen_HW in zip(batch.rows, images_BHW, seen_BHW, strict=True):
        name = f"{image_name(masks, row, batch, wanted)}.png"
        _write_png(output / IMAGES / name, image_HW)
        if wanted.free and run.facts.completer:
            _write_png(output / MASKS / name, seen_HW)
        place = masks.places[row]
        rows.append(
            {
                "image": f"{IMAGES}/{name}",
                "mask": str(place.path),
                "slice": "" if place.z is None else str(place.z),
                "seed": str(batch.seed),
                "sample": str(batch.sample),
                "mask_id": masks.names[row],
                "batch": str(batch.number),
                "call": call,
                "weights": run.facts.weights_sha256,
                "settings": json.dumps(wanted.settings, sort_keys=True),
            }
        )
    return rows


def _write_png(path: Path, pixels_HW: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        write_grey(temporary, pixels_HW)


def _finished(output: Path, call: str, folders: Sequence[str]) -> dict[int, list[dict[str, str]]]:
    """The manifest's rows of each batch whose pictures are in all `folders`."""
    if not output.exists() or not any(output.iterdir()):
        return {}
    manifest = output / MANIFEST
    if not manifest.is_file():
        raise ValueError(
            f"{output} is not empty and has no {MANIFEST}, so its files are not ours; name another folder"
        )
    done: dict[int, list[dict[str, str]]] = {}
    for row in read_table(manifest, ",", COLUMNS).rows:
        if row["call"] != call:
            raise ValueError(
                f"{manifest} is of another call: other masks, weights, seeds or settings; name another folder"
            )
        done.setdefault(int(row["batch"]), []).append(dict(row))
    return {number: rows for number, rows in done.items() if _are_there(output, rows, folders)}


def _are_there(output: Path, rows: Sequence[dict[str, str]], folders: Sequence[str]) -> bool:
    names = [Path(row["image"]).name for row in rows]
    return all((output / folder / name).is_file() for folder in folders for name in names)


def _with_progress(batches: Sequence[MaskBatch]) -> Iterator[MaskBatch]:
    for number, batch in enumerate(tqdm(batches, desc="generating", disable=None, unit="batch"), 1):
        yield batch
        LOG.info("generated batch %d of %d", number, len(batches))
