"""The tasks by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rnn_jax.tasks.adding import Adding
from rnn_jax.tasks.associative_recall import AssociativeRecall
from rnn_jax.tasks.copy import Copy
from rnn_jax.tasks.delayed_copy import DelayedCopy
from rnn_jax.tasks.forecasting import Forecasting
from rnn_jax.tasks.induction_head import InductionHead
from rnn_jax.tasks.language_identification import LanguageIdentification
from rnn_jax.tasks.memorization import NoiselessMemorization
from rnn_jax.tasks.modular_arithmetic import ModularArithmetic
from rnn_jax.tasks.mqar import MQAR
from rnn_jax.tasks.multiplication import Multiplication
from rnn_jax.tasks.parity import Parity
from rnn_jax.tasks.random_permutation import RandomPermutation
from rnn_jax.tasks.selective_copy import SelectiveCopy
from rnn_jax.tasks.sequential_images import SequentialDigits, SequentialMNIST
from rnn_jax.tasks.temporal_order import TemporalOrder
from rnn_jax.tasks.temporal_xor import TemporalXOR
from rnn_jax.tasks.translation import Translation
from rnn_jax.tasks.variable_copy import VariableCopy

TASKS: Mapping[str, Any] = MappingProxyType(
    {
        task.name: task
        for task in (
            Adding,
            Multiplication,
            TemporalOrder,
            TemporalXOR,
            RandomPermutation,
            NoiselessMemorization,
            Copy,
            VariableCopy,
            SelectiveCopy,
            DelayedCopy,
            Parity,
            ModularArithmetic,
            AssociativeRecall,
            MQAR,
            InductionHead,
            SequentialMNIST,
            SequentialDigits,
            Forecasting,
            LanguageIdentification,
            Translation,
        )
    }
)
