from importlib import util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.tasks import Translation
from rnn_jax.tasks.characters import decoded, plain
from rnn_jax.tasks.packaged_messages import translations
from rnn_jax.tasks.task import evaluation_task
from rnn_jax.tasks.translation import END, pairs

KEY = jax.random.key(9)
pytestmark = pytest.mark.skipif(util.find_spec("django") is None, reason="Django is not installed")


def texts(part):
    return [
        (decoded(source), decoded(target)) for source, target in zip(part.sources, part.targets, strict=True)
    ]


def test_parts_are_disjoint_on_both_sides_and_pairs_are_those_of_the_catalog():
    parts = pairs(24)
    training, test = texts(parts["training"]), texts(parts["test"])
    catalog = {(plain(message), plain(text)) for message, text in translations("fr").items()}
    assert set(training) | set(test) <= catalog
    assert len(training) > 250
    assert len(test) > 80
    for side in (0, 1):
        assert not {pair[side] for pair in training} & {pair[side] for pair in test}


def test_source_delimiter_and_then_the_translation_one_step_late():
    task = Translation(24)
    batch = task.examples(jnp.float64)
    read = np.asarray(batch.inputs)
    numbers = np.where(read.any(axis=2), read.argmax(axis=2), -1)
    targets, mask = np.asarray(batch.targets), np.asarray(batch.mask)
    for row, (source, target) in enumerate(texts(pairs(24)["training"])):
        assert decoded(numbers[row, :24]) == source
        assert numbers[row, 23] >= 0
        assert numbers[row, 24] == END
        size = mask[row].sum()
        assert size == len(target) + 1
        assert mask[row, :size].all()
        assert decoded(targets[row, : size - 1]) == target
        assert targets[row, size - 1] == END
        np.testing.assert_array_equal(numbers[row, 25 : 24 + size], targets[row, : size - 1])
        assert (numbers[row, 24 + size :] == -1).all()


def test_what_is_read_never_tells_the_answer_before_it_is_asked_for():
    """Two pairs with equal sources and beginnings would be read alike up to where they part."""
    batch = Translation(24).examples(jnp.float64)
    read, targets, mask = (np.asarray(each) for each in (batch.inputs, batch.targets, batch.mask))
    step = 5
    shown = read[:, : 24 + step + 1].argmax(axis=2)
    np.testing.assert_array_equal(
        np.where(mask[:, step], shown[:, -1], -1), np.where(mask[:, step], targets[:, step - 1], -1)
    )


def test_copying_the_source_scores_what_equal_pairs_are():
    task = evaluation_task(Translation(24))
    batch, outputs = task.examples(), task.plain_outputs()
    test = texts(pairs(24)["test"])
    equal = [source == target for source, target in test]
    (_, _, exact), (_, _, by_character) = task.scores(outputs["copy_of_source"], batch)
    assert exact == pytest.approx(np.mean(equal))
    assert 0.02 < exact < 0.4
    right = [
        sum(a == b for a, b in zip([*source, END], [*target, END], strict=False)) for source, target in test
    ]
    assert by_character == pytest.approx(sum(right) / sum(len(target) + 1 for _, target in test))
    assert float(task.accuracy(outputs["copy_of_source"], batch)) == pytest.approx(exact)


def test_exact_match_is_that_of_greedy_decoding():
    """A scorer whose next character depends on all before it: fed its own output, it writes the same."""
    batch = Translation(12).examples()
    targets, mask = np.asarray(batch.targets), np.asarray(batch.mask)

    def next_character(row, before):
        wrong = row % 3 == 0 and len(before) == row % 7
        return -1 if wrong or before != targets[row, : len(before)].tolist() else targets[row, len(before)]

    outputs = np.zeros((*targets.shape, END + 1))
    written_right = []
    for row in range(len(targets)):
        size = mask[row].sum()
        for step in range(size):
            outputs[row, step, next_character(row, targets[row, :step].tolist())] = 1
        written = []
        while len(written) < size:
            written.append(next_character(row, written) % (END + 1))
        written_right.append(written == targets[row, :size].tolist())
    exact = float(Translation(12).accuracy(jnp.asarray(outputs), batch))
    # The wrong class -1 is the last one, the end, which is right where the text ends there.
    assert exact == pytest.approx(np.mean(written_right))
    assert 0.5 < exact < 1


def test_a_length_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="length of translation must be at least 8, got 7"):
        Translation(7)
