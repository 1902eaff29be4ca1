"""The workers of a run: one at each place of a cluster, as nodes come and go."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter, sleep
from typing import Any

from bench.cluster.engine import Engine, Lost
from bench.cluster.likeness import agreed, why_left_out
from bench.cluster.places import Place, Share, places_on
from bench.cluster.worker import Worker
from bench.errors import UsageError
from bench.running.installation import installation

SURVEY_S = 300.0
"""Seconds that the first workers have to say where they run: each imports JAX for that."""
LATER_S = 60.0
"""Seconds for which those that answered wait for the next to answer; one that comes later joins the run later."""
CLOSE_S = 5.0
"""Seconds that a worker has to put its files away before it is killed."""
GONE_S = 15.0
"""Seconds after which a cluster has noticed that a node is gone, which it takes its health checks to do."""
LOSSES = 3
"""So many workers lost in a row, with no case finished between, and their node is left alone."""
_LOOK_S = 2.0
_NOT_INSTALLED = "rnn-jax-bench is not installed there, or not this version"


@dataclass(frozen=True)
class Assignment:
    """What every worker of a run is told.

    Attributes:
        suite: whose the cases are.
        backend, dtype: what the run's results are measured on and in; a backend of None is not chosen yet.
        packages: those of which must be equal on all nodes whether they are there.
        checkpoint_every_s: seconds between the checkpoints of a training.
        debug: show what a case's process says on its standard error.
    """

    suite: str
    backend: str | None
    dtype: str
    packages: Sequence[str]
    checkpoint_every_s: float
    debug: bool = False


class Crew:
    """Starts, checks, asks and replaces workers. It knows nothing of cases."""

    def __init__(self, engine: Engine, share: Share, job: Assignment, note: Callable[[str], None]):
        """For one run.

        Args:
            engine: what starts them.
            share: what each is given of its node.
            job: what each is told.
            note: told in a line when a node is left alone.
        """
        self.idle: deque[Place] = deque()
        self._engine, self._share, self._job, self._note = engine, share, job, note
        self._here = installation(job.packages)
        self._workers: dict[Place, Any] = {}
        self._asked: dict[Any, tuple[Place, bool]] = {}
        self._left_out: set[str] = set()
        self._losses: Counter[str] = Counter()
        self._looked_at = float("-inf")
        self._facts: Mapping[str, Any] = {}

    def survey(self) -> Mapping[str, Any]:
        """Starts a worker at every place, and returns the facts that hold for all of them.

        Raises:
            UsageError: none answers, one cannot measure or has other code, or they are not alike.
        """
        self._look()
        answers, until = {}, perf_counter() + SURVEY_S
        while self._asked and perf_counter() < until:
            for place, _, answer in self._answers(1.0):
                if not isinstance(answer, Lost):
                    answers[place] = answer
                    until = min(until, perf_counter() + LATER_S)
                elif place in self._workers:
                    self._let_go(place, answer)
        answers = {place: answer for place, answer in answers.items() if place in self._workers}
        if not answers and not self._workers:
            raise UsageError("no node of the cluster is left that could take part")
        if not answers:
            raise UsageError(
                f"no node of the cluster took a worker within {SURVEY_S:.0f} s; is another program using them?"
            )
        self._facts = agreed(answers, self._here)
        self.idle.extend(answers)
        return self._facts

    @property
    def size(self) -> int:
        """How many workers there are, asked or being asked where they run."""
        return len(self._workers)

    def begin(self, place: Place, *arguments: Any) -> None:
        """Has an idle worker begin a case."""
        self.idle.remove(place)
        self._ask(place, "begin", *arguments)

    def go_on(self, place: Place) -> None:
        """Asks a worker that has begun a case how it goes on."""
        self._ask(place, "more")

    def release(self, place: Place) -> None:
        """Takes a worker back whose case has ended."""
        self._losses[place.node] = 0
        self._admit(place)

    def news(self, wait_s: float) -> list[tuple[Place, list[dict[str, Any]] | Lost]]:
        """What workers say of the cases that they began, or why one of these was lost; waits so long for it."""
        if perf_counter() - self._looked_at > _LOOK_S:
            self._look()
        news = []
        for place, is_case, answer in self._answers(wait_s):
            if isinstance(answer, Lost):
                self.lose(place, str(answer))
            if is_case:
                news.append((place, answer))
            elif not isinstance(answer, Lost):
                self._admit(place, why_left_out(answer, self._here, self._facts))
        return news

    def lose(self, place: Place, reason: str) -> None:
        """Gives a worker up; the next look at its node starts another one, if the node is alive."""
        self._dismiss(place)
        self._losses[place.node] += 1
        if self._losses[place.node] >= LOSSES:
            self._leave_out(place, f"it lost {LOSSES} workers in a row: {reason}")

    def close(self) -> None:
        """Ends every worker."""
        closing = [self._engine.call(worker, "close") for worker in self._workers.values()]
        until = perf_counter() + CLOSE_S
        while closing and perf_counter() < until:
            ready = self._engine.ready(closing, 0.2)
            closing = [call for call in closing if call not in ready]
        for worker in self._workers.values():
            self._engine.stop(worker)
        self._workers.clear()
        self._asked.clear()
        self.idle.clear()

    def _ask(self, place: Place, method: str, *arguments: Any) -> None:
        call = self._engine.call(self._workers[place], method, *arguments)
        self._asked[call] = place, method != "described"

    def _answers(self, wait_s: float) -> list[tuple[Place, bool, Any]]:
        """Answers of workers that are still there, each with whether it is about a case."""
        if not self._asked:
            sleep(wait_s)
            return []
        answers = []
        for call in self._engine.ready(list(self._asked), wait_s):
            place, is_case = self._asked.pop(call)
            try:
                answers.append((place, is_case, self._engine.value(call)))
            except Lost as lost:
                answers.append((place, is_case, Lost(_reason(lost))))
        return answers

    def _look(self) -> None:
        """Starts workers at places that have none, and forgets idle ones of nodes that are gone."""
        self._looked_at = perf_counter()
        job, nodes = self._job, self._engine.nodes()
        alive = self._alive(nodes)
        for place in [each for each in self.idle if each.node not in alive]:
            self._dismiss(place)
        for node in nodes:
            for place in places_on(node, self._share):
                if place not in self._workers and place.node not in self._left_out:
                    self._workers[place] = self._engine.start(
                        place, Worker, job.suite, place.slot, place.cpus, job.checkpoint_every_s, job.debug
                    )
                    self._ask(place, "described", job.backend, job.dtype, job.packages)

    def _let_go(self, place: Place, lost: Lost) -> None:
        """Goes on without a node that went as it was asked where it runs; one that comes back joins like any other."""
        until = perf_counter() + GONE_S
        while place.node in self._alive(self._engine.nodes()):
            if perf_counter() > until or str(lost) == _NOT_INSTALLED:
                raise UsageError(f"the node at {place.address} cannot take part: {lost}")
            sleep(0.5)
        self._note(f"the node at {place.address} is gone: {lost}")
        for other in [each for each in self._workers if each.node == place.node]:
            self._asked = {call: asked for call, asked in self._asked.items() if asked[0] != other}
            self._dismiss(other)

    @staticmethod
    def _alive(nodes: Sequence[Mapping[str, Any]]) -> set[str]:
        return {node["NodeID"] for node in nodes if node["Alive"]}

    def _admit(self, place: Place, problem: str = "") -> None:
        """Takes a worker among the idle ones, unless its node is not to have cases."""
        if problem:
            self._leave_out(place, problem)
        if place.node in self._left_out:
            self._dismiss(place)
        else:
            self.idle.append(place)

    def _leave_out(self, place: Place, problem: str) -> None:
        """Gives no more cases to a node; those that it has begun may end."""
        if place.node not in self._left_out:
            self._left_out.add(place.node)
            self._note(f"the node at {place.address} is left out: {problem}")
        for other in [each for each in self.idle if each.node == place.node]:
            self._dismiss(other)

    def _dismiss(self, place: Place) -> None:
        if place in self.idle:
            self.idle.remove(place)
        self._engine.stop(self._workers.pop(place))


def _reason(lost: Lost) -> str:
    """Why a worker was lost, in one line."""
    text = str(lost)
    if "No module named 'bench" in text:
        return _NOT_INSTALLED
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "its worker ended"
