"""How far back a task's answers depend on what is read, whatever net reads it.

A plain reference predictor, ridge regression, may see the last k steps only, for growing k. The dependence is the
shortest context from which on more of it gains less than 0.01 of the loss without any. It is one definition for
numbers and text, is measured on held-out examples, needs no net, and has a direction: it says what must be
remembered, not what happens to correlate. It is a lower bound: what a linear predictor of these features cannot use, it
does not see. One in a hundred is a few times what the loss of a thousand held-out examples varies by, as further
inputs without any meaning come and go.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array

from rnn_jax.tasks.task import Batch

NEGLIGIBLE_GAIN = 0.01
MOST_ROWS = 3_000
LANDMARKS = 600
ORDERED_CHARACTERS = 4
_PENALTIES_OF_NUMBERS = tuple(10.0 ** np.arange(-12, 2))
_PENALTIES_OF_TEXT = tuple(10.0 ** np.arange(-6, 2))
_VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Questions:
    """Answers that are asked for, and all that is read before each.

    Attributes:
        histories: numbers, shape (questions, time), or those of characters, int, -1 where there is none; the step of
            the question comes last.
        answers: shape (questions, numbers); one-hot of a class.
    """

    histories: np.ndarray
    answers: np.ndarray

    def some(self, most: int) -> "Questions":
        """At most so many of them, evenly spaced."""
        chosen = np.unique(np.linspace(0, len(self.answers) - 1, most).astype(int))
        return Questions(self.histories[chosen], self.answers[chosen])


def questions(batch: Batch, classes: int) -> Questions:
    """Every answer that a batch asks for, on its own.

    Args:
        batch: inputs of shape (examples, time, 1), numbers, or (examples, time, characters), one-hot.
        classes: how many there are; not used where the targets are numbers.
    """
    inputs, targets, mask = (np.asarray(each) for each in (batch.inputs, batch.targets, batch.mask))
    time, size = inputs.shape[1:]
    read = inputs[..., 0] if size == 1 else np.where(inputs.any(axis=-1), inputs.argmax(axis=-1), -1)
    first = time - targets.shape[1]
    nothing = 0 if size == 1 else -1
    histories, answers = [], []
    for example, step in zip(*np.nonzero(mask), strict=True):
        history = np.full(time, nothing, read.dtype)
        history[time - (first + step + 1) :] = read[example, : first + step + 1]
        histories.append(history)
        answer = targets[example, step]
        answers.append(answer if targets.ndim == 3 else np.eye(classes)[answer])
    return Questions(np.array(histories), np.array(answers, np.float64))


def contexts(length: int, count: int = 16) -> np.ndarray:
    """At most `count` context lengths from 1 to `length`, geometrically spaced."""
    return np.unique(np.geomspace(1, length, count).round().astype(int))


def reference_losses(
    training: Questions,
    held_out: Questions,
    context_steps: np.ndarray,
    on_progress: Callable[[float], None] = lambda done: None,
) -> np.ndarray:
    """Mean squared error of the reference on the held-out questions, by context length; the first is without context.

    The penalty is chosen on the last fifth of the training questions. Of each part at most MOST_ROWS questions count,
    evenly spaced.

    Args:
        training, held_out: the two parts, each in an order in which neighbours belong together.
        context_steps: how many last steps the reference may see.
        on_progress: called with the fraction that is done.

    Returns:
        shape (1 + contexts,).
    """
    training, held_out = training.some(MOST_ROWS), held_out.some(MOST_ROWS)
    losses = [np.mean(np.square(held_out.answers - training.answers.mean(axis=0)))]
    for place, steps in enumerate(context_steps):
        on_progress(place / len(context_steps))
        both = np.concatenate([training.histories, held_out.histories])[:, -steps:]
        count = len(training.answers)
        losses.append(_held_out_loss(*_features(both, count), training.answers, held_out.answers))
    return np.array(losses)


def dependence_steps(context_steps: np.ndarray, losses: np.ndarray) -> int:
    """The shortest context from which on more of it gains less than NEGLIGIBLE_GAIN of the loss without any.

    Args:
        context_steps: growing.
        losses: as `reference_losses` gives them.

    Returns:
        0 where no context gains more than that; the longest context where it is still gaining at the end.
    """
    gains = 1 - losses / losses[0]
    best_from_here = np.maximum.accumulate(gains[::-1])[::-1]
    enough = np.flatnonzero(gains > best_from_here - NEGLIGIBLE_GAIN)
    return int(np.concatenate([[0], context_steps])[enough[0]])


def is_censored(context_steps: np.ndarray, losses: np.ndarray) -> bool:
    """True where only the longest context will do, so a longer one might gain yet more."""
    return dependence_steps(context_steps, losses) == int(context_steps[-1])


def _features(
    context: np.ndarray, training_questions: int
) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """What the reference sees of each context, the matrix P of its penalty w'Pw, and penalties to choose from.

    Of numbers the numbers, each weight penalised alike. Of text how alike it is to LANDMARKS training questions, evenly
    spaced, with the penalty of a kernel's ridge regression on them (the subset of regressors).
    """
    if np.issubdtype(context.dtype, np.floating):
        return context.astype(np.float64), np.eye(context.shape[1]), _PENALTIES_OF_NUMBERS
    landmarks = np.unique(np.linspace(0, training_questions - 1, LANDMARKS).astype(int))
    alike = _likeness(context, landmarks)
    # Landmarks that are alike in this context make P singular.
    return alike, alike[landmarks] + 1e-3 * np.eye(len(landmarks)), _PENALTIES_OF_TEXT


def _likeness(context: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """How alike texts and landmarks are, shape (questions, landmarks).

    The sum and the product of two likenesses: how many of the last ORDERED_CHARACTERS agree, counted from the end to
    the first that does not, and the cosine of how often each character and each pair of neighbours stands anywhere.
    The product lets what was read long ago choose among ways to go on.
    """
    agree = np.ones((len(context), len(landmarks)), bool)
    suffix = np.zeros(agree.shape)
    for column in context[:, : -ORDERED_CHARACTERS - 1 : -1].T:
        agree &= column[:, None] == column[landmarks]
        suffix += agree / ORDERED_CHARACTERS
    counts = _counts(context)
    norms = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1))).reshape(-1, 1)
    unit = counts.multiply(1 / np.where(norms > 0, norms, 1)).tocsr()
    anywhere = (unit @ unit[landmarks].T).toarray()
    return suffix + anywhere + suffix * anywhere


def _counts(context: np.ndarray) -> csr_array:
    """How often each character and each pair of neighbours stands in each context."""
    size = int(context.max(initial=0)) + 1
    before, after = context[:, :-1], context[:, 1:]
    pairs = np.where((before >= 0) & (after >= 0), before * size + after, -1)
    kinds = np.concatenate([np.where(context >= 0, context + size * size, -1), pairs], axis=1)
    rows, places = np.nonzero(kinds >= 0)
    shape = (len(context), size * size + size)
    return csr_array((np.ones(len(rows)), (rows, kinds[rows, places])), shape=shape)


def _held_out_loss(
    features: np.ndarray,
    penalised: np.ndarray,
    penalties: tuple[float, ...],
    answers: np.ndarray,
    asked_answers: np.ndarray,
) -> float:
    """The loss on what is asked, whose features follow those of the training questions."""
    count = len(answers)
    training_count = int((1 - _VALIDATION_SHARE) * count)
    validation = _ridge_losses(
        features[:count], penalised, answers[:training_count], answers[training_count:], penalties
    )
    penalty = penalties[int(np.argmin(validation))]
    return _ridge_losses(features, penalised, answers, asked_answers, (penalty,))[0]


def _ridge_losses(
    features: np.ndarray,
    penalised: np.ndarray,
    answers: np.ndarray,
    asked_answers: np.ndarray,
    penalties: tuple[float, ...],
) -> list[float]:
    """Mean squared errors on what is asked, by penalty; a penalty of 1 weighs as much as the data do."""
    mean, mean_answer = features[: len(answers)].mean(axis=0), answers.mean(axis=0)
    known, asked = np.split(features - mean, [len(answers)])
    gram, right = known.T @ known, known.T @ (answers - mean_answer)
    # A feature that never varies leaves the Gram matrix without scale.
    scale = max(float(np.trace(gram) / np.trace(penalised)), np.finfo(float).tiny)
    losses = []
    for penalty in penalties:
        weights = cho_solve(cho_factor(gram + penalty * scale * penalised), right)
        losses.append(float(np.mean(np.square(asked @ weights + mean_answer - asked_answers))))
    return losses
