"""What a run says while it goes on: a bar on a terminal, plain lines elsewhere."""

from time import perf_counter
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

if TYPE_CHECKING:
    from bench.runner import Progress as RunProgress


def progress_for(stream: TextIO) -> "RunProgress":
    """A bar where `stream` is a terminal, else lines."""
    return _Bar(stream) if stream.isatty() else _Lines(stream)


class _Lines:
    """One line a case, and one each half minute within a long case."""

    def __init__(self, stream: TextIO):
        self.stream = stream
        self.total = 0
        self.last_line_at = perf_counter()

    def start(self, cases: int, already_done: int) -> None:
        self.total = cases
        if already_done:
            self._say(f"{already_done} cases were done before")

    def case(self, number: int, label: str) -> None:
        self._say(f"[{number}/{self.total}] {label}")

    def within(self, what: str, fraction: float) -> None:
        if perf_counter() - self.last_line_at > 30:
            self._say(f"    {what} ({fraction:.0%})")

    def note(self, line: str) -> None:
        self._say(f"    {line}")

    def done(self, seconds: float) -> None:
        self._say(f"    {seconds:.1f} s")

    def failed(self, label: str, error: str) -> None:
        self._say(f"    FAILED {label}: {error}")

    def _say(self, line: str) -> None:
        self.last_line_at = perf_counter()
        print(line, file=self.stream, flush=True)


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
        self.finished, self.total = 0, 0
        self.label = ""

    def start(self, cases: int, already_done: int) -> None:
        if already_done:
            self.progress.console.print(f"{already_done} cases were done before", highlight=False)
        self.bar = self.progress.add_task("", total=max(cases, 1), place=f"0/{cases}")
        self.total = cases
        if cases:
            self.progress.start()

    def case(self, number: int, label: str) -> None:
        self.label, self.finished = label, number - 1
        place = f"{number}/{self.total}"
        self.progress.update(self.bar, completed=number - 1, description=label, place=place)

    def within(self, what: str, fraction: float) -> None:
        self.progress.update(
            self.bar, completed=self.finished + fraction, description=f"{self.label}: {what}"
        )

    def note(self, line: str) -> None:
        told = f"{self.label}: {line}" if self.label else line
        self.progress.console.print(told, markup=False, highlight=False)

    def done(self, seconds: float) -> None:
        self._finish_case()

    def failed(self, label: str, error: str) -> None:
        self.progress.console.print(f"FAILED {label}: {error}", markup=False, highlight=False)
        self._finish_case()

    def _finish_case(self) -> None:
        self.finished += 1
        self.progress.update(self.bar, completed=self.finished)
        if self.progress.finished:
            self.progress.stop()
