"""Reads a TOML file, and says where it is none."""

import re
import tomllib
from pathlib import Path
from typing import Any

from bench.errors import UsageError

_LONG_NUMBER = re.compile(r"\d{4000}")
_DEEP = re.compile(r"[\[{]{50}")


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        UsageError: it cannot be read, or is no TOML; the message names the file and the line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{path}: not a TOML file: line {line} has a byte {error.object[error.start]:#04x} that is no UTF-8"
        ) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not a TOML file: {error}") from error
    except ValueError as error:
        raise UsageError(
            f"{path}: not a TOML file: a number is too long{_line_of(_LONG_NUMBER, text)}"
        ) from error
    except RecursionError as error:
        raise UsageError(f"{path}: not a TOML file: brackets too deep{_line_of(_DEEP, text)}") from error


def _line_of(sign: re.Pattern[str], text: str) -> str:
    found = sign.search(text)
    return f" (at line {text.count(chr(10), 0, found.start()) + 1})" if found else ""
