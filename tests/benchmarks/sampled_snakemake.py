"""Snakemake, whose benchmark files hold the peak of a job's memory as sampled twice a second, to its end.

Snakemake itself looks twice a second for a quarter of a minute, then every half minute, and misses peaks.
"""

import sys

from snakemake import benchmark
from snakemake.cli import main

ALWAYS = 1_000_000_000  # samples at the short interval


def sample_often() -> None:
    """Keep the short interval: the number of samples taken at it is the default of the timer's `interval`."""
    benchmark.BenchmarkTimer.__init__.__defaults__ = (ALWAYS,)


if __name__ == "__main__":
    sample_often()
    main(sys.argv[1:])
