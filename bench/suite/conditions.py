"""Conditions on cases, such as `cell=lstm,gain<=1`: of `--only`, and of what a suite includes."""

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

from bench.cases import KINDS
from bench.errors import UsageError
from bench.nearest import nearest

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_OF_THE_CASE = ("kind", "dtype", "process")


def value_of(case: Any, name: str) -> Any:
    """What a case has for a parameter, or of its own; None where it has no such thing."""
    return getattr(case, name) if name in _OF_THE_CASE else case.parameters.get(name)


def condition(text: str, cases: Sequence[Any], where: str) -> Callable[[Any], bool]:
    """Reads one condition.

    Args:
        text: the condition.
        cases: those that it chooses from: it can name their parameters.
        where: what it was written in, for messages.

    Raises:
        UsageError: it cannot be read or names no parameter.
    """
    symbol = next((symbol for symbol in _COMPARISONS if symbol in text), None)
    if symbol is None:
        raise UsageError(f"{where}: cannot read {text!r}; write for example cell=lstm or gain<=1.5")
    name, wanted = (part.strip() for part in text.split(symbol, 1))
    known = sorted({*_OF_THE_CASE, *itertools.chain.from_iterable(case.parameters for case in cases)})
    if name not in known:
        raise UsageError(f"{where}: unknown parameter {name!r}{nearest(name, known)}")
    types = {each.type for case in cases for each in KINDS[case.kind].PARAMETERS if each.name == name}
    is_text = name in _OF_THE_CASE or str in types
    if is_text and symbol not in ("=", "!="):
        raise UsageError(f"{where}: {name} is text, so {symbol} does not apply to it")
    try:
        threshold = wanted if is_text else float(wanted)
    except ValueError:
        raise UsageError(f"{where}: {name} is a number, got {wanted!r}") from None

    def met(case: Any) -> bool:
        value = value_of(case, name)
        return value is not None and _COMPARISONS[symbol](value, threshold)

    return met
