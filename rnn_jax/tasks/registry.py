"""The tasks by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rnn_jax.tasks.adding import Adding
from rnn_jax.tasks.copy import Copy
from rnn_jax.tasks.temporal_order import TemporalOrder

TASKS: Mapping[str, Any] = MappingProxyType(
    {
        task.name: task
        for task in (
            Adding,
            TemporalOrder,
            Copy,
        )
    }
)
