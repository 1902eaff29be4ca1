"""English to French, character by character."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.characters import ALPHABET, NOTHING, encoded, left_aligned, right_aligned
from rnn_jax.tasks.draws import checked_draw
from rnn_jax.tasks.fixed_examples import PARTS, checked_part, drawn
from rnn_jax.tasks.packaged_files import release, shuffled
from rnn_jax.tasks.packaged_messages import DISTRIBUTION, translations
from rnn_jax.tasks.task import Batch, Classification, checked_variant

TEST_SHARE = 0.25
END = len(ALPHABET)
"""The class that ends a translation; as an input it is the delimiter between source and translation."""


@dataclass(frozen=True)
class Pairs:
    """One part's messages.

    Attributes:
        sources: numbers of characters, right-aligned, shape (pairs, length).
        targets: of the translation and then END, left-aligned, shape (pairs, length + 1).
    """

    sources: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Translation(Classification):
    """Translate a short message of Django's user interface from English to French, character by character.

    The source is read first, one-hot, in lower case, and after steps of zeros where it is shorter than `length`. Then
    comes a delimiter, and from there on an output is asked for at every step: the characters of the translation and
    an end. While it is written the right preceding character is read (teacher forcing). Messages of at most `length`
    characters in both languages and of our alphabet take part; 2 length + 1 steps in all.

    Accuracy is exact match: the share of messages with every character and the end right. Where every character is
    right given the right ones before it, a net that reads its own most likely characters writes the same, and where
    one is wrong it does not: so this is the exact match of what greedy decoding would write. The loss counts
    the characters and the end.

    A quarter of the pairs, drawn once (`shuffled(pairs, seed=0)`), is held out; a pair whose source or translation
    is also that of a held-out one is dropped from the training part. With Django 5.2 and length 24 that leaves a few
    hundred pairs, so a held-out message is mostly of words that were never seen: what a net can do is little, and
    that is what is measured. Solved from an exact match of 0.9, what a person might get. The baseline is the
    loss of the best guess without memory; copying the source is in `plain_outputs`.

    The messages come with Django (BSD-3-Clause); how many there are depends on its release, which results name.

    Attributes:
        part: "training", from which pairs are drawn with replacement, or "test", which gives each as often as any
            other (but for a remainder), in random order.

    References:
        Sutskever, Vinyals, Le 2014, Sequence to sequence learning, arXiv 1409.3215, section 2.
    """

    length: int
    variant: str = "english_french"
    part: str = "training"

    VARIANTS = ("english_french",)
    name = "translation"
    metric = "exact_match"
    masked_loss = True
    data_regime = "fixed"
    input_size = len(ALPHABET) + 1
    output_size = len(ALPHABET) + 1
    solved_from = 0.9

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=8)
        checked_part(self)

    @property
    def sequence_length(self) -> int:
        """2 length + 1: the source, the delimiter, the translation."""
        return 2 * self.length + 1

    @property
    def target_steps(self) -> int:
        """length + 1: the translation and its end."""
        return self.length + 1

    @property
    def data_source(self) -> str:
        """The package that ships the data, and its version."""
        return release(DISTRIBUTION)

    def evaluation_task(self) -> "Translation":
        """The same task on the held-out messages."""
        return replace(self, part="test")

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` pairs; targets are classes of shape (batch, length + 1).

        Raises:
            ModuleNotFoundError: Django is not installed.
        """
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        return self._batch(drawn(key, batch_size, len(self._pairs.sources), self.part), dtype)

    def examples(self, dtype: Any = None) -> Batch:
        """Every pair of the part once."""
        return self._batch(jnp.arange(len(self._pairs.sources), dtype=jnp.int32), float_dtype(dtype))

    @property
    def _pairs(self) -> Pairs:
        return pairs(self.length)[self.part]

    def _batch(self, chosen: Array, dtype: Any) -> Batch:
        sources = jnp.asarray(self._pairs.sources)[chosen]
        targets = jnp.asarray(self._pairs.targets)[chosen]
        delimiter = jnp.full((len(chosen), 1), END, jnp.int32)
        # After the end nothing is read.
        before = jnp.where(targets[:, :-1] == END, NOTHING, targets[:, :-1])
        read = jnp.concatenate([sources, delimiter, before], axis=1)
        return Batch(
            inputs=jax.nn.one_hot(read, self.input_size, dtype=dtype),
            targets=jnp.maximum(targets, 0),
            mask=targets != NOTHING,
        )

    def accuracy(self, outputs: Array, batch: Batch) -> Array:
        """The share of messages whose characters and end are all right."""
        return jnp.mean(jnp.all(_right(outputs, batch), axis=1).astype(jnp.float32))

    def plain_outputs(self) -> dict[str, Array]:
        """What plain translators would put out on `examples()`, shape (pairs, length + 1, classes), by name.

        "copy_of_source": the source and an end. "most_frequent_character": the most frequent class of the
        training part at each step.
        """
        own = self._pairs
        texts = [[*row[row != NOTHING].tolist(), END] for row in own.sources]
        copies = left_aligned(texts, self.target_steps)
        training = pairs(self.length)["training"].targets
        frequent = [
            np.bincount(column[column != NOTHING], minlength=self.output_size).argmax()
            for column in training.T
        ]
        plain = {
            "copy_of_source": copies,
            "most_frequent_character": np.broadcast_to(frequent, copies.shape),
        }
        return {
            name: jax.nn.one_hot(jnp.asarray(each, jnp.int32), self.output_size, dtype=jnp.float32)
            for name, each in plain.items()
        }

    def scores(self, outputs: Array, batch: Batch) -> list[tuple[str, int | None, float]]:
        """Quantity, None (there is no horizon) and value, for outputs on a batch.

        "exact_match" as the accuracy; "character_accuracy", the share of characters and ends that are right.
        """
        right, asked = np.asarray(_right(outputs, batch)), np.asarray(batch.mask)
        return [
            ("exact_match", None, float(right.all(axis=1).mean())),
            ("character_accuracy", None, float(right[asked].mean())),
        ]


def _right(outputs: Array, batch: Batch) -> Bool[Array, "batch steps"]:
    """True where the class is right, or none is asked for."""
    return (jnp.argmax(outputs, axis=-1).astype(jnp.int32) == batch.targets) | ~batch.mask


@cache
def pairs(length: int) -> dict[str, Pairs]:
    """The pairs of both parts.

    Raises:
        ModuleNotFoundError: Django is not installed.
    """
    known = [
        (source, target)
        for source, target in (
            (encoded(message), encoded(text)) for message, text in translations("fr").items()
        )
        if 0 < len(source) <= length and 0 < len(target) <= length and 0 not in source and 0 not in target
    ]
    # The same text in two spellings, such as with and without capitals, is one pair.
    kept = [list(pair) for pair in sorted({(tuple(source), tuple(target)) for source, target in known})]
    order = shuffled(len(kept), seed=0)
    held_out = [kept[index] for index in order[: int(TEST_SHARE * len(kept))]]
    sources, targets = ({row[side] for row in held_out} for side in (0, 1))
    training = [
        kept[index]
        for index in order[int(TEST_SHARE * len(kept)) :]
        if kept[index][0] not in sources and kept[index][1] not in targets
    ]
    return {part: _table(rows, length) for part, rows in zip(PARTS, (training, held_out), strict=True)}


def _table(rows: list[list[tuple[int, ...]]], length: int) -> Pairs:
    return Pairs(
        sources=right_aligned([source for source, _ in rows], length),
        targets=left_aligned([[*target, END] for _, target in rows], length + 1),
    )
