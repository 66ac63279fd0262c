"""Rule draw_run: when each job of the newest run worked, and the critical path, as a picture."""

import argparse
from pathlib import Path

import segguided.missing_packages  # noqa: F401 - first, see there

from segguided.cli import run
from segguided.figures.blocks import save_figure
from segguided.status.timeline.bars import newest_timeline
from segguided.status.timeline.picture import timeline_figure


def draw_run(*, folder: Path, results: str | None, png: Path) -> None:
    """Write the picture of the newest run in the pipeline's folder."""
    save_figure(timeline_figure(newest_timeline(folder, results)), png)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(), help="where snakemake runs; default: here")
    parser.add_argument("--results", help="only runs that write there; default: the newest run of all")
    parser.add_argument("--png", type=Path, required=True)
    return parser


if __name__ == "__main__":
    run(draw_run, command_line())
