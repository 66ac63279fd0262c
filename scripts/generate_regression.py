"""Generate one image from a trained regression, the control, for every mask of one or more slice sets."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.sampling import Generation
from segguided.devices import pick_device
from segguided.generation.command_lines import several_sets_parser
from segguided.generation.regression import load_regression, make_sampler
from segguided.generation.sets import write_sets
from segguided.generation.shards import WHOLE, Shard


def generate_regression(
    weights: Path,
    sampling: Generation,
    sets: list[list[Path]],
    outputs: list[Path],
    seed: int,
    shard: Shard = WHOLE,
) -> None:
    """For each set of slice files write an .npz with a shard's `images` (S, H, W) and mask ids `names`.

    A seed changes nothing: the images are a function of the masks.
    """
    sampler = make_sampler(load_regression(weights, pick_device()), sampling.precision)
    write_sets(sampler, weights, sets, outputs, sampling.batch_size, shard)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    return several_sets_parser(__doc__, Generation)


if __name__ == "__main__":
    run(generate_regression, command_line())
