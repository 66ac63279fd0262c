"""The command lines that the generating scripts share."""

import argparse
from pathlib import Path

from segguided.cli import add_computing_options, slices_parser
from segguided.config.sampling import Generation, Sampling
from segguided.generation.shards import WHOLE, Shard


def several_sets_parser(
    description: str | None, settings: type[Generation] = Sampling
) -> argparse.ArgumentParser:
    """The command line of scripts that generate an image for each mask of one or more sets."""
    parser = _generation_parser(description, settings, "model.safetensors, config.json beside it")
    parser.add_argument(
        "--slices", dest="sets", type=Path, nargs="+", action="append", required=True, help="once a set"
    )
    parser.add_argument(
        "--output", dest="outputs", type=Path, action="append", required=True, help="once a set, in order"
    )
    parser.add_argument("--shard", type=Shard.parse, default=WHOLE, help="of each set, as 2-of-8")
    return parser


def single_set_parser(
    description: str | None, settings: type[Generation] = Sampling
) -> argparse.ArgumentParser:
    """The command line of scripts that generate one set with an image-space diffusion model."""
    weights = "of an image-space diffusion model, config.json beside it"
    parser = _generation_parser(description, settings, weights)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="whose masks guide the model")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    return parser


def add_halves_seed(parser: argparse.ArgumentParser) -> None:
    """Add --halves-seed, of scripts that show or measure some of the test masks."""
    parser.add_argument(
        "--halves-seed",
        type=int,
        help="only masks of the measuring half of the test patients, whom this seed halves",
    )


def add_completer(parser: argparse.ArgumentParser) -> None:
    """Add --completer, of scripts that generate from partial masks."""
    parser.add_argument(
        "--completer", type=Path, help="weights of the mask completer that fills in what is removed"
    )


def add_real_start(parser: argparse.ArgumentParser) -> None:
    """Add --sampler, of scripts that mix generated and real images."""
    parser.add_argument(
        "--sampler",
        choices=("ddim", "renoise"),
        default="ddim",
        help="renoise: two calls, of a model that samples so",
    )


def _generation_parser(
    description: str | None, settings: type[Generation], weights: str
) -> argparse.ArgumentParser:
    parser = slices_parser(description)
    parser.add_argument("--weights", type=Path, required=True, help=weights)
    parser.add_argument("--sampling", type=settings.from_json, required=True, help="sampling settings, JSON")
    parser.add_argument("--seed", type=int, required=True)
    add_computing_options(parser)
    return parser
