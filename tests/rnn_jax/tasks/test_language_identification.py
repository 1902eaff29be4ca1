from collections import Counter
from importlib import util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.tasks import LanguageIdentification, packaged_messages
from rnn_jax.tasks.characters import ALPHABET, decoded, plain
from rnn_jax.tasks.language_identification import LANGUAGES, messages
from rnn_jax.tasks.task import evaluation_task

KEY = jax.random.key(8)
pytestmark = pytest.mark.skipif(util.find_spec("django") is None, reason="Django is not installed")


@pytest.fixture(params=LANGUAGES)
def variant(request):
    return request.param


def texts(part):
    return [decoded(row) for row in part.characters]


def test_texts_too_short_to_tell_the_parts_apart_are_refused(variant):
    """Of one letter a message every training text is a held-out one too, and none is left."""
    assert all(len(part.languages) > 100 for part in messages(variant, 8).values())
    with pytest.raises(ValueError, match="length of language_identification must be at least 8, got 7"):
        LanguageIdentification(7, variant)


def test_languages_have_as_many_messages_each_and_no_text_is_in_both_parts(variant):
    parts = messages(variant, 30)
    for part in parts.values():
        counts = np.bincount(part.languages)
        assert len(counts) == len(LANGUAGES[variant])
        assert len(set(counts.tolist())) == 1
    training, test = texts(parts["training"]), texts(parts["test"])
    assert not set(training) & set(test)
    assert len(training) // len(LANGUAGES[variant]) > 250
    assert len(test) // len(LANGUAGES[variant]) > 90


def test_a_message_and_all_its_translations_are_in_one_part():
    parts = messages("seven", 30)
    french = packaged_messages.translations("fr")
    of = {part: dict(zip(texts(rows), rows.languages.tolist(), strict=True)) for part, rows in parts.items()}
    english = [text for text, language in of["test"].items() if language == 0]
    translated = {plain(message)[:30]: plain(text)[:30] for message, text in french.items()}
    asked = [translated[text] for text in english]
    assert sum(of["test"].get(text) == 1 for text in asked) > 0.9 * len(asked)
    assert not any(text in of["training"] for text in asked)


def test_messages_are_read_as_characters_and_end_at_the_last_step():
    task = LanguageIdentification(30)
    batch = task.sample(KEY, 40, jnp.float32)
    inputs = np.asarray(batch.inputs)
    assert inputs.shape == (40, 30, len(ALPHABET))
    assert set(np.unique(inputs.sum(axis=2))) == {0.0, 1.0}
    assert (inputs.sum(axis=2)[:, -1] == 1).all()
    rows = [decoded(np.where(row.any(axis=1), row.argmax(axis=1), -1)) for row in inputs]
    known = dict(
        zip(
            texts(messages("seven", 30)["training"]), messages("seven", 30)["training"].languages, strict=True
        )
    )
    assert [known[row] for row in rows] == np.asarray(batch.targets)[:, 0].tolist()


def test_the_plain_classifiers_are_what_they_are_called():
    task = evaluation_task(LanguageIdentification(20))
    batch, outputs = task.examples(), task.plain_outputs()
    ((_, _, share),) = task.scores(outputs["most_frequent_class"], batch)
    assert share == pytest.approx(1 / 7)
    # Naive Bayes by hand for some messages.
    training = messages("seven", 20)["training"]
    counts = [Counter() for _ in range(7)]
    for text, language in zip(texts(training), training.languages, strict=True):
        counts[language].update(text)
    for row in (0, 10, 200):
        text = texts(messages("seven", 20)["test"])[row]
        logs = [
            sum(np.log((own[each] + 1) / (own.total() + len(ALPHABET))) for each in text) + np.log(1 / 7)
            for own in counts
        ]
        np.testing.assert_allclose(outputs["character_frequencies"][row, 0], logs, rtol=1e-5)
    ((_, _, by_characters),) = task.scores(outputs["character_frequencies"], batch)
    assert by_characters > 2 * share


@pytest.mark.costly
def test_the_baseline_is_a_uniform_guess():
    task = evaluation_task(LanguageIdentification(20, "romance"))
    assert float(task.baseline(KEY)) == pytest.approx(np.log(4), rel=1e-3)
