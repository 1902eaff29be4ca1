"""Scales of a suite: the same cases with smaller numbers, so that all of its code runs in a minute or two."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.cases.parameter import Parameter
from bench.errors import UsageError
from bench.nearest import nearest

Caps = Mapping[str, float]
"""The largest value that each of some parameters may have."""


def caps_of(
    where: str,
    scales: Any,
    name: str | None,
    known: Mapping[str, Sequence[Parameter]],
    above: Caps | None = None,
    only_includes: bool = False,
) -> Caps | None:
    """The caps of one scale of a suite, all of whose scales are checked; none where no scale is asked for.

    Args:
        where: the suite file, for messages.
        scales: the table `scale` of the suite file: caps by parameter, by name of the scale.
        name: of the scale that is asked for, or None.
        known: the parameters that a cap may be for, each as every kind that has it says.
        above: the caps of that scale in the file that includes this one: they hold where this one has none.
        only_includes: the file has no cases of its own, so that it may leave the scale to those that it includes.

    Returns:
        the caps; None where the file leaves the scale to those that it includes.

    Raises:
        UsageError: the suite has no such scale, or a cap is no number, is for no parameter, or is
            smaller than a kind of case allows.
    """
    if not isinstance(scales, dict):
        raise UsageError(f"{where}: scale must hold tables, each written [scale.tiny]")
    for each, caps in scales.items():
        if not isinstance(caps, dict) or not caps:
            raise UsageError(f"{where}: scale {each} must be a table of caps such as sequence_length = 200")
        for parameter, cap in caps.items():
            _check(f"{where}: [scale.{each}]", parameter, cap, known)
    if name is None:
        return {}
    if name not in scales:
        if above is not None or only_includes:
            return above
        has = (
            f"it has {', '.join(map(repr, scales))}"
            if scales
            else "it has none: leave it out, or write a table [scale.tiny] into a suite of your own"
        )
        raise UsageError(f"{where}: no scale {name!r}; {has}")
    return scales[name]


def capped(chosen: Mapping[str, Any], caps: Caps) -> dict[str, Any]:
    """Parameters with none of their numbers over its cap; what is left out stays left out."""
    return {
        name: value if value is None or name not in caps else type(value)(min(value, caps[name]))
        for name, value in chosen.items()
    }


def _check(where: str, name: str, cap: Any, known: Mapping[str, Sequence[Parameter]]) -> None:
    if name not in known:
        raise UsageError(f"{where}: unknown parameter {name!r}{nearest(name, known)}")
    if isinstance(cap, bool) or not isinstance(cap, int | float) or not cap > 0:
        raise UsageError(f"{where}: {name} must be a positive number, got {cap!r}")
    for parameter in known[name]:
        if cap < parameter.low:
            raise UsageError(f"{where}: {name} {parameter.allowed()}, got {cap!r}")
