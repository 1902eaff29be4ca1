"""Where the cases of a run are measured: here, one after the other, or on a cluster, many at once."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol, Self

from bench.cases import measure
from bench.errors import UsageError
from bench.machine import Environment
from bench.running.children import Children
from bench.running.parts import CasePart
from bench.store import Rows, Store
from bench.store.checkpoints import EVERY_S, Checkpoints
from bench.suite import Suite


class Teller(Protocol):
    """Told how one case goes on."""

    def within(self, what: str, fraction: float) -> None: ...
    def note(self, line: str) -> None: ...


@dataclass(frozen=True)
class Ended:
    """What became of a case.

    Attributes:
        number: of the case, as it was begun.
        seconds: from its beginning to its end.
        tables: its rows by kind of result file; None where its shard is stored already, or it failed.
        error: why it did not finish; None where it did.
    """

    number: int
    seconds: float
    tables: Mapping[str, Rows] | None = None
    error: Exception | None = None


class Dispatch(Protocol):
    """Gives cases to whatever measures them. Used as a context manager: nothing is measured any more after it."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def free(self) -> bool:
        """True where a case can begin now; always where none is begun and not ended."""
        ...

    def begin(self, number: int, part: CasePart, limit_s: float | None, teller: Teller) -> None:
        """Begins a part of a case, known by its number, to be given up after so many seconds; None: never."""
        ...

    def ended(self) -> Ended:
        """Waits until one of those begun has ended.

        Raises:
            UsageError: no case can be measured any more, or none can be kept.
        """
        ...


class Here:
    """Measures one case at a time, in this process or in another one of this machine."""

    def __init__(
        self,
        suite: Suite,
        environment: Environment,
        store: Store,
        *,
        debug: bool = False,
        checkpoint_every_s: float = EVERY_S,
    ):
        """For the cases of one run.

        Args:
            suite: whose they are. Where one of its cases has a dtype or a process of its own, all are
                measured in other processes, so that this one leaves the device alone.
            environment: what they are measured on.
            store: where they are kept.
            debug: show what another process says on its standard error.
            checkpoint_every_s: seconds between the checkpoints of a training.
        """
        self._suite, self._environment, self._store = suite, environment, store
        self._debug, self._checkpoint_every_s = debug, checkpoint_every_s
        self._begun: tuple[int, CasePart, float | None, Teller, float] | None = None
        self._children: Children | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._suite.in_children:
            children = Children(
                self._store,
                self._suite.name,
                debug=self._debug,
                note=self._note,
                checkpoint_every_s=self._checkpoint_every_s,
            )
            self._children = self._open.enter_context(children)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def free(self) -> bool:
        """True where no case is begun."""
        return self._begun is None

    def begin(self, number: int, part: CasePart, limit_s: float | None, teller: Teller) -> None:
        """Takes a part, which `ended` then measures."""
        self._begun = (number, part, limit_s, teller, perf_counter())

    def ended(self) -> Ended:
        """Measures what was begun."""
        assert self._begun is not None, "no case is begun"
        number, part, limit_s, teller, started = self._begun
        case = part.case
        tables, failure = None, None
        try:
            own = case.own(self._environment)
            if self._children is not None:
                self._children.measure(case, own, teller.within, limit_s, part.process)
            else:
                folder = self._store.checkpoints(case.case_id(self._environment))
                checkpoints = Checkpoints(folder, self._checkpoint_every_s, teller.note)
                tables = measure(case, own, self._suite.name, teller.within, checkpoints)
        except UsageError:
            raise
        except Exception as error:
            failure = error
        self._begun = None
        return Ended(number, perf_counter() - started, tables, failure)

    def _note(self, line: str) -> None:
        if self._begun is not None:
            self._begun[3].note(line)
