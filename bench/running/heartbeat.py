"""The heartbeat of a run: a small file that a run keeps while it goes on, so that `rnn-bench status` can say what it does.

It locks nothing and nobody waits for it. A run that was killed leaves its file behind; whoever reads it sees that
the process is gone.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.running.runner import Progress

FOLDER = Path("shards") / "running"
_AT_MOST_EVERY_S = 5.0
_NEW = ".new"


@dataclass(frozen=True)
class InHand:
    """A case that is being measured; `began` in seconds since 1970, `fraction` of what of it is done."""

    label: str
    case_id: str
    began: float
    within: str = ""
    fraction: float = 0.0


@dataclass(frozen=True)
class Heartbeat:
    """What a run says of itself; times in seconds since 1970.

    Attributes:
        pid, process_began: the process; another one of the same number began at another time.
        place: a hash of what process numbers count in: the boot of a machine, or a container.
        suite: what it measures.
        began: when the run did.
        heard: when this was written last.
        cases: how many it set out to measure.
        done, failed: how many of them it has ended.
        in_hand: those that it measures now: none between two, several where a run measures on other machines.
    """

    pid: int
    process_began: str
    place: str
    suite: str
    began: float
    heard: float
    cases: int = 0
    done: int = 0
    failed: int = 0
    in_hand: tuple[InHand, ...] = ()

    def alive(self) -> bool | None:
        """Whether its process is still there; None where it runs on another machine, so that nobody here knows."""
        if self.place != _place():
            return None
        return self.process_began == _process_began(self.pid)


class HeartbeatWriter:
    """Passes on what a run says of its progress, and keeps its heartbeat up to date.

    Use it as a context manager. That a file cannot be written is no reason to stop measuring.
    """

    def __init__(self, folder: Path, suite: str, progress: "Progress", case_ids: Mapping[str, str]):
        """For one run.

        Args:
            folder: the result folder.
            suite: whose cases are measured.
            progress: where all is passed on to.
            case_ids: of the cases, by the label that `progress` is told.
        """
        self._case_ids = case_ids
        self._in_hand: dict[str, InHand] = {}
        self._label = ""
        self._folder, self._progress = folder / FOLDER, progress
        now, pid = time.time(), os.getpid()
        self._heartbeat = Heartbeat(pid, _process_began(pid), _place(), suite, now, now)
        self._path = self._folder / f"{pid}-{self._heartbeat.place}.json"

    def __enter__(self) -> "HeartbeatWriter":
        for path, heartbeat in heartbeats(self._folder.parent.parent):
            if heartbeat.alive() is False:
                _remove(path)
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        _remove(self._path)

    def start(self, cases: int, already_done: int) -> None:
        self._write(cases=cases)
        self._progress.start(cases, already_done)

    def case(self, number: int, label: str) -> None:
        self._label = label
        if label not in self._in_hand:  # else it is only named again
            self._in_hand[label] = InHand(label, self._case_ids.get(label, ""), time.time())
            self._write()
        self._progress.case(number, label)

    def within(self, what: str, fraction: float) -> None:
        if self._label in self._in_hand:
            known = self._in_hand[self._label]
            self._in_hand[self._label] = replace(known, within=what, fraction=fraction)
        if time.time() - self._heartbeat.heard > _AT_MOST_EVERY_S:
            self._write()
        self._progress.within(what, fraction)

    def note(self, line: str) -> None:
        self._progress.note(line)

    def done(self, seconds: float) -> None:
        self._in_hand.pop(self._label, None)
        self._write(done=self._heartbeat.done + 1)
        self._progress.done(seconds)

    def failed(self, label: str, error: str) -> None:
        self._in_hand.pop(label, None)
        self._write(failed=self._heartbeat.failed + 1)
        self._progress.failed(label, error)

    def _write(self, **changed: Any) -> None:
        in_hand = tuple(self._in_hand.values())
        self._heartbeat = replace(self._heartbeat, heard=time.time(), in_hand=in_hand, **changed)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(_NEW)
            new.write_text(json.dumps(asdict(self._heartbeat)), encoding="utf-8")
            os.replace(new, self._path)


def heartbeats(folder: Path) -> list[tuple[Path, Heartbeat]]:
    """The heartbeats in a result folder, of runs that go on and of such that were killed, the oldest first."""
    found = []
    for path in folder.glob(f"{FOLDER.as_posix()}/*.json"):
        with suppress(
            OSError, ValueError, TypeError, KeyError, AttributeError
        ):  # just removed, or not one of ours
            found.append((path, _checked(json.loads(path.read_text(encoding="utf-8")))))
    return sorted(found, key=lambda each: each[1].began)


def _checked(content: dict[str, Any]) -> Heartbeat:
    in_hand = tuple(InHand(**each) for each in content.pop("in_hand"))
    heartbeat = Heartbeat(**content, in_hand=in_hand)
    numbers = [
        heartbeat.pid,
        heartbeat.began,
        heartbeat.heard,
        heartbeat.cases,
        heartbeat.done,
        heartbeat.failed,
    ]
    for value in [*numbers, *(number for each in in_hand for number in (each.began, each.fraction))]:
        if not isinstance(value, int | float):
            raise TypeError("no heartbeat of this program")
    return heartbeat


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.with_suffix(_NEW).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        path.parent.rmdir()  # only once it is empty


def _place() -> str:
    """Nothing that names a machine: a hash of this boot's random number and of the namespace of processes."""
    identifiers = []
    with suppress(OSError):
        identifiers = [
            Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            os.readlink("/proc/self/ns/pid"),
        ]
    return hashlib.sha256(" ".join(identifiers).encode()).hexdigest()[:8]


def _process_began(pid: int) -> str:
    """When a process began, in the clock of its machine; empty if there is none of that number."""
    try:
        # The name, in brackets, may hold anything; 20 fields after it stands the time, a dead one's state is Z.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        pass
    if os.path.isdir("/proc/self"):
        return ""
    if os.name != "posix":
        return "some time"
    try:  # no such file system: that there is a process of the number must do
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "some time"
