"""Errors that are the user's to mend, shown as one sentence; and what became of a case that broke."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.privacy import error_line


class UsageError(Exception):
    """A command, a suite file or a result folder cannot be used as it is."""


class NothingInCommonError(UsageError):
    """Two result folders hold no case of the same kind, so that they cannot be compared."""


class CaseError(Exception):
    """A case did not finish in a process of its own.

    Attributes:
        status: as in failures.csv.
    """

    def __init__(self, status: str, line: str):
        super().__init__(line)
        self.status = status


_OUT_OF_MEMORY = re.compile(
    r"RESOURCE_EXHAUSTED|out of memory|MemoryError|bad_alloc|failed to allocate|\bOOM\b", re.IGNORECASE
)

_UNSUPPORTED = re.compile(r"not supported|unsupported|UNIMPLEMENTED", re.IGNORECASE)


def failure_of(error: Exception) -> tuple[str, str]:
    """What became of a case, as in failures.csv: its status and the error in one line without names or folders."""
    if isinstance(error, CaseError):
        return error.status, error_line(str(error))
    text = f"{type(error).__name__}: {error}"
    return failure_status(text), error_line(text)


def is_unsupported(error: Exception) -> bool:
    """True where a device says that it has no such arithmetic."""
    return _UNSUPPORTED.search(str(error)) is not None


def failure_status(text: str) -> str:
    """out_of_memory where an error says so, else failed."""
    return "out_of_memory" if _OUT_OF_MEMORY.search(text) else "failed"


@contextmanager
def making(what: str, folder: Path, *kinds: str) -> Iterator[None]:
    """Turns an exception over values of the right types that make no sense, as after an edit by hand, into a UsageError.

    Args:
        what: the thing that is made.
        folder: of the results.
        kinds: of result files, from which it is made.

    Raises:
        UsageError: it could not be made.
    """
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        files = " and ".join(f"{kind}.csv" for kind in kinds)
        raise UsageError(
            f"{folder}: {what} cannot be made from {files} ({type(error).__name__}: {str(error).strip()[:200]!r}); "
            "a value there makes no sense: restore the file, or measure again"
        ) from error
