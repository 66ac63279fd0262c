"""The table of workflow/docs/cost.md, from the benchmark files of `make smoke-paper`.

The two columns of full size stay as the page has them: they were counted, or measured elsewhere.
"""

import argparse
import csv
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


def rows(benchmarks: Path) -> list[Row]:
    """The page's rows with what was measured now, the most memory first; a rule that did not run stays."""
    found = read_rows()
    for rule, jobs in by_rule(benchmarks).items():
        cpu_s, peak_gb = (max(numbers) for numbers in zip(*jobs, strict=True))
        full = (found[rule].full_gb, found[rule].gpu_gb) if rule in found else (None, None)
        found[rule] = Row(rule, round(cpu_s), round(peak_gb, 2), *full, *asked(rule))
    return sorted(found.values(), key=lambda row: (-row.needed_gb, row.rule))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmarks", type=Path, help="a folder such as results/smoke-paper/benchmarks")
    print(HEAD)
    print("|---" * HEAD.count(" |") + "|")
    for row in rows(parser.parse_args().benchmarks):
        print(row.line())
