"""Intervals and aggregates against numbers worked out by hand and against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from labs.statistics import (
    curve_band,
    difference,
    gap_closure,
    interquartile_mean,
    iqm,
    later_by_ranks,
    sample_efficiency_ratio,
    steps_to,
    time_to_threshold,
    wilson,
)


def test_wilson_equals_that_of_scipy():
    for k, n in ((0, 1), (0, 100), (1, 3), (7, 150), (50, 100), (100, 100), (999, 1000)):
        for confidence in (0.5, 0.95, 0.999):
            found = wilson(k, n, confidence)
            theirs = stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
            assert found.value == pytest.approx(k / n)
            assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    found = wilson(7, 150)
    assert (round(100 * found.low, 1), round(100 * found.high, 1)) == (2.3, 9.3)


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_wilson_refuses_impossible_counts(k, n):
    with pytest.raises(ValueError, match="successes"):
        wilson(k, n)


def test_iqm_by_hand():
    assert interquartile_mean([8, 1, 7, 2, 6, 3, 5, 4]) == 4.5  # mean of 3, 4, 5, 6
    assert interquartile_mean([0, 1, 1, 1, 1, 1, 1, 100]) == 1
    assert interquartile_mean([1, 2, 6]) == 3  # fewer than four: the mean


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_the_interquartile_mean_equals_that_of_scipy(axis):
    for shape in ((7, 5), (4, 12), (1, 3)):
        values = np.random.default_rng(0).normal(size=shape)
        theirs = stats.trim_mean(values, 0.25, axis=axis)
        assert interquartile_mean(values, axis=axis) == pytest.approx(theirs)


def middle_half(x, axis):
    return stats.trim_mean(x, 0.25, axis=axis)


@pytest.mark.parametrize(
    "interval, statistic",
    [
        (iqm, middle_half),
        (lambda x: difference(x, [0.0, 0.0]), middle_half),
        (lambda x: sample_efficiency_ratio(x, [1.0, 1.0]), np.median),
        (lambda x: gap_closure([0.0, 0.0], x, [1.0, 1.0]), np.median),
    ],
)
def test_intervals_match_the_bootstrap_of_scipy(interval, statistic):
    scores = np.random.default_rng(1).normal(0.6, 0.1, 30)
    ours = interval(scores)
    theirs = stats.bootstrap(
        (scores,),
        statistic,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.003)
    assert ours.high == pytest.approx(theirs.high, abs=0.003)


def test_iqm_of_one_run_has_no_interval():
    found = iqm([0.7])
    assert found.value == 0.7 and math.isnan(found.low) and math.isnan(found.high)


def test_stratified_resampling_keeps_groups_apart():
    """Two groups, constant within: no resample can differ, where pooled resampling would."""
    found = iqm([[0.0] * 4, [1.0] * 8])
    assert found.value == found.low == found.high == pytest.approx(5 / 6)
    pooled = iqm([0.0] * 4 + [1.0] * 8)
    assert pooled.low < 5 / 6 < pooled.high


def test_iqm_refuses_nothing_and_nan():
    with pytest.raises(ValueError, match="finite"):
        iqm([])
    with pytest.raises(ValueError, match="finite"):
        iqm([0.1, math.nan])


def test_curve_band_of_one_seed_is_the_curve():
    value, low, high = curve_band(np.array([[0.0, 0.5, 1.0]]))
    assert np.array_equal(value, [0, 0.5, 1]) and np.array_equal(low, value)
    assert np.array_equal(high, value)


def test_a_band_is_the_interval_of_each_point():
    curves = np.random.default_rng(0).random((8, 3)) ** 3
    for band, values in zip(np.transpose(curve_band(curves)), curves.T, strict=True):
        point = iqm(values, resamples=2000)
        assert band == pytest.approx([point.value, point.low, point.high])


def test_steps_to_is_the_first_crossing():
    assert steps_to([0, 10, 20, 30], [0.0, 0.5, 0.4, 0.9], 0.5) == 10
    assert steps_to([0, 10, 20, 30], [0.0, 0.5, 0.4, 0.9], 0.95) is None


def test_censored_runs_count_as_late_not_as_missing():
    steps = [0, 100, 200, 300]
    curves = [
        (steps, [0, 1, 1, 1]),  # 100
        (steps, [0, 0, 0, 1]),  # 300
        (steps, [0, 0, 0, 0]),  # never in 300
    ]
    found = time_to_threshold(curves, 0.9)
    assert found.median == 300  # of 100, 300, later; dropping the third would say 200
    assert found.reached == (100, 300) and found.censored == 1 and found.budget == 300


def test_half_censored_has_no_median():
    found = time_to_threshold([([0, 1], [0, 1]), ([0, 1], [0, 0])], 0.9)
    assert found.median is None and found.censored == 1
    assert str(found) == "no median: 1 of 2 runs got there"
    none = time_to_threshold([([0, 1], [0, 0]), ([0, 3], [0, 0])], 0.9)
    assert none.budget == 3 and str(none) == "not reached (0 of 2 runs got there)"
    assert str(time_to_threshold([([0, 1], [0, 1])], 0.9)) == "1 steps (1 of 1 runs got there)"


def test_rho_by_hand():
    found = sample_efficiency_ratio([400, 600, 500], [100, 100, 100])
    assert found.value == 5  # median 500 over 100
    assert found.low == 4 and found.high == 6


def test_rho_of_late_runs_has_the_bounds_that_are_known():
    late = sample_efficiency_ratio(
        [400, math.inf, 500], [100, 100, 100], pixel_budgets=[600, 600, 600]
    )
    assert (late.value, late.low, late.high) == (5, 4, math.inf)
    never = sample_efficiency_ratio([math.inf] * 3, [100] * 3, pixel_budgets=[600] * 3)
    assert (never.value, never.low) == (math.inf, 6)  # later than its budget, and no more is known
    state = sample_efficiency_ratio([400] * 3, [100, 100, math.inf], state_budgets=[800] * 3)
    assert state.value == 4 and state.low == 0 and state.high == 4
    with pytest.raises(ValueError, match="no denominator"):
        sample_efficiency_ratio([400], [math.inf], state_budgets=[800])


@pytest.mark.parametrize(
    ("ask", "match"),
    [
        (lambda: time_to_threshold([([1, 2], [0.2, 1.0])], 90.0), "rates in"),
        (lambda: steps_to([1, 2], [20, 95], 0.9), "rates in"),
        (lambda: steps_to([1, 2, 3], [0.1, math.nan, 1.0], 0.9), "rates in"),
        (lambda: steps_to([1, math.nan, 3], [0.1, 0.2, 1.0], 0.9), "increasing"),
        (lambda: difference([math.nan, 1.0], [1.0, 2.0]), "finite"),
        (lambda: difference([], [1.0]), "at least one"),
        (lambda: iqm([[1.0, 2.0], []]), "at least one"),
        (
            lambda: sample_efficiency_ratio([400, math.inf], [100] * 2, pixel_budgets=[600]),
            "each of 2 runs",
        ),
    ],
)
def test_what_is_no_rate_no_time_or_no_run_has_no_silent_answer(ask, match):
    with pytest.raises(ValueError, match=match):
        ask()


def test_gap_closure_by_hand():
    found = gap_closure([400, 400], [325, 325], [100, 100])
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)  # 75 of 300


def test_a_resample_without_a_gap_bounds_no_gap_closure():
    """Of three pixel runs one is as quick as state: in many resamples no gap is left."""
    found = gap_closure([400, 100, 500], [325, 300, 200], [100, 100, 100])
    assert found.value == pytest.approx(1 / 3)
    assert (found.low, found.high) == (-math.inf, math.inf)
    seldom = gap_closure([100, 400, 400, 400, 500, 500, 500], [325] * 7, [100] * 7)
    assert seldom.low == 0.25 and seldom.high == pytest.approx(175 / 400)


def test_ratios_refuse_runs_without_a_time():
    with pytest.raises(ValueError, match="never reached"):
        sample_efficiency_ratio([math.inf], [100])
    with pytest.raises(ValueError, match="no gap"):
        gap_closure([100], [100], [100])
    with pytest.raises(ValueError, match="never reached"):
        gap_closure([math.inf], [100], [math.inf])


def test_difference_is_of_interquartile_means():
    gain = difference([0.9, 0.9, 0.9], [0.1, 0.1, 0.1])
    assert gain.value == pytest.approx(0.8) and gain.low == pytest.approx(0.8)
    wide = difference([0.1, 0.9, 0.9], [0.1, 0.1, 0.9])
    assert wide.low < 0 < wide.high
    one = difference([0.9], [0.1, 0.1])
    assert one.value == pytest.approx(0.8) and math.isnan(one.low) and math.isnan(one.high)


# ------------------------------------------------------------------------------------------ ranks


@pytest.mark.parametrize("ties", [False, True])
def test_ranks_equal_those_of_scipy(ties):
    rng = np.random.default_rng(0)
    late, early = rng.normal(0.8, 1, 5), rng.normal(0, 1, 7)
    if ties:  # as times on a grid of points have them, and one run that never got there
        late, early = np.round(late), np.round(early)
        late[0] = np.inf
    found = later_by_ranks(list(late), list(early))
    if not ties:
        expected = stats.mannwhitneyu(late, early, alternative="greater", method="exact")
    else:
        ranks = stats.rankdata([*late, *early])
        expected = stats.permutation_test(
            (ranks[:5], ranks[5:]),
            lambda a, b, axis: a.sum(axis),
            alternative="greater",
            n_resamples=np.inf,
            vectorized=True,
        )
    assert found == pytest.approx(expected.pvalue) and 0 < found < 0.6
    with pytest.raises(ValueError, match="runs in both arms"):
        later_by_ranks([], [1.0])


def test_a_difference_of_three_and_three_covers_four_in_five():
    """The scoreboard says so: three seeds resampled know too little of those that were not run."""
    rng = np.random.default_rng(0)
    draws = [difference(*rng.normal(0, 1, (2, 3))) for _ in range(400)]
    assert np.mean([found.low <= 0 <= found.high for found in draws]) == pytest.approx(
        0.8, abs=0.05
    )
