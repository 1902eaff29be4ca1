"""One key of a suite file: what it may be."""

from dataclasses import dataclass
from typing import Any

from rnn_jax.remedies.registry import parts_of


@dataclass(frozen=True)
class Parameter:
    """A parameter of a kind of case.

    Attributes:
        name: the key.
        type: int, float or str.
        meaning: one line.
        default: used where the key is missing.
        required: True where it may not be missing.
        low, high: the range of a number, both allowed.
        choices: the values of a text; any text if empty.
        combines: True where a text may join several choices by +, each with a number in brackets or without.
        later: True where results were published before it existed: at its default it does not count in a
            case's hash, so that those results stay the same case's.
    """

    name: str
    type: type
    meaning: str
    default: Any = None
    required: bool = False
    low: float = float("-inf")
    high: float = float("inf")
    choices: tuple[str, ...] = ()
    combines: bool = False
    later: bool = False

    def problem(self, value: Any) -> str:
        """What is wrong with a value, as the end of a sentence; empty if nothing is."""
        right_type = isinstance(value, self.type) or (self.type is float and isinstance(value, int))
        if isinstance(value, bool) or not right_type:
            return f"{self.allowed()}, got {value!r}"
        if self.choices and not all(part in self.choices for part in self.names(str(value))):
            return f"must be a known name, got {value!r}"
        if self.type is not str and not self.low <= value <= self.high:  # false for NaN too
            return f"{self.allowed()}, got {value!r}"
        return ""

    def names(self, value: str) -> list[str]:
        """The choices that a text names: itself, or what it combines."""
        return combined_names(value) if self.combines else [value]

    def allowed(self) -> str:
        """What a value must be, as the end of a sentence."""
        if self.type is str:
            return f"must be one of {', '.join(self.choices)}" if self.choices else "must be a text"
        noun = "a whole number" if self.type is int else "a number"
        return f"must be {noun} from {self.low:g} to {self.high:g}"

    def cast(self, value: Any) -> Any:
        """The value in the parameter's own type, so that 1 and 1.0 make the same case."""
        return self.type(value)


def combined_names(text: str) -> list[str]:
    """The names in a text such as "layer_norm+clip_by_norm(0.5)"."""
    return [part.split("(")[0].strip() for part in parts_of(text)]
