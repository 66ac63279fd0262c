"""The limits of a bounded mean equal two independent computations, and stay within their bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from segguided.evaluation.bounded_mean import (
    lower_limit,
    probability_above,
    quantile_of_weighted_mean,
    upper_limit,
)
from segguided.evaluation.intervals import Interval, mean_interval, within_patient_interval
from support.property_tests import SAME_EXAMPLES

samples = st.lists(st.floats(0, 1, width=16), min_size=2, max_size=10)


@pytest.mark.parametrize("count", [2, 3, 8, 20])
def test_the_weighted_mean_has_the_density_of_a_b_spline(count):
    """Curry and Schoenberg (1966): its knots are the values."""
    knots = np.sort(np.random.default_rng(count).random(count + 1))
    spline = BSpline.basis_element(knots, extrapolate=False).antiderivative()
    thresholds = np.linspace(knots[0], knots[-1], 9)[1:-1]
    below = (spline(thresholds) - spline(knots[0])) / (spline(knots[-1]) - spline(knots[0]))
    found = probability_above(np.tile(knots, (len(thresholds), 1)), thresholds)
    np.testing.assert_allclose(found, 1 - below, atol=1e-9)


@pytest.mark.parametrize("values", [[0.8, 0.8, 0.8, 0.0], [0.0, 0.0, 1.0], [0.2, 0.9, 0.95, 1.0]])
def test_the_quantile_is_that_of_random_weights(values):
    weights = np.random.default_rng(0).dirichlet(np.ones(len(values)), 200_000)
    expected = np.quantile(weights @ values, 0.025)
    assert abs(quantile_of_weighted_mean(np.array(values), 0.025) - expected) < 5e-3


def test_equal_values_have_the_limits_of_a_hand_computation():
    """Of n equal values and one at the end, the end's weight has the distribution Beta(1, n)."""
    largest_weight = 1 - 0.025 ** (1 / 5)
    values = np.full(5, 0.8)
    np.testing.assert_allclose(lower_limit(values, 0, 0.025), 0.8 * (1 - largest_weight))
    np.testing.assert_allclose(upper_limit(values, 1, 0.025), 0.8 + 0.2 * largest_weight)


@settings(SAME_EXAMPLES, max_examples=100)
@given(samples)
def test_an_interval_holds_its_mean_lies_within_the_bounds_and_forgets_the_order(values):
    interval = mean_interval(np.array([values]))
    assert interval
    assert 0 <= interval.low <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= interval.high <= 1
    backward = mean_interval(np.array([values[::-1]]))
    np.testing.assert_allclose([interval.low, interval.high], [backward.low, backward.high], atol=1e-8)


@settings(SAME_EXAMPLES, max_examples=100)
@given(samples)
def test_several_trainings_that_agree_change_nothing_and_others_widen(values):
    single = mean_interval(np.array([values]))
    assert mean_interval(np.array([values, values, values])) == pytest.approx(single)
    lower = np.maximum(0, np.array(values) - 0.1)
    upper = 2 * np.array(values) - lower  # the same means over trainings
    if upper.max() <= 1 and (upper - lower).min() > 0.05:
        wide = mean_interval(np.array([lower, upper]))
        assert wide.low <= single.low + 1e-9
        assert wide.high >= single.high - 1e-9


def test_undefined_patients_are_left_out():
    with_hole = np.array([[0.8, np.nan, 0.7, 0.9], [0.8, 0.5, 0.7, 0.9]])
    assert mean_interval(with_hole) == mean_interval(with_hole[:, [0, 2, 3]])


@pytest.mark.parametrize("values", [[[0.8]], [[np.nan, 0.8]], [[np.nan]], [[]]])
def test_one_patient_has_no_interval(values):
    assert mean_interval(np.array(values)) is None


def test_a_quantity_without_bounds_has_no_interval():
    assert mean_interval(np.array([[0.5, 0.6]]), highest=np.inf) is None


def test_values_outside_the_bounds_and_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"expected values from 0.0 to 1.0, got 0.5 to 1.5"):
        mean_interval(np.array([[0.5, 1.5]]))
    with pytest.raises(ValueError, match=r"shape \(trainings, patients\).*got \(2,\)"):
        mean_interval(np.array([0.5, 0.6]))


def test_the_interval_is_the_same_to_the_bit():
    values = np.random.default_rng(0).random((3, 12))
    assert mean_interval(values) == mean_interval(values.copy())


def test_blocks_of_one_patient_are_gathered_into_three_groups():
    """Student's interval of the means 1, 2 and 3, whose variance counts double."""
    half = 4.302653 * np.sqrt(2) / np.sqrt(3)
    interval = within_patient_interval(np.array([0.0, 2, 1, 3, 2, 4]))
    np.testing.assert_allclose([interval.low, interval.high], [2 - half, 2 + half], rtol=1e-6)
    assert within_patient_interval(np.array([0.0, 2, np.nan])) is None
    assert within_patient_interval(np.full(4, 0.5)) == Interval(0.5, 0.5)
