"""Writing a file whole or not at all."""

import os
import tempfile
from pathlib import Path

import pandas as pd

from bench.errors import UsageError
from bench.store.locks import TEMPORARY, lock

_TRIES = 3


def csv_text(frame: pd.DataFrame) -> str:
    """A DataFrame as this project's CSV: LF, nine significant digits."""
    return frame.to_csv(index=False, lineterminator="\n", float_format="%.9g")


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Writes a DataFrame as this project's CSV: UTF-8, LF, nine significant digits."""
    write_text(path, csv_text(frame))


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    write_bytes(path, encoded(text))


def encoded(text: str) -> bytes:
    """As UTF-8. Half a surrogate pair, as in a file's name that is no UTF-8, is written out as \\udc..."""
    return text.encode("utf-8", errors="backslashreplace")


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all: a temporary file, fsync, rename, fsync of the folder.

    The temporary file is held while it is written, so that `locks.delete_leftovers` knows it from one that a killed
    process left.

    Raises:
        UsageError: the folder or the disk does not take it.
    """
    make_folder(path.parent)
    try:
        for attempt in range(1, _TRIES + 1):
            try:
                _write(path, content)
                break
            except FileNotFoundError:  # swept away between its making and its locking
                if attempt == _TRIES:
                    raise
        _sync_folder(path.parent)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}; nothing that was there before is lost"
        ) from error


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=TEMPORARY)
    try:
        with os.fdopen(handle, "wb") as file:
            lock(handle, wait=True)
            file.write(content)
            file.flush()
            os.fsync(handle)
            os.chmod(name, 0o644)
            if os.name == "posix":  # while it is held
                os.replace(name, path)
        if os.name != "posix":
            os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def make_folder(folder: Path) -> None:
    """Makes a folder, and those that it lies in, where there is none.

    Raises:
        UsageError: a folder or the disk does not take it.
    """
    try:
        _make(folder)
    except OSError as error:
        raise UsageError(f"cannot write into {folder}: {error.strerror}; choose another --out") from error


def _make(folder: Path) -> None:
    new = []
    while not folder.is_dir() and folder != folder.parent:
        new.append(folder)
        folder = folder.parent
    if new:
        new[0].mkdir(parents=True, exist_ok=True)
    for each in reversed(new):
        _sync_folder(each.parent)


def _sync_folder(folder: Path) -> None:
    """Makes a rename last through a loss of power, where the system knows how."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # a file system that cannot; the file's own content was synced
    finally:
        os.close(descriptor)
