"""Sets of generated images: one image for each mask."""

import logging
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from segguided.compiling import uncompiled
from segguided.data.formats.npz import write_npz
from segguided.data.slices import SliceSet, read_slices
from segguided.generation.shards import WHOLE, Shard
from segguided.training.storage import check_trained_on, seal_facts

LOG = logging.getLogger("segguided")


class Sampler(Protocol):
    """sampler(masks_BHW, mask ids) -> images_BHW; uint8 both."""

    def __call__(self, masks_BHW: Tensor, names: Sequence[str], free: Collection[int] = ()) -> Tensor:
        """An image of each mask. `free`: mask values that were removed and are left to the model."""


def generate_images(sampler: Sampler, slices: SliceSet, batch_size: int, shard: Shard = WHOLE) -> np.ndarray:
    """An image for every mask of a shard of `slices`, (S, H, W) uint8, in the order of `slices.names`.

    Classes that a patient was not annotated for are free in its images.
    """
    rows = shard.rows(len(slices), batch_size)
    batches: list[np.ndarray] = []
    for start in tqdm(rows[::batch_size], desc="generating", disable=None, unit="batch"):
        indices = np.arange(start, min(start + batch_size, rows.stop))
        _, masks_BHW = slices.batch(indices)
        names = [slices.names[i] for i in indices]
        for free, rows_B in slices.by_not_annotated(indices):
            full = rows_B.stop - rows_B.start == batch_size  # compiled code is of one batch size
            with nullcontext() if full else uncompiled():
                images_BHW = sampler(torch.from_numpy(masks_BHW[rows_B]), names[rows_B], free)
            batches.append(images_BHW.cpu().numpy())
        LOG.info("generated %d of %d images", indices[-1] + 1 - rows.start, len(rows))
    no_images = np.empty((0, *slices.stacks[0].images_SHW.shape[1:]), np.uint8)  # a shard may be empty
    return np.concatenate(batches) if batches else no_images


def read_matching_slices(weights: Path, paths: Sequence[Path]) -> SliceSet:
    """The slices of some files.

    Raises ValueError, which names the first file, where `weights` were trained on slices that were prepared
    by other settings.
    """
    slices = read_slices(paths)
    try:
        check_trained_on(weights, slices)
    except ValueError as error:
        raise ValueError(f"{paths[0]}: {error}") from error
    return slices


def write_generated(
    output: Path,
    weights: Path,
    slices: SliceSet,
    images_NHW: np.ndarray,
    names: Sequence[str],
    masks_NHW: np.ndarray | None = None,
) -> None:
    """Write an .npz with `images` (N, H, W) and their ids `names`, sealed with the weights that made them.

    `masks_NHW`: those that the model saw, where they are not the slices' own.
    """
    seen = {} if masks_NHW is None else {"masks": masks_NHW}
    facts = seal_facts(weights, slices)
    write_npz(output, facts, images=images_NHW, names=np.array(names, str), **seen)


def write_sets(
    sampler: Sampler,
    weights: Path,
    sets: Sequence[Sequence[Path]],
    outputs: Sequence[Path],
    batch_size: int,
    shard: Shard = WHOLE,
) -> None:
    """For each set of slice files write an .npz with a shard's `images` (S, H, W) and mask ids `names`.

    `weights`: those of `sampler`. Raises ValueError where they were trained on slices that were prepared by
    other settings.
    """
    for paths, output in zip(sets, outputs, strict=True):
        slices = read_matching_slices(weights, paths)
        images_SHW = generate_images(sampler, slices, batch_size, shard)
        rows = shard.rows(len(slices), batch_size)
        write_generated(output, weights, slices, images_SHW, slices.names[rows.start : rows.stop])
