"""The table of workflow/docs/cost.md, from the benchmark files of `make smoke-paper`.

The two columns of full size stay as the page has them: they were counted, or measured elsewhere.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

from support.cost_table import HEAD, Row, asked, read_rows

MIB = 2**20
Measured = tuple[float, float]  # CPU seconds, GB


def measured(file: Path) -> Measured:
    """CPU time and peak of resident memory of one job. A job that ended before a sample counts as nothing."""
    with file.open() as lines:
        (job,) = csv.DictReader(lines, delimiter="\t")
    numbers = [0.0 if job[name] == "NA" else float(job[name]) for name in ("cpu_time", "max_rss")]
    return numbers[0], numbers[1] * MIB / 1e9


def by_rule(benchmarks: Path) -> dict[str, list[Measured]]:
    """The jobs of each rule, whose files are in <rule>.tsv or below <rule>/."""
    jobs: dict[str, list[Measured]] = {}
    for file in sorted(benchmarks.rglob("*.tsv")):
        rule = file.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        jobs.setdefault(rule, []).append(measured(file))
    return jobs


def rows(benchmarks: Path) -> Iterator[Row]:
    """A row for each rule, the most memory first."""
    known = read_rows()
    jobs = by_rule(benchmarks)
    for rule in sorted(jobs, key=lambda rule: -max(gb for _, gb in jobs[rule])):
        seconds, gb = (max(numbers) for numbers in zip(*jobs[rule], strict=True))
        full = (known[rule].full_gb, known[rule].gpu_gb) if rule in known else (None, None)
        yield Row(rule, len(jobs[rule]), round(seconds), round(gb, 2), *full, *asked(rule))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmarks", type=Path, help="a folder such as results/smoke-paper/benchmarks")
    print(HEAD)
    print("|---" * HEAD.count(" | ") + "|---|")
    for row in rows(parser.parse_args().benchmarks):
        print(row.line())
