"""Other frameworks' cells as steps `(state, x) -> state`; a framework is imported where its adapter is called."""

from rnn_jax.adapters.equinox import EquinoxStep as EquinoxStep
from rnn_jax.adapters.equinox import from_equinox as from_equinox
from rnn_jax.adapters.flax_linen import LinenStep as LinenStep
from rnn_jax.adapters.flax_linen import from_flax_linen as from_flax_linen
from rnn_jax.adapters.flax_nnx import NnxStep as NnxStep
from rnn_jax.adapters.flax_nnx import from_flax_nnx as from_flax_nnx
from rnn_jax.adapters.torch import from_torch as from_torch
