"""What counts as the same answer."""

import math

import numpy as np
import pytest

from bench.measuring import agreement

LOGS = np.array([0.5, -1.0, -2.0, -3.0])


def held(other, reference=LOGS, measure=None, tolerance=0.1):
    return agreement.compared("log_norm", reference, other, measure or agreement.by_lag(tolerance), tolerance)


def test_equal_answers_agree_at_no_distance():
    told = held(LOGS.astype(np.float32))
    assert (told.deviation, told.agrees, told.note) == (0.0, True, "")


def test_a_deviation_is_the_largest_and_its_note_says_where_and_since_when():
    told = held(LOGS + np.array([0.0, 0.05, 0.2, -0.9]))
    assert told.deviation == pytest.approx(0.9)
    assert not told.agrees
    assert told.note == "from lag 2 on; at lag 3 -3.9 instead of -3"


@pytest.mark.parametrize("value", [-math.inf, math.inf, math.nan])
def test_what_is_not_finite_where_the_reference_is_never_agrees(value):
    told = held(np.array([0.5, -1.0, -2.0, value]))
    assert told.deviation == math.inf
    assert not told.agrees
    assert told.note.startswith("from lag 3")


def test_equal_infinities_agree_and_a_finite_number_in_their_place_does_not():
    zero = np.array([0.5, -math.inf])
    assert held(zero, zero).agrees
    assert not held(np.array([0.5, -87.0]), zero).agrees


def test_nan_agrees_with_nothing():
    broken = np.array([math.nan])
    assert not held(broken, broken).agrees
    assert not held(broken, broken, agreement.largest_difference).agrees
    assert not held(broken, np.array([1.0]), agreement.relative_distance).agrees


def test_another_shape_is_infinitely_far():
    told = held(LOGS[:-1])
    assert (told.deviation, told.agrees) == (math.inf, False)
    assert told.note == "shape (3,) instead of (4,)"


def test_relative_distance_is_euclidean():
    measured = agreement.relative_distance(np.array([3.0, 4.0]), np.array([3.0, 4.5]))
    assert measured == (pytest.approx(0.1), "")
    assert agreement.relative_distance(np.zeros(2), np.zeros(2))[0] == 0.0
    assert agreement.relative_distance(np.zeros(2), np.ones(2))[0] == math.inf


def test_the_tolerance_itself_still_agrees():
    assert agreement.Agreement("loss", 0.1, 0.1).agrees
    assert not agreement.Agreement("loss", 0.1000001, 0.1).agrees
    assert not agreement.Agreement("loss", math.nan, 0.1).agrees
