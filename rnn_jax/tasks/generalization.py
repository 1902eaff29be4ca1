"""Tasks that are learnt on short sequences and tested on longer ones."""

from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Array, Int, UInt

from rnn_jax.tasks.draws import below
from rnn_jax.tasks.task import Classification, checked_variant
from rnn_jax.whole_numbers import checked_whole

TIMES_LONGER = 5


@dataclass(frozen=True)
class LengthGeneralization(Classification):
    """A rule over as many steps as there are: trained on up to `length`, tested on five times as many.

    Attributes:
        length: steps of a sequence.
        variant: "varied", where an example fills the last of these steps, their number uniform on
            shortest..length, and the inputs before are 0; or "fixed", where it fills all.
        shortest: the fewest steps of an example of variant "varied".
    """

    length: int
    variant: str = "varied"
    shortest: int = 1

    VARIANTS = ("varied", "fixed")
    name = ""
    target_steps = 1

    def __post_init__(self: Any) -> None:  # a Task once a rule makes its examples
        checked_variant(self, self.VARIANTS, shortest=1)
        checked_whole(f"shortest of {self.name}", self.shortest, most=self.length)

    @property
    def sequence_length(self) -> int:
        """T."""
        return self.length

    def evaluation_task(self) -> "LengthGeneralization":
        """The same task, longer than any example of this one: up to five times."""
        # Two more, for a rule that takes odd lengths only makes an even one shorter by one.
        shortest = self.length + 2 if self.variant == "varied" else self.shortest
        return replace(self, length=TIMES_LONGER * self.length, shortest=shortest)

    def lengths(self, drawn: UInt[Array, "batch 1"]) -> Int[Array, "batch 1"]:
        """How many steps each example fills, from random bits."""
        low = self.shortest if self.variant == "varied" else self.length
        return low + below(drawn, self.length + 1 - low)
