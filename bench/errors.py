"""Errors that are the user's to mend, shown as one sentence; and what became of a case that broke."""

import re


class UsageError(Exception):
    """A command, a suite file or a result folder cannot be used as it is."""


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
    """What became of a case, as in failures.csv: its status and the error in one line."""
    if isinstance(error, CaseError):
        return error.status, str(error)
    line = f"{type(error).__name__}: {error}".splitlines()[0]
    return status_of(f"{type(error).__name__}: {error}"), line


def is_unsupported(error: Exception) -> bool:
    """True where a device says that it has no such arithmetic."""
    return _UNSUPPORTED.search(str(error)) is not None


def status_of(text: str) -> str:
    """out_of_memory where an error says so, else failed."""
    return "out_of_memory" if _OUT_OF_MEMORY.search(text) else "failed"
