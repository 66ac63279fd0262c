"""Which model is best: a copy never is, a worse one is found at the number of patients where it can be."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segguided.evaluation.comparisons import (
    holm,
    least_patients,
    paired_difference,
    sign_flip_p,
    standing,
)
from support.property_tests import SAME_EXAMPLES

dice = st.floats(0, 1, width=16)


def models(n_patients, names="abcd", step=0.02, trainings=3):
    """Each model is worse by `step` than the one before, give or take a little a patient and a training."""
    rng = np.random.default_rng(0)
    patients_P = rng.uniform(0.7, 0.9, n_patients)
    return {
        name: patients_P
        - step * place
        + rng.uniform(-0.002, 0.002, n_patients)
        + rng.uniform(-0.001, 0.001, (trainings, 1))
        for place, name in enumerate(names)
    }


@pytest.mark.parametrize("count", range(2, 8))
def test_a_worse_model_is_found_with_the_least_number_of_patients_and_not_with_one_fewer(count):
    names = "abcdefg"[:count]
    n_patients = least_patients(count)
    found = standing(models(n_patients, names), higher_is_better=True)
    assert (found.best, found.reason) == ("a", "")
    assert found.second == ("b" if count > 2 else None)
    missed = standing(models(n_patients - 1, names), higher_is_better=True)
    assert (missed.best, missed.second) == (None, None)
    assert f"takes at least {n_patients} test patients, here are {n_patients - 1}" in missed.reason


def test_the_least_number_of_patients_is_where_the_corrected_p_value_can_reach_5_percent():
    for count in range(2, 8):
        pairs = count * (count - 1) // 2
        least_p = [holm([sign_flip_p(np.ones(n)), *[1.0] * (pairs - 1)])[0] for n in range(1, 12)]
        reached = [n for n, p_value in enumerate(least_p, start=1) if p_value <= 0.05]
        assert reached[0] == least_patients(count)


def test_a_copy_of_the_best_leaves_no_best():
    values = models(12)
    assert standing(values, higher_is_better=True).best == "a"
    found = standing(values | {"copy": values["a"].copy()}, higher_is_better=True)
    assert (found.best, found.second) == (None, None)
    assert found.reason


def test_a_copy_of_the_second_leaves_no_second():
    values = models(12)
    found = standing(values | {"copy": values["b"].copy()}, higher_is_better=True)
    assert (found.best, found.second) == ("a", None)


def test_the_order_of_the_models_changes_nothing():
    values = models(12)
    found = {standing({name: values[name] for name in order}, True) for order in permutations(values)}
    assert len(found) == 1


def test_lower_may_be_better():
    found = standing(models(12), higher_is_better=False)
    assert (found.best, found.second) == ("d", "c")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "no two models"),
        (models(12, "a"), "no two models"),
        (models(1), "one test patient says nothing about others"),
        (models(12, trainings=1), "one training of a model says nothing about its next one"),
        ({"a": np.array([[0.5, np.nan]]), "b": np.array([[np.nan, 0.5]])}, "share no patient"),
    ],
)
def test_a_reason_says_why_there_is_no_best(values, reason):
    found = standing(values, higher_is_better=True)
    assert (found.best, found.second) == (None, None)
    assert reason in found.reason


def test_trainings_that_differ_more_than_the_models_leave_no_best():
    values = models(20, "ab")
    noise_N1 = np.array([[-0.05], [0.0], [0.05]])
    noisy = {"a": values["a"] + noise_N1, "b": values["b"] - noise_N1}
    assert standing(values, higher_is_better=True).best == "a"
    assert standing(noisy, higher_is_better=True).best is None


def test_undefined_patients_count_in_no_comparison():
    values = models(12)
    holes = {name: np.concatenate([value, np.full((3, 2), np.nan)], axis=1) for name, value in values.items()}
    assert standing(holes, True) == standing(values, True)
    assert paired_difference(holes["a"], holes["b"]) == paired_difference(values["a"], values["b"])
    unseen = {**values, "e": np.full((3, 12), np.nan)}
    assert standing(unseen, True) == standing(values, True)


def test_a_patient_without_a_partner_has_no_difference():
    nothing = paired_difference(np.array([[np.nan, 0.5]]), np.array([[0.5, np.nan]]))
    assert np.isnan(nothing.mean)
    assert nothing.interval is None
    assert nothing.p_value == 1
    single = paired_difference(np.array([[0.5]]), np.array([[0.75]]))
    assert (single.mean, single.interval, single.p_value) == (-0.25, None, 1)


def test_models_of_other_patients_are_refused():
    with pytest.raises(ValueError, match=r"same patients for each model.*\(1, 3\), \(1, 4\)"):
        paired_difference(np.ones((1, 3)), np.ones((1, 4)))


@SAME_EXAMPLES
@given(st.lists(st.tuples(dice, dice), min_size=1, max_size=7))
def test_a_difference_is_the_negative_of_the_other_way_round(pairs):
    first = np.array([[pair[0] for pair in pairs]])
    second = np.array([[pair[1] for pair in pairs]])
    forward = paired_difference(first, second)
    backward = paired_difference(second, first)
    assert forward.mean == -backward.mean
    assert forward.p_value == backward.p_value
    assert 2 / 2 ** len(pairs) <= forward.p_value <= 1
    if forward.interval:
        assert forward.interval.low == -backward.interval.high
        assert forward.interval.low <= forward.mean <= forward.interval.high


@SAME_EXAMPLES
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_only_raises(p_values):
    adjusted = holm(p_values)
    assert (adjusted >= p_values).all()
    assert (adjusted <= 1).all()
    assert min(adjusted) == min(1, len(p_values) * min(p_values))
    assert (np.diff(adjusted[np.argsort(p_values)]) >= 0).all()


def test_holm_equals_a_worked_example():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
