"""Times several implementations in interleaved rounds, so that what the machine does meanwhile hits all."""

import math
import resource
import sys
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import jax
import numpy as np

Report = Callable[[str, float], None]

_SHORTEST_SAMPLE_S = 1e-3
_SETTLE_S = 5e-3
_NEEDS_NO_SETTLING_S = 20 * _SETTLE_S
_TRIES = 5
_STEADY_SAMPLES = 3
_STEADY_WITHIN = 1.05
_MOST_WARM_UPS = 50
_WARM_UP_S = 2.0
"""Warm-up ends where three samples in a row lie within 5% of each other, after 50 samples, or after two seconds."""
_COMPILED = 0
_COMPILE_S = 0.0
_CACHE = {"compile_requests_use_cache": 0, "cache_hits": 0}


class Sample:
    """The timings of one implementation.

    Attributes:
        call: what is timed; whatever it returns is waited for.
        inner_calls: calls in one sample, so many that it lasts a millisecond.
        steady: whether the last samples of the warm-up agreed; None where calls are too long for so many.
        compile_cache: whether the first call found its programs in JAX's persistent cache: "off", "cold" or "warm".
        run_s: seconds a call, one a sample.
    """

    def __init__(self, call: Callable[[], Any]):
        self.call = call
        cached = dict(_CACHE)
        started = perf_counter()
        jax.block_until_ready(call())
        self._first_s = perf_counter() - started
        self.compile_cache = _cache_state(cached)
        once = self._timed(1)
        self.inner_calls = max(1, math.ceil(_SHORTEST_SAMPLE_S / once))
        self.steady, once = self._warm_up(once)
        # The very first calls are often slow: so many calls as fill a millisecond once they are not.
        self.inner_calls = max(self.inner_calls, math.ceil(_SHORTEST_SAMPLE_S / once))
        self._settling_calls = math.ceil(_SETTLE_S / once) if once < _NEEDS_NO_SETTLING_S else 0
        self.run_s: list[float] = []

    def _warm_up(self, once: float) -> tuple[bool | None, float]:
        """Samples until they agree: whether they did, and the seconds of a call in the last one."""
        until = perf_counter() + _WARM_UP_S - once
        seconds = [once] if self.inner_calls == 1 else []
        while len(seconds) < _MOST_WARM_UPS and (perf_counter() < until or not seconds):
            seconds.append(self._timed(self.inner_calls))
            last = seconds[-_STEADY_SAMPLES:]
            if len(last) == _STEADY_SAMPLES and max(last) <= _STEADY_WITHIN * min(last):
                return True, seconds[-1]
        return (False if len(seconds) >= _STEADY_SAMPLES else None), seconds[-1]

    def _timed(self, calls: int) -> float:
        started = perf_counter()
        for _ in range(calls):
            jax.block_until_ready(self.call())
        return (perf_counter() - started) / max(1, calls)

    def add(self) -> None:
        """One sample; taken again where anything compiled during it.

        Raises:
            RuntimeError: something compiled every time.
        """
        for _ in range(_TRIES):
            compiled = _COMPILED
            # The implementation before left its data in the caches, and its threads spin on for a while.
            self._timed(self._settling_calls)
            run_s = self._timed(self.inner_calls)
            if compiled == _COMPILED:
                self.run_s.append(run_s)
                return
        raise RuntimeError(f"something compiled in each of {_TRIES} samples, so no time can be told")

    @property
    def compile_s(self) -> float:
        """Seconds that the first call took longer than the median."""
        return self._first_s - float(np.median(self.run_s))


def interleaved(
    implementations: Mapping[str, Callable[[], Any]], rounds: int, report: Report
) -> dict[str, Sample]:
    """Samples of every implementation: one of each a round, in turn.

    JAX's compiled programs are dropped first: what was compiled to check an answer, or in a case before, would
    else be missing from the time that the first call took.

    Args:
        implementations: what to call, by name; each is warmed up before the first round.
        rounds: samples of each.
        report: told the number of the round.

    Raises:
        RuntimeError: something compiled in every sample of one of them.
    """
    jax.clear_caches()
    samples = {name: Sample(call) for name, call in implementations.items()}
    for number in range(rounds):
        report(f"round {number + 1} of {rounds}", number / rounds)
        for sample in samples.values():
            sample.add()
    return samples


def timing_columns(sample: Sample) -> list[dict[str, Any]]:
    """The columns of timings.csv that a sample gives, a row a round."""
    return [
        {
            "round": number,
            "inner_calls": sample.inner_calls,
            "run_s": run_s,
            "compile_s": sample.compile_s,
            "steady": sample.steady,
        }
        | _of_process(sample.compile_cache)
        for number, run_s in enumerate(sample.run_s)
    ]


def timed_once(call: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What a call returns, and the columns of timings.csv that it gives but for the round.

    For calls so long that none is to be spent on compiling alone: what JAX says that it compiled for is taken
    off. Tracing is not, so the time told is rather too long.
    """
    cached = dict(_CACHE)
    compiled, started = _COMPILE_S, perf_counter()
    result = jax.block_until_ready(call())
    elapsed = perf_counter() - started
    compile_s = _COMPILE_S - compiled
    return result, {"inner_calls": 1, "run_s": elapsed - compile_s, "compile_s": compile_s} | _of_process(
        _cache_state(cached)
    )


def _of_process(compile_cache: str) -> dict[str, Any]:
    return {"process": 0, "compile_cache": compile_cache, "peak_bytes": _peak_bytes()}


def _cache_state(before: Mapping[str, int]) -> str:
    """Of the persistent cache since then: warm only where every program that was asked of it was in it."""
    asked, found = (_CACHE[name] - before[name] for name in _CACHE)
    if not jax.config.values.get("jax_compilation_cache_dir"):
        return "off"
    return "warm" if found == asked > 0 else "cold"


def _count_compilation(event: str, duration_secs: float, **_: Any) -> None:
    global _COMPILED, _COMPILE_S
    if event.endswith("backend_compile_duration"):
        _COMPILED += 1
    if event.endswith(("backend_compile_duration", "jaxpr_to_mlir_module_duration")):
        _COMPILE_S += duration_secs


def _count_cache(event: str, **_: Any) -> None:
    name = event.removeprefix("/jax/compilation_cache/")
    if name in _CACHE:
        _CACHE[name] += 1


jax.monitoring.register_event_duration_secs_listener(_count_compilation)
jax.monitoring.register_event_listener(_count_cache)


def _peak_bytes() -> int | None:
    """The device's peak so far; a CPU does not say, and its memory is that of the process."""
    if jax.default_backend() == "cpu":
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    statistics = jax.devices()[0].memory_stats()
    return statistics.get("peak_bytes_in_use") if statistics else None
