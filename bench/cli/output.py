"""Standard output that is full or closed: the end of the program, and no fault of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EBADF
from typing import Any, TextIO


class OutputError(BaseException):
    """Nothing more can be written to standard output. No error of whatever is being done, so nothing may go on from it.

    Attributes:
        nobody_reads: it is a pipe whose reader has ended, as `head` does.
    """

    def __init__(self, error: OSError):
        super().__init__(f"cannot write standard output: {error.strerror or error}")
        self.nobody_reads = isinstance(error, BrokenPipeError)


class StandardOutput:
    """A stream whose errors are told from those of any other file; else it is that stream."""

    def __init__(self, stream: TextIO | None):
        """`stream` is None where standard output was closed before the program began."""
        self._stream = stream

    def write(self, text: str) -> int:
        with _told():
            if self._stream is None:
                raise OSError(EBADF, os.strerror(EBADF))
            return self._stream.write(text)

    def flush(self) -> None:
        with _told():
            if self._stream is not None:
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(error) from error
