"""Into how many blocks time is best cut on a device, as `rnn_jax.tune_blocks` measured it.

The table lies in memory and in a file of the user's cache folder. It is only ever read by a chain: a
file that is absent or cannot be understood is the same as no table, and nothing is measured unasked.
"""

import json
import math
import os
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rnn_jax.devices import default_device
from rnn_jax.whole_numbers import is_whole

VERSION = 1
"""Of the file; raised when blocks come to cost something else, so that older figures are forgotten."""

SIZE_DISTANCE, LENGTH_DISTANCE = 1, 2
"""An entry serves states and sequences this many powers of two away from those it was measured at."""


@dataclass(frozen=True)
class Entry:
    """What was measured for one device, dtype, state size and length.

    Attributes:
        device_kind: as JAX names the device.
        dtype: of the state.
        log2_size, log2_length: state size and sequence length as powers of two, rounded.
        block_count: the best.
        blocked_s: seconds a chain took with it.
        sequential_s: seconds the sequential order took, or None where it was not measured.
    """

    device_kind: str
    dtype: str
    log2_size: int
    log2_length: int
    block_count: int
    blocked_s: float
    sequential_s: float | None

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What tells entries apart."""
        return self.device_kind, self.dtype, self.log2_size, self.log2_length


def path() -> Path:
    """`$XDG_CACHE_HOME/rnn_jax/blocks.json`, or below `~/.cache`."""
    folder = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(folder) / "rnn_jax" / "blocks.json"


def device_kind() -> str:
    """The name of the device that JAX computes on unless told otherwise."""
    return default_device().device_kind


def power_of_two(number: int) -> int:
    """The nearest power of two, as its exponent."""
    return round(math.log2(max(1, number)))


def nearest(size: int, dtype: str, length: int) -> Entry | None:
    """The entry of this device nearest to a state size, a dtype and a length; None where none is near."""
    here, log2_size, log2_length = device_kind(), power_of_two(size), power_of_two(length)

    def distance(entry: Entry) -> tuple[int, int]:
        return abs(entry.log2_size - log2_size), abs(entry.log2_length - log2_length)

    near = [
        entry
        for entry in _table().values()
        if (entry.device_kind, entry.dtype) == (here, dtype)
        and distance(entry)[0] <= SIZE_DISTANCE
        and distance(entry)[1] <= LENGTH_DISTANCE
    ]
    return min(near, key=lambda entry: (distance(entry), entry.key), default=None)


def keep(entry: Entry) -> None:
    """Adds an entry in memory and to those that the file has now; seconds of the sequential order that are there stay.

    Where two processes do so at the same moment, one of the entries may be lost, and is measured again when next asked for.

    Raises:
        OSError: the file cannot be written; in memory the entry is kept all the same.
        RuntimeError: likewise, as there is no home folder.
    """
    kept = _read()
    before = kept.get(entry.key) or _table().get(entry.key)
    if entry.sequential_s is None and before is not None:
        entry = replace(entry, sequential_s=before.sequential_s)
    _table()[entry.key] = entry
    entries = {**kept, entry.key: entry}
    content = {"version": VERSION, "entries": [asdict(entries[key]) for key in sorted(entries)]}
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def forget() -> None:
    """Drops what is in memory, so that the file is read anew when next asked."""
    _IN_MEMORY.clear()


_IN_MEMORY: list[dict] = []
"""The table, once it was read."""


def _table() -> dict[tuple, Entry]:
    if not _IN_MEMORY:
        _IN_MEMORY.append(_read())
    return _IN_MEMORY[0]


def _read() -> dict[tuple, Entry]:
    try:
        content = json.loads(path().read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            return {}
        entries = [_checked(Entry(**fields)) for fields in content["entries"]]
        return {entry.key: entry for entry in entries}
    # No home folder is a RuntimeError, text that is not JSON or not UTF-8 a ValueError.
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return {}


def _checked(entry: Entry) -> Entry:
    if not (isinstance(entry.device_kind, str) and isinstance(entry.dtype, str)):
        raise ValueError(f"not names: {entry}")
    whole = (entry.log2_size, entry.log2_length, entry.block_count)
    if not all(is_whole(number) for number in whole) or entry.block_count < 1:
        raise ValueError(f"not whole numbers: {entry}")
    seconds = [entry.blocked_s, *([] if entry.sequential_s is None else [entry.sequential_s])]
    if not all(isinstance(each, int | float) and each > 0 for each in seconds):
        raise ValueError(f"not seconds: {entry}")
    return entry
