"""Sets of generated images: one image for each mask, each from noise that is its own."""

import argparse
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from segguided.cli import slices_parser
from segguided.config.sampling import Generation, Sampling
from segguided.data.formats.npz import write_npz
from segguided.data.slices import SliceSet, read_slices
from segguided.generation.shards import WHOLE, Shard
from segguided.training.storage import check_trained_on, seal_facts

LOG = logging.getLogger("segguided")
Draw = Callable[[Tensor, Sequence[str]], Tensor]  # masks_BHW and their mask ids -> images_BHW, uint8 all


def generate(draw: Draw, slices: SliceSet, batch_size: int, shard: Shard = WHOLE) -> np.ndarray:
    """An image for every mask of a shard of `slices`, (S, H, W) uint8, in the order of `slices.names`."""
    images = [np.empty((0, *slices.stacks[0].masks_SHW.shape[1:]), np.uint8)]  # a shard may be empty
    chosen = shard.rows(len(slices), batch_size)
    for start in tqdm(chosen[::batch_size], desc="generating", disable=None, unit="batch"):
        indices = np.arange(start, min(start + batch_size, chosen.stop))
        _, masks_BHW = slices.batch(indices)
        images_BHW = draw(torch.from_numpy(masks_BHW), [slices.names[i] for i in indices])
        images.append(images_BHW.cpu().numpy())
        LOG.info("generated %d of %d images", indices[-1] + 1 - chosen.start, len(chosen))
    return np.concatenate(images)


def write_sets(
    draw: Draw,
    weights: Path,
    sets: Sequence[Sequence[Path]],
    outputs: Sequence[Path],
    batch_size: int,
    shard: Shard = WHOLE,
) -> None:
    """For each set of slice files write an .npz with a shard's `images` (S, H, W) and mask ids `names`.

    Raises ValueError where `weights`, which `draw` draws with, were trained on slices prepared otherwise.
    """
    for paths, output in zip(sets, outputs, strict=True):
        slices = read_slices(paths)
        check_trained_on(weights, slices)
        chosen = shard.rows(len(slices), batch_size)
        names = np.array(slices.names[chosen.start : chosen.stop], str)
        write_npz(
            output, seal_facts(weights, slices), images=generate(draw, slices, batch_size, shard), names=names
        )


def sets_parser(description: str | None, settings: type[Generation] = Sampling) -> argparse.ArgumentParser:
    """The command line that scripts share which draw an image for each mask of some sets."""
    parser = slices_parser(description)
    parser.add_argument(
        "--weights", type=Path, required=True, help="model.safetensors, config.json beside it"
    )
    parser.add_argument("--sampling", type=settings.from_json, required=True, help="sampling settings, JSON")
    parser.add_argument(
        "--slices", dest="sets", type=Path, nargs="+", action="append", required=True, help="once a set"
    )
    parser.add_argument(
        "--output", dest="outputs", type=Path, action="append", required=True, help="once a set, in order"
    )
    parser.add_argument("--shard", type=Shard.parse, default=WHOLE, help="of each set, as 2-of-8")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def drawing_parser(description: str | None, settings: type[Generation] = Sampling) -> argparse.ArgumentParser:
    """The command line that scripts share which draw other images than one for each mask."""
    parser = slices_parser(description)
    parser.add_argument(
        "--weights", type=Path, required=True, help="of an image-space diffusion model, config.json beside it"
    )
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="whose masks are drawn from")
    parser.add_argument("--sampling", type=settings.from_json, required=True, help="settings, JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    return parser


def with_threads(arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments but `threads`, which are set."""
    values = vars(arguments)
    torch.set_num_threads(values.pop("threads"))
    return values
