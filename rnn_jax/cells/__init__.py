"""Recurrent cells: frozen dataclass pytrees, called as `cell(state, x)`, one example at a time."""

from rnn_jax.cells.elman import Elman as Elman
from rnn_jax.cells.gru import GRU as GRU
from rnn_jax.cells.indrnn import IndRNN as IndRNN
from rnn_jax.cells.initializers import INITIALIZATIONS as INITIALIZATIONS
from rnn_jax.cells.lstm import LSTM as LSTM
from rnn_jax.cells.lstm import LSTMState as LSTMState
from rnn_jax.cells.registry import CELLS as CELLS
from rnn_jax.cells.registry import CellFamily as CellFamily
from rnn_jax.cells.registry import create as create
from rnn_jax.cells.wrappers import LayerNorm as LayerNorm
from rnn_jax.cells.wrappers import Leaky as Leaky
from rnn_jax.cells.wrappers import Skip as Skip
from rnn_jax.cells.wrappers import SkipState as SkipState
