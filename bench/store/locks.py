"""Locks on files: so that what a killed process left behind is told from what a living one has in use.

A lock is the operating system's (`flock`): it ends with the process, however that ends, so none is ever stale.
Where a system or a file system has none, nothing is locked, and only what is a day old counts as left behind.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None

TEMPORARY = ".tmp"
"""How the names of files end that are no results; they begin with a dot."""
_OLD_S = 86_400.0
_TRIES, _PAUSE_S = 5, 0.01


def lock(descriptor: int, *, wait: bool = False) -> bool | None:
    """Locks an open file or folder for this process, until it is closed.

    Args:
        wait: until another lets it go.

    Returns:
        whether it is held; None where that cannot be told.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def delete_leftovers(folder: Path) -> None:
    """Deletes the temporary files that killed processes left in a folder; those in use stay."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(OSError):  # another run was quicker, or the folder is read-only
            _delete_unless_held(path)


def _delete_unless_held(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        held = lock(descriptor)
        if held or (held is None and time.time() - path.stat().st_mtime > _OLD_S):
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(folder: Path, waits: Callable[[], None] | None = None) -> Iterator[None]:
    """One process at a time: what several would write over each other is written in turns.

    Args:
        folder: whose turn it is; nothing is held where there is no such folder.
        waits: called once before waiting for another.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        descriptor = None
    try:
        if descriptor is not None and lock(descriptor) is False:
            if waits is not None:
                waits()
            lock(descriptor, wait=True)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def reserved(path: Path) -> Iterator[bool | None]:
    """Reserves what a path stands for, with a file that is there as long.

    Yields:
        True: it is ours. False: another process has it. None: that cannot be told here.
    """
    descriptor, held = None, None
    for _ in range(_TRIES):  # `delete_leftovers` holds it for a moment too
        descriptor, held = _opened(path)
        if held is not False:
            break
        time.sleep(_PAUSE_S)
    try:
        yield held
    finally:
        if descriptor is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            os.close(descriptor)


def _opened(path: Path) -> tuple[int | None, bool | None]:
    """The file of a reservation, held; no descriptor where another holds it or it was deleted just now."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError:  # a folder that takes no file will be told when results are written
        return None, None
    held = lock(descriptor)
    if held is None:
        return descriptor, None
    try:
        same = held and os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        same = False
    if same:
        return descriptor, True
    os.close(descriptor)
    return None, False
