"""Takes out of a text what says whose machine it is and where on it things lie."""

import getpass
import re
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

MOST_CHARACTERS = 500
"""Of an error in a result file."""
_LEAST_LETTERS = 3
# These name nobody, and some are words of this harness.
_COMMON = {
    "adam", "admin", "administrator", "app", "build", "debian", "docker", "ec2-user", "guest", "home", "jovyan",
    "localhost", "lstm", "gru", "nobody", "root", "runner", "sgd", "test", "ubuntu", "user", "users", "vagrant", "worker",
}  # fmt: skip
_STOPS = r"\s'\"`<>|;:,()\[\]{}="
_QUOTED = re.compile(
    r"(?P<quote>['\"])(?P<path>(?:file:/+|~[\w.-]*/|/|\.\./|[A-Za-z]:[\\/]|\\\\)[^'\"\n]*)(?P=quote)"
)
_POSIX = re.compile(
    rf"(?<![\w.~/\\)\]-])(?:file:/+(?=[^/])|(?:~[\w.-]*|(?:\.\.)(?:/\.\.)*)/|/(?!/))[^{_STOPS}]+"
)
_WINDOWS = re.compile(rf"(?<!\w)(?:[A-Za-z]:[\\/](?!/)|\\\\)[^{_STOPS}]+")


def without_folders(text: str) -> str:
    """Paths that are absolute or go upwards, cut to their last part: the folders before it can name a person."""
    for folder in _folders():
        text = re.sub(rf"(?<![\w.-]){re.escape(folder)}(?=[/\\])", "~", text)
    text = _QUOTED.sub(lambda match: f"{match['quote']}{_last(match['path'])}{match['quote']}", text)
    return _WINDOWS.sub(lambda match: _last(match[0]), _POSIX.sub(lambda match: _last(match[0]), text))


def without_names(text: str) -> str:
    """The same, and in place of this machine's and this user's name HOST and USER."""
    text = without_folders(text)
    for name, word in _names():
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", word, text)
    return text


def argument(text: str) -> str:
    """One argument of a command line, `--name=` kept: it may hold spaces."""
    name, equals, value = text.partition("=") if text.startswith("-") else ("", "", text)
    if re.match(r"[/~\\]|\.\./|[A-Za-z]:[\\/]", value):
        value = _last(value)
    return without_names(name + equals + value)


def error_line(error: str) -> str:
    """The first line of an error's text, as it may stand in a result file."""
    lines = [line for line in error.splitlines() if line.strip()]
    line = without_names(lines[0]) if lines else ""
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}..."


def _last(path: str) -> str:
    """The last part of a path; of a person's own folder nothing but that."""
    parts = re.split(r"[/\\]", path.rstrip("/\\"))
    return "~" if len(parts) > 1 and parts[-2].lower() in ("home", "users") else parts[-1]


def _folders() -> list[str]:
    """Folders that may have spaces in them, the longest first."""
    found = set()
    for place in (Path.home, Path.cwd):
        with suppress(OSError, RuntimeError):  # nobody's home; a folder that was deleted
            found.add(str(place()))
    return sorted((folder for folder in found if len(folder) > 1), key=len, reverse=True)


@cache
def _host() -> str:
    return socket.gethostname()


def _home_name() -> str:
    try:
        return Path.home().name
    except RuntimeError:
        return ""


def _names() -> list[tuple[str, str]]:
    """What this machine and this user are called, and what stands in its place."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name
        user = ""
    names = {_host(): "HOST", _host().split(".")[0]: "HOST", user: "USER", _home_name(): "USER"}
    return [
        (name, word)
        for name, word in names.items()
        if len(name) >= _LEAST_LETTERS and name.lower() not in _COMMON and not name.isdigit()
    ]
