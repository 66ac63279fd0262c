"""Draw images of adjustable similarity to the real image of a test mask (figure 4)."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from segguided.cli import run
from segguided.config.experiments import Similarity
from segguided.config.models import Sampling
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.models.drawing import load_denoiser
from segguided.partial import class_indices, spread_slices
from segguided.similarity import draw_similar
from segguided.variants import write_variants


def generate_similar(
    weights: Path,
    slices: Sequence[Path],
    sampling: Sampling,
    similarity: Similarity,
    classes: Sequence[str],
    kept: Sequence[str],
    seed: int,
    output: Path,
) -> None:
    """Write a set with a variant for each λ, and `0`: the image that only the partial mask constrains."""
    network, model = load_denoiser(weights, pick_device())
    chosen = spread_slices(read_slices(slices), similarity.masks)
    indices = class_indices(classes, kept)
    variants = draw_similar(network, model, sampling, chosen, indices, similarity, seed)
    write_variants(output, variants, chosen.names)


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--weights", type=Path, required=True, help="of a diffusion model, config.json beside"
    )
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="of the test patients")
    parser.add_argument("--sampling", type=Sampling.from_json, required=True, help="settings, JSON")
    parser.add_argument("--similarity", type=Similarity.from_json, required=True, help="settings, JSON")
    parser.add_argument(
        "--classes", nargs="+", required=True, help="names of the dataset's classes, in order"
    )
    parser.add_argument("--kept", nargs="+", required=True, help="classes of the mask that are kept")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help=".npz to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    arguments = vars(parse_arguments())
    torch.set_num_threads(arguments.pop("threads"))
    generate_similar(**arguments)


if __name__ == "__main__":
    run(main)
