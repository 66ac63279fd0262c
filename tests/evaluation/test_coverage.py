"""The intervals contain the true value as often as workflow/docs/statistics.md says; others would not."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from segguided.data.splits import half_of_slice
from segguided.evaluation import comparisons, intervals
from segguided.evaluation.likeness.units import _blocks
from support.coverage import BOOTSTRAPS, CORRELATIONS, DEVIATIONS, MEANS, PATIENTS, SLICES, TRAININGS, tables
from support.simulated_patients import DECIDING, DISTRIBUTIONS, alike_slices

PAGE = Path(__file__).parents[2] / "workflow/docs/statistics.md"
HOLDS = 93  # percent
TABLES = {name: simulate for name, _, simulate in tables()}


@pytest.fixture(scope="module")
def simulated():
    return {name: simulate() for name, simulate in TABLES.items()}


def printed(name):
    """The numbers of one of the page's tables, row by row."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n### {name}\n")[1].split("\n#")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| \d", line)]
    return [[float(number) for number in re.findall(r"\d+(?:\.\d+)?", row)] for row in rows]


@pytest.mark.parametrize("name", TABLES)
def test_the_page_s_tables_are_those_of_the_simulation(simulated, name):
    """Another processor may round a few of the repetitions to the other side."""
    table = simulated[name]
    rows = printed(name)
    numbers = list(dict.fromkeys(number for number, _ in table))
    assert [row[0] for row in rows] == numbers
    for row in rows:
        cells = [cell for (number, _), cell in table.items() if number == row[0]]
        expected = [
            value
            for cell in cells
            for value in (
                pytest.approx(cell.coverage, abs=2 * 100 / BOOTSTRAPS + 0.06),
                pytest.approx(cell.width, abs=0.015, rel=0.02),
            )[: 1 + math.isfinite(cell.width)]
        ]
        assert row[1:] == expected, row[0]


def least_holding(simulated, names, method):
    """The least number of patients from which on the method covers at least 93 % of all distributions."""
    failing = [n for n in PATIENTS for name in names if simulated[name][n, method].coverage < HOLDS]
    return max(failing, default=PATIENTS[0] - 1) + 1


def test_the_mean_s_interval_is_printed_where_it_holds(simulated):
    names = [f"Mean, {name}" for name in DISTRIBUTIONS]
    assert least_holding(simulated, names, "**bounded**") == intervals.LEAST_PATIENTS


@pytest.mark.parametrize("method", [method for method in MEANS if "*" not in method])
def test_no_other_interval_of_a_mean_holds_with_twenty_patients_or_fewer(simulated, method):
    assert all(simulated["Mean, 10 % failed"][n, method].coverage < HOLDS for n in PATIENTS)


def test_the_difference_s_interval_is_printed_where_it_holds(simulated):
    names = [f"Difference, {name}" for name in DECIDING]
    assert least_holding(simulated, names, "**Student's t**") == comparisons.LEAST_PATIENTS


def test_the_pooled_dice_has_no_interval_because_none_holds(simulated):
    for method in ("t", "bootstrap"):
        for n in PATIENTS:
            coverages = [simulated["Pooled Dice"][n, f"{method}, {name}"].coverage for name in DISTRIBUTIONS]
            assert min(coverages) < HOLDS


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_several_trainings_count_in_intervals_and_p_values(simulated, deviation):
    table = simulated["Trainings"]
    for trainings in TRAININGS[1:]:
        assert table[trainings, f"mean, {deviation}"].coverage >= HOLDS
        assert table[trainings, f"difference, {deviation}"].coverage >= HOLDS - 1  # of 400 repetitions
        assert table[trainings, f"p ≤ 0.05, {deviation}"].coverage <= 100 - HOLDS


def test_one_training_would_call_chance_a_difference(simulated):
    assert simulated["Trainings"][1, "p ≤ 0.05, 0.02"].coverage > 30


def test_the_interval_within_one_patient_holds_for_slices_that_are_alike(simulated):
    for n_slices in SLICES:
        for correlation in CORRELATIONS:
            if n_slices > 61 or correlation <= 0.87:
                assert simulated["Blocks of one patient"][n_slices, str(correlation)].coverage >= HOLDS


def test_the_interval_within_the_demos_ct_holds():
    """16 of its 61 slices measure, in four runs with gaps; neighbours have a correlation of 0.94."""
    values_RS = alike_slices(np.random.default_rng(0), (8000, 61), 0.94)
    measured_RS = values_RS[:, [half_of_slice(number) == "test" for number in range(61)]]
    blocks_RB = np.stack([measured_RS[:, block_S].mean(axis=1) for block_S in _blocks(16)], axis=1)
    found = [intervals.within_patient_interval(values_B) for values_B in blocks_RB]
    assert 100 * np.mean([interval.low <= 0 <= interval.high for interval in found]) >= HOLDS
