"""A budget begins what fits, by what a case says or by what its kind took."""

import pytest

from bench.running.budget import GRACE_S, Budget
from bench.suite.case import Case


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def case(kind="timings", estimate_s=None):
    return Case(kind, {}, (0,), estimate_s=estimate_s)


def test_without_minutes_everything_fits_for_ever(clock):
    budget = Budget(None, clock)
    clock.now = 1e9
    assert budget.fits(case(estimate_s=1e9))
    assert budget.limit_s() is None


def test_what_would_end_too_late_does_not_fit(clock):
    budget = Budget(2.0, clock)
    assert budget.fits(case(estimate_s=120))
    assert not budget.fits(case(estimate_s=121))
    clock.now += 100
    assert budget.fits(case(estimate_s=20))
    assert not budget.fits(case(estimate_s=21))
    assert budget.limit_s() == 20 + GRACE_S
    clock.now += 500
    assert not budget.fits(case())
    assert budget.limit_s() == GRACE_S


def test_the_longest_of_its_kind_stands_for_a_case_that_says_nothing(clock):
    budget = Budget(1.0, clock)
    assert budget.expected_s(case()) == 0
    for seconds in (5, 30, 7):
        budget.took(case(), seconds)
    assert budget.expected_s(case()) == 30
    assert budget.expected_s(case("spectra")) == 0


def test_a_slower_machine_stretches_the_estimates_and_a_faster_one_does_not(clock):
    budget = Budget(1.0, clock)
    budget.took(case(estimate_s=10), 20)
    budget.took(case("spectra", estimate_s=10), 40)
    assert budget.expected_s(case(estimate_s=10)) == pytest.approx(30)
    budget.took(case(estimate_s=1000), 1)
    assert budget.expected_s(case(estimate_s=10)) == pytest.approx(10)
