"""Compiled programs are dropped before a process holds more memory maps than it may.

On a CPU each holds some 100 to 600. Linux allows a process 65,530 where nobody said otherwise; past that XLA ends
the process, with all that it has not written yet, after some hundred cases of training.
"""

from pathlib import Path

import jax

HELD, ALLOWED = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
_SHARE = 0.5
"""Of what is allowed: the rest is for one case."""


def drop_programs_before_there_are_too_many() -> None:
    """Has JAX forget its compiled programs where they hold half of the maps; elsewhere than on Linux never."""
    try:
        allowed = int(ALLOWED.read_text(encoding="ascii"))
        with HELD.open("rb") as maps:
            held = sum(1 for _ in maps)
    except (OSError, ValueError):
        return
    if held > _SHARE * allowed:
        jax.clear_caches()
