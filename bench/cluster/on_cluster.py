"""Gives the cases of a run to the workers of a cluster, and again those whose worker was lost."""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Self

from bench.cluster.crew import SURVEY_S, Crew
from bench.cluster.engine import Lost
from bench.cluster.places import Place
from bench.errors import CaseError, UsageError
from bench.machine import Environment
from bench.running.dispatch import Ended, Teller
from bench.running.parts import CasePart
from bench.store import Store, write_bytes

ATTEMPTS = 3
"""A case whose worker was lost so many times has failed: it may be what kills them."""
WAIT_S = 60.0
"""Seconds for which a run without any worker waits for a node to join."""
_POLL_S = 1.0


@dataclass
class _Begun:
    """A case that has not ended: where it stands does not depend on who measures it."""

    number: int
    part: CasePart
    until: float | None
    teller: Teller
    started: float
    losses: int = 0


class OnCluster:
    """Measures as many cases at once as there are workers."""

    def __init__(self, crew: Crew, environment: Environment, store: Store):
        """For one run.

        Args:
            crew: surveyed.
            environment: that of its workers.
            store: where the checkpoints of what is not finished are kept, and found.
        """
        self._crew, self._environment, self._store = crew, environment, store
        self._busy: dict[Place, _Begun] = {}
        self._again: deque[_Begun] = deque()
        self._over: deque[Ended] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._crew.close()

    def free(self) -> bool:
        """True where a worker is idle and no case waits to be begun again."""
        if self._busy or self._again or self._over:
            return bool(self._crew.idle) and not self._again
        self._await_worker()
        return True

    def begin(self, number: int, part: CasePart, limit_s: float | None, teller: Teller) -> None:
        """Gives a case to an idle worker."""
        now = perf_counter()
        self._give(_Begun(number, part, None if limit_s is None else now + limit_s, teller, now))

    def ended(self) -> Ended:
        """Waits until one of those begun has ended."""
        while not self._over:
            while self._again and self._crew.idle:
                self._give(self._again.popleft())
            if not self._busy and not self._over:
                self._await_worker()
                continue
            for place, messages in self._crew.news(_POLL_S):
                self._hear(place, messages)
        return self._over.popleft()

    def _give(self, begun: _Begun) -> None:
        limit_s = None if begun.until is None else begun.until - perf_counter()
        if limit_s is not None and limit_s <= 0:
            self._end(begun, error=CaseError("timeout", "its worker was lost and the time was over"))
            return
        place = self._crew.idle[0]
        case, case_id = begun.part.case, begun.part.case.case_id(self._environment)
        kept = {path.name: path.read_bytes() for path in self._store.checkpoints(case_id).glob("*.npz")}
        own = case.own(self._environment)
        self._busy[place] = begun
        self._crew.begin(place, case_id, asdict(case), asdict(own), kept, limit_s, begun.part.process)

    def _hear(self, place: Place, messages: list[dict[str, Any]] | Lost) -> None:
        begun = self._busy[place]
        if isinstance(messages, Lost):
            self._lose(place, str(messages))
            return
        for message in messages:
            match message:
                case {"within": [what, fraction]}:
                    begun.teller.within(what, fraction)
                case {"note": line}:
                    begun.teller.note(line)
                case {"checkpoint": [name, content]}:
                    case_id = begun.part.case.case_id(self._environment)
                    write_bytes(self._store.checkpoints(case_id) / name, content)
                case {"lost": reason}:
                    self._crew.lose(place, reason)
                    self._lose(place, reason)
                    return
                case {"tables": tables}:
                    self._end(begun, place, tables=tables)
                    return
                case {"failed": [status, line]}:
                    self._end(begun, place, error=CaseError(status, line))
                    return
                case _:
                    raise AssertionError(f"a worker told {message!r}")
        self._crew.go_on(place)

    def _end(
        self,
        begun: _Begun,
        place: Place | None = None,
        *,
        tables: Mapping[str, Any] | None = None,
        error: Exception | None = None,
    ) -> None:
        if place is not None:
            del self._busy[place]
            self._crew.release(place)
        self._over.append(Ended(begun.number, perf_counter() - begun.started, tables, error))

    def _lose(self, place: Place, reason: str) -> None:
        """What becomes of the case of a worker that is not there any more."""
        begun = self._busy.pop(place)
        begun.losses += 1
        if begun.losses < ATTEMPTS:
            begun.teller.note(f"its worker was lost, and it is given to another one: {reason}")
            self._again.append(begun)
            return
        begun.teller.note(f"its worker was lost: {reason}")  # not for a file: Ray tells addresses
        self._end(begun, error=CaseError("failed", f"its worker was lost, {ATTEMPTS} times over"))

    def _await_worker(self) -> None:
        """Waits until a worker is idle.

        Raises:
            UsageError: there is none, and none came.
        """
        since = perf_counter()
        while not self._crew.idle:
            self._crew.news(_POLL_S)
            # Those that there are import JAX before they say that they are ready.
            if perf_counter() - since > (SURVEY_S if self._crew.size else WAIT_S):
                raise UsageError(
                    "the cluster has no worker left, and what was finished is kept; "
                    "start Ray on its nodes, and the same command goes on from there"
                )
