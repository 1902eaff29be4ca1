"""The tasks by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rnn_jax.tasks.adding import Adding
from rnn_jax.tasks.copy import Copy
from rnn_jax.tasks.multiplication import Multiplication
from rnn_jax.tasks.temporal_order import TemporalOrder
from rnn_jax.tasks.temporal_xor import TemporalXOR

TASKS: Mapping[str, Any] = MappingProxyType(
    {
        task.name: task
        for task in (
            Adding,
            Multiplication,
            TemporalOrder,
            TemporalXOR,
            Copy,
        )
    }
)
