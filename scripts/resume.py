"""Continue after Snakemake was killed: end what it left running, unlock the folder, start it again.

    python scripts/resume.py --profile slurm all

Give it the arguments of the run that was killed. It ends SLURM jobs and processes of this folder alone.
"""

import logging
import os
import subprocess
import sys
from pathlib import Path

from segguided.cli import framed
from segguided.status.leftovers import clear

LOG = logging.getLogger("segguided")


def resume(arguments: list[str]) -> None:
    """Become `snakemake` with `arguments`, alone in this folder. Raises ValueError while another runs."""
    for ended in clear(Path.cwd()):
        LOG.info("ended %s, left by a killed Snakemake", ended)
    command = [sys.executable, "-m", "snakemake", *arguments]
    subprocess.run([*command, "--unlock", "--quiet", "all"], check=True)
    os.execv(sys.executable, command)


def main() -> None:
    """Script body."""
    usage = f"usage: resume.py ARGUMENTS OF SNAKEMAKE\n\n{__doc__}"
    if not sys.argv[1:]:
        sys.exit(usage)
    if {"-h", "--help"} & set(sys.argv):
        print(usage)
        return
    resume(sys.argv[1:])


if __name__ == "__main__":
    framed(main)
