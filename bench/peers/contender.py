"""What is asked of an implementation, ours or a rival's, and what it hands back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnn_jax.cells import Elman
from rnn_jax.tasks import Batch, Task
from rnn_jax.training.model import Model

Answer = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Contender:
    """One implementation, ready to be timed.

    Attributes:
        name: in the column `implementation`.
        version: of the package.
        method: how it goes about it, in few words.
        call: what is timed, from weights and inputs that are already its own. It returns when the
            work is done, or something that `jax.block_until_ready` waits for.
        answer: its numbers by the name of the quantity, in our layout; None for a mere lower limit.
        not_run: why it is neither compared nor timed; empty where it is.
    """

    name: str
    version: str
    method: str
    call: Callable[[], Any]
    answer: Callable[[], Answer] | None
    not_run: str = ""


@dataclass(frozen=True)
class ChainProblem:
    """Frobenius norms of dh_T/dh_(T-lag) at every lag.

    Attributes:
        cell: the tanh net.
        xs: its inputs, shape (time, input_size).
        on_gpu: where the work is to be done.
    """

    operation: ClassVar[str] = "jacobian_chain"
    cell: Elman
    xs: Any
    on_gpu: bool


@dataclass(frozen=True)
class SpectrumProblem:
    """All Lyapunov exponents of an autonomous tanh net.

    Attributes:
        cell: the tanh net, without input.
        state: its first state, shape (n,).
        transient: steps discarded at first.
        steps: steps measured after them.
        qr_interval: steps between two factorizations.
        standard_errors: of our exponents, by batch means, shape (n,).
        on_gpu: where the work is to be done.
    """

    operation: ClassVar[str] = "lyapunov_spectrum"
    cell: Elman
    state: Any
    transient: int
    steps: int
    qr_interval: int
    standard_errors: np.ndarray
    on_gpu: bool


@dataclass(frozen=True)
class TrainingProblem:
    """One training step: loss, gradient and Adam's update on a given batch.

    Attributes:
        model: a cell with its readout.
        task: whose loss it is; asked for after the last step only.
        batch: the examples.
        learning_rate: of Adam.
        on_gpu: where the work is to be done.
    """

    operation: ClassVar[str] = "training_step"
    model: Model
    task: Task
    batch: Batch
    learning_rate: float
    on_gpu: bool


Problem = ChainProblem | SpectrumProblem | TrainingProblem
