"""Images for masks from elsewhere, batch by batch, with a manifest; a call that was stopped goes on.

Shape letters: N masks, B batch, H height, W width.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from segguided.app.mask_inputs import UserMasks
from segguided.app.picture_files import remove_leftovers, write_picture
from segguided.app.planned_images import MadeImage, MaskBatch, Wanted, image_name, plan
from segguided.app.run_folder import RunFolder
from segguided.app.samplers import load_sampler
from segguided.config.models.training import Precision
from segguided.files import table_text, write_text
from segguided.generation.masks.completion import Completer, load_completer
from segguided.generation.partial_masks import GivenClasses, PartialMaskSampler
from segguided.text_tables import read_table
from segguided.training.storage import WEIGHTS_KEY, read_description

LOG = logging.getLogger("segguided")
MANIFEST = "manifest.csv"
IMAGES = "images"
REJECTED = "rejected"  # images that agree less with their mask than those kept
MASKS = "masks"  # those that the images follow, where a completer filled them in
COLUMNS = ("image", "mask", "slice", "seed", "sample", "mask_id", "batch", "call", "weights", "settings")


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


def generate(run: RunFolder, masks: UserMasks, wanted: Wanted, output: Path) -> list[MadeImage]:
    """Write images/NAME.png for each image and manifest.csv; batches that are there are not made again.

    With free classes and a model that has a mask completer, masks/NAME.png are the masks that were completed.
    Returns the images in the order of the manifest. Raises ValueError where `output` holds what
    another call made, or other files.
    """
    call = call_digest(run, masks, wanted)
    folders = [(IMAGES,) if wanted.keep is None else (IMAGES, REJECTED)]
    if wanted.free and run.facts.completer:
        folders.append((MASKS,))
    done = _finished(output, call, folders)
    for folder in (IMAGES, MASKS):
        remove_leftovers(output / folder)
    rows = [row for rows in done.values() for row in rows]
    batches = plan(masks, wanted)
    waiting = [batch for batch in batches if batch.number not in done]
    for batch in _with_progress(waiting):
        rows += _make(run, masks, wanted, batch, output, call)
        rows.sort(key=lambda row: int(row["batch"]))
        write_text(output / MANIFEST, table_text(output / MANIFEST, rows))
    return [
        MadeImage(_image_file(output, image_name(masks, row, batch, wanted)), row, batch.seed, batch.sample)
        for batch in batches
        for row in batch.rows
    ]


def _image_file(output: Path, name: str) -> Path:
    """The file of an image, which an earlier call may have rejected."""
    files = [output / folder / f"{name}.png" for folder in (IMAGES, REJECTED)]
    return next((file for file in files if file.is_file()), files[0])


def images_of(
    run: RunFolder, masks: UserMasks, wanted: Wanted, batch: MaskBatch
) -> tuple[np.ndarray, np.ndarray]:
    """Images (B, H, W) of a batch, or (B, H, W, channels), and the masks that they follow."""
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
        write_picture(output / IMAGES / name, image_HW)
        if wanted.free and run.facts.completer:
            write_picture(output / MASKS / name, seen_HW)
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


def _finished(output: Path, call: str, folders: Sequence[Sequence[str]]) -> dict[int, list[dict[str, str]]]:
    """The manifest's rows of each batch whose pictures are there: in one folder of each of `folders`."""
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
        name = Path(row["image"]).name
        own = {column: row[column] for column in COLUMNS} | {"image": f"{IMAGES}/{name}"}
        done.setdefault(int(row["batch"]), []).append(own)
    return {number: rows for number, rows in done.items() if _are_there(output, rows, folders)}


def _are_there(output: Path, rows: Sequence[dict[str, str]], folders: Sequence[Sequence[str]]) -> bool:
    names = [Path(row["image"]).name for row in rows]
    return all(
        any((output / folder / name).is_file() for folder in choice) for choice in folders for name in names
    )


def _with_progress(batches: Sequence[MaskBatch]) -> Iterator[MaskBatch]:
    for number, batch in enumerate(tqdm(batches, desc="generating", disable=None, unit="batch"), 1):
        yield batch
        LOG.info("generated batch %d of %d", number, len(batches))
