"""Signs of life: a small file that a run keeps while it goes on, so that `rnn-bench status` can say what it does.

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
    from bench.runner import Progress

FOLDER = Path("shards") / "running"
_AT_MOST_EVERY_S = 5.0
_NEW = ".new"
_NOTHING_IN_HAND: Mapping[str, Any] = {"label": "", "case_id": "", "case_began": None, "within": ""}


@dataclass(frozen=True)
class Sign:
    """What a run says of itself; times in seconds since 1970.

    Attributes:
        pid, process_began: the process; another one of the same number began at another time.
        place: a hash of what process numbers count in: the boot of a machine, or a container.
        suite: what it measures.
        began: when the run did.
        told: when this was written last.
        cases: how many it set out to measure.
        done, failed: how many of them it has ended.
        label, case_id, case_began: the case in hand; empty between two.
        within, fraction: what of that case, and how much of it is done.
    """

    pid: int
    process_began: str
    place: str
    suite: str
    began: float
    told: float
    cases: int = 0
    done: int = 0
    failed: int = 0
    label: str = ""
    case_id: str = ""
    case_began: float | None = None
    within: str = ""
    fraction: float = 0.0

    def alive(self) -> bool | None:
        """Whether its process is still there; None where it runs on another machine, so that nobody here knows."""
        if self.place != _place():
            return None
        return self.process_began == _process_began(self.pid)


class Signs:
    """Passes on what a run says of its progress, and keeps its sign up to date.

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
        self._folder, self._progress = folder / FOLDER, progress
        now, pid = time.time(), os.getpid()
        self._sign = Sign(pid, _process_began(pid), _place(), suite, now, now)
        self._path = self._folder / f"{pid}-{self._sign.place}.json"

    def __enter__(self) -> "Signs":
        for path, sign in signs(self._folder.parent.parent):
            if sign.alive() is False:
                _remove(path)
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        _remove(self._path)

    def start(self, cases: int, already_done: int) -> None:
        self._write(cases=cases)
        self._progress.start(cases, already_done)

    def case(self, number: int, label: str) -> None:
        case_id = self._case_ids.get(label, "")
        self._write(label=label, case_id=case_id, case_began=time.time(), within="", fraction=0.0)
        self._progress.case(number, label)

    def within(self, what: str, fraction: float) -> None:
        if time.time() - self._sign.told > _AT_MOST_EVERY_S:
            self._write(within=what, fraction=fraction)
        self._progress.within(what, fraction)

    def note(self, line: str) -> None:
        self._progress.note(line)

    def done(self, seconds: float) -> None:
        self._write(done=self._sign.done + 1, **_NOTHING_IN_HAND)
        self._progress.done(seconds)

    def failed(self, label: str, error: str) -> None:
        self._write(failed=self._sign.failed + 1, **_NOTHING_IN_HAND)
        self._progress.failed(label, error)

    def _write(self, **changed: Any) -> None:
        self._sign = replace(self._sign, told=time.time(), **changed)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(_NEW)
            new.write_text(json.dumps(asdict(self._sign)), encoding="utf-8")
            os.replace(new, self._path)


def signs(folder: Path) -> list[tuple[Path, Sign]]:
    """The signs in a result folder, of runs that go on and of such that were killed, the oldest first."""
    found = []
    for path in folder.glob(f"{FOLDER.as_posix()}/*.json"):
        with suppress(OSError, ValueError, TypeError):  # just removed, or not one of ours
            found.append((path, _checked(json.loads(path.read_text(encoding="utf-8")))))
    return sorted(found, key=lambda each: each[1].began)


def _checked(content: dict[str, Any]) -> Sign:
    sign = Sign(**content)
    for value in (sign.pid, sign.began, sign.told, sign.done, sign.failed, sign.cases, sign.fraction):
        if not isinstance(value, int | float):
            raise TypeError("not a sign of this program")
    return sign


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.with_suffix(_NEW).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        path.parent.rmdir()  # only once it is empty


def _place() -> str:
    """Nothing that names a machine: a hash of this boot's random number and of the namespace of processes."""
    told = []
    with suppress(OSError):
        told = [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return hashlib.sha256(" ".join(told).encode()).hexdigest()[:8]


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
