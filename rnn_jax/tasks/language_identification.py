"""Which language is a message in: the smallest real document classification."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.characters import ALPHABET, NOTHING, encoded, plain, right_aligned
from rnn_jax.tasks.draws import checked_draw
from rnn_jax.tasks.fixed_examples import PARTS, checked_part, drawn
from rnn_jax.tasks.packaged_files import release, shuffled
from rnn_jax.tasks.packaged_messages import DISTRIBUTION, translations
from rnn_jax.tasks.task import Batch, Classification, checked_variant

TEST_SHARE = 0.25
SHORTEST = 8
"""Characters. Of fewer more than half of the training part reads like a held-out message: at 3 more are held out than left, at
1 none is left."""
LANGUAGES = {
    "seven": ("en", "fr", "de", "es", "it", "nl", "pt"),
    "romance": ("fr", "es", "it", "pt"),
}


@dataclass(frozen=True)
class Messages:
    """One part's messages: characters as numbers, right-aligned, (messages, length), and languages (messages,)."""

    characters: np.ndarray
    languages: np.ndarray


@dataclass(frozen=True)
class LanguageIdentification(Classification):
    """Name the language of a message of Django's user interface that is read character by character.

    The first `length` characters of a message are read, in lower case, a one-hot of the alphabet a step; a shorter
    message comes last, after steps of zeros. The class is asked for after the last step. Variants: "seven" (English,
    French, German, Spanish, Italian, Dutch, Portuguese) and "romance" (French, Spanish, Italian, Portuguese).

    A message takes part where every language of the variant has it and no two have the same text, so there are as
    many messages of each language: 490 or so with Django 5.2. A quarter of the English messages, drawn once
    (`shuffled(messages, seed=0)`), is held out with all their translations. A message of the training part that
    reads like a held-out one, in any language and in the characters that are read, is dropped with its
    translations: no text is in both parts; `length` is at least 8, so that enough are left. Near repeats, such as sentences that differ in a number, may be.

    Solved when at least 0.9 of the held-out messages are right; the baseline is a uniform guess, the log of the
    number of languages. A classifier by the frequency of characters alone is in `plain_outputs`.

    The messages come with Django (BSD-3-Clause); how many there are depends on its release, which results name.

    Attributes:
        part: "training", from which messages are drawn with replacement, or "test", which gives each as often as
            any other (but for a remainder), in random order.

    References:
        Cavnar & Trenkle 1994, N-gram-based text categorization (the task).
    """

    length: int
    variant: str = "seven"
    part: str = "training"

    VARIANTS = tuple(LANGUAGES)
    name = "language_identification"
    target_steps = 1
    input_size = len(ALPHABET)
    data_regime = "fixed"
    solved_from = 0.9

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=SHORTEST)
        checked_part(self)

    @property
    def sequence_length(self) -> int:
        """T, the characters read."""
        return self.length

    @property
    def output_size(self) -> int:
        """A class for each language."""
        return len(LANGUAGES[self.variant])

    @property
    def data_source(self) -> str:
        """The package that ships the data, and its version."""
        return release(DISTRIBUTION)

    def evaluation_task(self) -> "LanguageIdentification":
        """The same task on the held-out messages."""
        return replace(self, part="test")

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` messages; targets are classes of shape (batch, 1).

        Raises:
            ModuleNotFoundError: Django is not installed.
        """
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        count = len(self._messages.languages)
        return self._batch(drawn(key, batch_size, count, self.part), dtype)

    def examples(self, dtype: Any = None) -> Batch:
        """Every message of the part once."""
        count = len(self._messages.languages)
        return self._batch(jnp.arange(count, dtype=jnp.int32), float_dtype(dtype))

    @property
    def _messages(self) -> Messages:
        return messages(self.variant, self.length)[self.part]

    def _batch(self, chosen: Array, dtype: Any) -> Batch:
        own = self._messages
        return Batch(
            inputs=jax.nn.one_hot(jnp.asarray(own.characters)[chosen], self.input_size, dtype=dtype),
            targets=jnp.asarray(own.languages)[chosen][:, None],
            mask=jnp.ones((len(chosen), 1), bool),
        )

    def plain_outputs(self) -> dict[str, Array]:
        """What plain classifiers would put out on `examples()`, shape (messages, 1, classes), by name.

        "most_frequent_class": the first of them where several are as frequent. "character_frequencies": naive Bayes
        on how often each character stands in the message, counts of the training part plus one.
        """
        training = messages(self.variant, self.length)["training"]
        counts = np.stack(
            [_counts(training.characters[training.languages == each]) for each in range(self.output_size)]
        )
        logs = np.log((counts + 1) / (counts + 1).sum(axis=1, keepdims=True))
        shares = np.bincount(training.languages, minlength=self.output_size) / len(training.languages)
        own = np.stack([_counts(row) for row in self._messages.characters])
        plain = {
            "most_frequent_class": np.broadcast_to(np.log(shares), (len(own), self.output_size)),
            "character_frequencies": own @ logs.T + np.log(shares),
        }
        return {name: jnp.asarray(each, jnp.float32)[:, None] for name, each in plain.items()}

    def scores(self, outputs: Array, batch: Batch) -> list[tuple[str, int | None, float]]:
        """Quantity, None (there is no horizon) and value: "accuracy", the share of messages that are right."""
        return [("accuracy", None, float(self.accuracy(outputs, batch)))]


@cache
def messages(variant: str, length: int) -> dict[str, Messages]:
    """The messages of both parts."""
    languages = LANGUAGES[variant]
    of_language = {each: translations(each) for each in languages if each != "en"}
    shared = sorted(set.intersection(*(set(each) for each in of_language.values())))
    texts = [
        [message if each == "en" else of_language[each][message] for each in languages] for message in shared
    ]
    numbers = [[encoded(text)[:length] for text in row] for row in texts]
    # One language must be told from the other, and by letters.
    kept = [
        row for row, row_texts in zip(numbers, texts, strict=True) if _differ(row) and _written(row_texts)
    ]
    order = shuffled(len(kept), seed=0)
    held_out = [kept[index] for index in order[: int(TEST_SHARE * len(kept))]]
    seen = {tuple(text) for row in held_out for text in row}
    training = [
        kept[index]
        for index in order[int(TEST_SHARE * len(kept)) :]
        if not any(tuple(text) in seen for text in kept[index])
    ]
    return {part: _table(rows, length) for part, rows in zip(PARTS, (training, held_out), strict=True)}


def _differ(row: list[list[int]]) -> bool:
    return len({tuple(text) for text in row}) == len(row)


def _written(texts: list[str]) -> bool:
    return all(any(character.isalpha() for character in plain(text)) for text in texts)


def _table(rows: list[list[list[int]]], length: int) -> Messages:
    texts = [text for row in rows for text in row]
    languages = [language for row in rows for language in range(len(row))]
    return Messages(right_aligned(texts, length), np.array(languages, np.int32))


def _counts(numbers: np.ndarray) -> np.ndarray:
    """How often each character of the alphabet stands there."""
    return np.bincount(numbers[numbers != NOTHING], minlength=len(ALPHABET))
