"""Generate one image from a trained diffusion model for every mask of one or more slice sets."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.compiling import compile_network
from segguided.config.sampling import Sampling
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.generation.command_lines import several_sets_parser
from segguided.generation.diffusion import load_denoiser, make_sampler
from segguided.generation.sets import write_sets
from segguided.generation.shards import WHOLE, Shard


def generate_diffusion(
    weights: Path,
    sampling: Sampling,
    sets: list[list[Path]],
    outputs: list[Path],
    seed: int,
    shard: Shard = WHOLE,
) -> None:
    """For each set of slice files write an .npz with a shard's `images` (S, H, W) and mask ids `names`."""
    network, model = load_denoiser(weights, pick_device())
    masks = sum(len(read_slices(paths)) for paths in sets)
    compile_network(network, calls=sampling.steps * masks // sampling.batch_size)
    sampler = make_sampler(network, model, sampling, seed)
    write_sets(sampler, weights, sets, outputs, sampling.batch_size, shard)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    return several_sets_parser(__doc__)


if __name__ == "__main__":
    run(generate_diffusion, command_line())
