"""Generate images for masks of your own with a trained model; no Snakemake is needed.

A call that was stopped goes on where it was. The same call gives the same bytes.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segguided.cli import add_computing_options, call

LOG = logging.getLogger("segguided")


def generate(
    run_folder: Path,
    masks: Path,
    output: Path | None,
    images_per_mask: int = 1,
    noise_seeds: Sequence[int] | None = None,
    free: Sequence[str] = (),
    steps: int | None = None,
    absent: Sequence[str] = (),
    keep_best: int | None = None,
    segmenter: Path | None = None,
    *,
    check: bool = False,
) -> None:
    """Validate the masks, then write images, manifest.csv and a contact sheet; with `check` only validate."""
    # The help need not wait for torch.
    from segguided.app.calls import Asked, check_output, generate_for, validated  # noqa: PLC0415
    from segguided.app.validation import usable  # noqa: PLC0415

    if output is not None:
        check_output(output, masks)
    asked = Asked(images_per_mask, noise_seeds, free, absent, steps, keep_best, segmenter)
    wanted = validated(run_folder, masks, asked)
    if check:
        LOG.info("%s", usable(wanted.masks))
        return
    if output is None:
        raise ValueError("OUTPUT is missing: name the folder for the images, or give --check")
    generate_for(wanted, output)


class _Parser(argparse.ArgumentParser):
    """A parser that refuses a number of threads with which nothing can be computed."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # argparse's own signature
        """The arguments; ends the process, as argparse does, for threads below 1."""
        arguments = super().parse_args(args, namespace)
        if arguments.threads < 1:
            self.error(f"argument --threads: expected 1 or more, got {arguments.threads}")
        return arguments


def command_line() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = _Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_folder", type=Path, help="runs/DATASET/MODEL/seedN of the results")
    parser.add_argument(
        "masks",
        type=Path,
        help="a PNG label map, a NIfTI, .seg.nrrd or DICOM-SEG file, or a folder of them",
    )
    parser.add_argument("output", type=Path, nargs="?", help="folder for the images, new or of this call")
    count = parser.add_mutually_exclusive_group()
    count.add_argument("--images-per-mask", type=int, default=1, help="images of each mask, from other noise")
    count.add_argument("--noise-seeds", type=int, nargs="+", help="one image of each mask a seed")
    parser.add_argument(
        "--free", type=_names, default=(), metavar="CLASS,…", help="classes that are left to the model"
    )
    parser.add_argument(
        "--absent", type=_names, default=(), metavar="CLASS,…", help="classes that the masks may lack"
    )
    parser.add_argument("--steps", type=int, help="sampling steps; default: those of the run")
    parser.add_argument(
        "--keep-best", type=int, metavar="K", help="of each mask the images whose segmentation fits it best"
    )
    parser.add_argument(
        "--segmenter",
        type=Path,
        metavar="FOLDER",
        help="that chooses; default: segmenters/DATASET/MODEL/seedN",
    )
    parser.add_argument("--check", action="store_true", help="only validate the masks")
    add_computing_options(parser)
    return parser


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected names of classes with commas between, got {text!r}")
    return names


def main(words: Sequence[str]) -> None:
    """Generate images for masks of your own with a trained model."""
    parser = command_line()
    parser.prog = "segguided generate"
    call(generate, parser, words=words)
