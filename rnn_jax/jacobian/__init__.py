"""Step Jacobians, their chains, and what the chains say."""

from rnn_jax.jacobian.chain import JacobianChain as JacobianChain
from rnn_jax.jacobian.chain import jacobian_chain as jacobian_chain
from rnn_jax.jacobian.chain import jacobian_product as jacobian_product
from rnn_jax.jacobian.decay import Decay as Decay
from rnn_jax.jacobian.decay import decay as decay
from rnn_jax.jacobian.lyapunov import LyapunovSpectrum as LyapunovSpectrum
from rnn_jax.jacobian.lyapunov import lyapunov_spectrum as lyapunov_spectrum
from rnn_jax.jacobian.pairs import JacobianPairs as JacobianPairs
from rnn_jax.jacobian.pairs import jacobian_pairs as jacobian_pairs
from rnn_jax.jacobian.scaled import ScaledMatrix as ScaledMatrix
from rnn_jax.jacobian.scaled import ScaledNumber as ScaledNumber
from rnn_jax.jacobian.singular_values import LogSingularValues as LogSingularValues
from rnn_jax.jacobian.singular_values import log_singular_values as log_singular_values
from rnn_jax.jacobian.steps import step_jacobians as step_jacobians
from rnn_jax.jacobian.tuning import BlockTuning as BlockTuning
from rnn_jax.jacobian.tuning import tune_blocks as tune_blocks
