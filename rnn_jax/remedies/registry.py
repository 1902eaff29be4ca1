"""The remedies by name, each made from its strength."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from rnn_jax.remedies.clipping import clip_by_norm, clip_by_value
from rnn_jax.remedies.remedy import Remedy, none

REMEDIES: Mapping[str, Callable[..., Remedy]] = MappingProxyType(
    {"none": none, "clip_by_norm": clip_by_norm, "clip_by_value": clip_by_value}
)
