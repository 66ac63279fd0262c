"""Every target that the page of the paper's claims names is one that Snakemake can plan."""

import re

import pytest

from support.miniature import copy_repository, jobs_of, snakemake
from support.reproduction_page import PAGE, claims

FILES = {  # of configurations, by the beginning of a target; the first that fits
    "results/demo/": ["workflow/demo.yaml"],
    "results/ablation/": ["workflow/demo.yaml", "workflow/tuning.yaml", "workflow/ablation.yaml"],
    "": ["config.yaml"],
}
# Names of the configuration of the paper, for the page's placeholders.
NAMES = {"DATASET": "breast-mri", "MODEL": "segguided"}


def targets():
    """By configuration the targets of claims, and of code spans of the page such as the table of costs."""
    named = [target for claim in claims() for target in claim.targets]
    named += re.findall(r"`(results/[\w./-]+)`", PAGE.read_text())
    found = {beginning: set() for beginning in FILES}
    for target in named:
        beginning = next(beginning for beginning in FILES if target.startswith(beginning))
        if not target.endswith("/"):
            found[beginning].add(re.sub("|".join(NAMES), lambda match: NAMES[match[0]], target))
    return found


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return copy_repository(tmp_path_factory.mktemp("claims"))


@pytest.mark.parametrize("beginning", FILES)
def test_snakemake_plans_every_target_of_the_page(fresh, beginning):
    named = sorted(targets()[beginning])
    assert named
    result = snakemake(fresh, *named, "-n", "--quiet", "all", "--configfile", *FILES[beginning])
    assert result.returncode == 0, (result.stdout + result.stderr)[-2000:]


def test_the_page_beside_the_paper_trains_nothing_that_the_tables_do_not(fresh):
    """Figures 3, 4 and 6 measure on images of their own, which `all` makes."""
    tables = [f"results/table{number}.csv" for number in (1, 2, 3)]
    trainings = [
        {name: count for name, count in jobs_of(result).items() if name.startswith("train_")}
        for result in (snakemake(fresh, "-n", *targets) for targets in (tables, ["results/reproduction.md"]))
    ]
    assert trainings[0] == trainings[1] != {}
