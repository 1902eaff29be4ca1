"""How much of a run's time is left, and what still fits into it."""

from collections.abc import Callable
from time import perf_counter

from bench.suite.case import Case

GRACE_S = 45.0
"""Seconds past the deadline after which a case that is still being measured is given up."""


class Budget:
    """The time that a run may take.

    What a case takes is estimated by the case itself, or else by the longest of its kind so far, and by how
    much longer than estimated the cases before took.
    """

    def __init__(
        self,
        minutes: float | None,
        clock: Callable[[], float] = perf_counter,
        known: Callable[[Case], float | None] | None = None,
    ):
        """For one run.

        Args:
            minutes: that it may take; without end if None.
            clock: tells seconds.
            known: what a case took in an earlier run on this machine, in seconds, or None.
        """
        self._clock, self._known = clock, known
        self._end = None if minutes is None else clock() + 60.0 * minutes
        self._longest: dict[str, float] = {}
        self._estimated_s, self._taken_s = 0.0, 0.0

    def fits(self, case: Case) -> bool:
        """True where the case is expected to be done in time."""
        return self._end is None or self._clock() + self.expected_s(case) <= self._end

    def expected_s(self, case: Case) -> float:
        """Seconds that the case is expected to take; 0 where nothing is known."""
        earlier = None if self._known is None else self._known(case)
        if earlier is not None:
            return earlier
        if case.estimate_s is None:
            return self._longest.get(case.kind, 0.0)
        slower = self._taken_s / self._estimated_s if self._estimated_s else 1.0
        return case.estimate_s * max(1.0, slower)

    def took(self, case: Case, seconds: float) -> None:
        """Learns from a case that ended."""
        self._longest[case.kind] = max(seconds, self._longest.get(case.kind, 0.0))
        if case.estimate_s is not None:
            self._estimated_s += case.estimate_s
            self._taken_s += seconds

    def limit_s(self) -> float | None:
        """Seconds after which a case that begins now is given up; None: never."""
        return None if self._end is None else max(0.0, self._end - self._clock()) + GRACE_S
