"""Continue after Snakemake was killed: end what it left running, unlock the folder, start it again.

    python scripts/resume.py --profile slurm all

Give it the arguments of the run that was killed. It ends SLURM jobs and processes of this folder alone.
"""

import argparse
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import segguided.missing_packages  # noqa: F401 - first, see there

from segguided.cli import run
from segguided.status.leftovers import clear

LOG = logging.getLogger("segguided")


def resume(arguments: list[str]) -> None:
    """Become `snakemake` with `arguments`, alone in this folder. Raises ValueError while another runs."""
    for ended in clear(Path.cwd()):
        LOG.info("ended %s, left by a killed Snakemake", ended)
    command = [sys.executable, "-m", "snakemake", *arguments]
    subprocess.run([*command, "--unlock", "--quiet", "all"], check=True)
    os.execv(sys.executable, command)


class SnakemakeParser(argparse.ArgumentParser):
    """Takes every word as it is, also those that begin with a dash; only -h and --help are its own."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # argparse's own signature
        """The words. Without any, it prints the help and ends with exit code 1."""
        words = list(sys.argv[1:] if args is None else args)
        if not words:
            self.exit(1, self.format_help())
        if {"-h", "--help"} & set(words):
            self.print_help()
            self.exit()
        return argparse.Namespace(arguments=words), []


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = SnakemakeParser(
        usage="resume.py ARGUMENTS OF SNAKEMAKE",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    run(resume, command_line())
