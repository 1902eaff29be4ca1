"""What a run says while it goes on: a bar on a terminal, plain lines elsewhere."""

from time import perf_counter
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

if TYPE_CHECKING:
    from bench.running.runner import Progress as RunProgress


def progress_for(stream: TextIO) -> "RunProgress":
    """A bar where `stream` is a terminal, else lines."""
    return _Bar(stream) if stream.isatty() else _Lines(stream)


class _Lines:
    """One line a case, and one each half minute within a long case.

    A case that is named again, as where many are measured at once, has its line again before the next word of it.
    """

    def __init__(self, stream: TextIO):
        self.stream = stream
        self.total = 0
        self.named: set[int] = set()
        self.heading = ""
        self.last_line_at = perf_counter()

    def start(self, cases: int, already_done: int) -> None:
        self.total = cases
        if already_done:
            self._say(_done_before(already_done))

    def case(self, number: int, label: str) -> None:
        self.heading = f"[{number}/{self.total}] {label}"
        if number not in self.named:
            self.named.add(number)
            self._say()

    def within(self, what: str, fraction: float) -> None:
        if perf_counter() - self.last_line_at > 30:
            self._say(f"    {what} ({fraction:.0%})")

    def note(self, line: str) -> None:
        self._say(f"    {line}")

    def done(self, seconds: float) -> None:
        self._say(f"    {seconds:.1f} s")

    def failed(self, label: str, error: str) -> None:
        self._say(f"    FAILED {label}: {error}")

    def _say(self, *lines: str) -> None:
        self.last_line_at = perf_counter()
        for line in filter(None, [self.heading, *lines]):
            print(line, file=self.stream, flush=True)
        self.heading = ""


class _Bar:
    """A bar over all cases with what is running and the time left."""

    def __init__(self, stream: TextIO):
        self.progress = Progress(
            TextColumn("{task.fields[place]}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=16),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("left", table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
            console=Console(file=stream),
            expand=True,
            transient=True,
        )
        self.total, self.last = 0, 0
        self.number, self.label = 0, ""
        self.running: dict[int, float] = {}  # by number, the fraction of each that is finished

    def start(self, cases: int, already_done: int) -> None:
        if already_done:
            self.progress.console.print(_done_before(already_done), highlight=False)
        self.bar = self.progress.add_task("", total=max(cases, 1), place=f"0/{cases}")
        self.total = cases
        if cases:
            self.progress.start()

    def case(self, number: int, label: str) -> None:
        self.number, self.label = number, label
        if number > self.last:
            self.last = number
            self.running[number] = 0.0
        self._move(description=label, place=f"{number}/{self.total}")

    def within(self, what: str, fraction: float) -> None:
        self.running[self.number] = fraction
        self._move(description=f"{self.label}: {what}", place=f"{self.number}/{self.total}")

    def note(self, line: str) -> None:
        text = f"{self.label}: {line}" if self.label else line
        self.progress.console.print(text, markup=False, highlight=False)

    def done(self, seconds: float) -> None:
        self._finish_case()

    def failed(self, label: str, error: str) -> None:
        self.progress.console.print(f"FAILED {label}: {error}", markup=False, highlight=False)
        self._finish_case()

    def _finish_case(self) -> None:
        self.running.pop(self.number, None)
        self._move()
        if self.progress.finished:
            self.progress.stop()

    def _move(self, **changes: Any) -> None:
        """To all up to the last that began: those that did not begin did not fit into the time."""
        ended = self.last - len(self.running)
        self.progress.update(self.bar, completed=ended + sum(self.running.values()), **changes)


def _done_before(cases: int) -> str:
    return "1 case was done before" if cases == 1 else f"{cases} cases were done before"
