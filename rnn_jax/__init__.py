"""How far a recurrent network's gradient reaches: exact Jacobian chains, and training that needs them."""

from rnn_jax import adapters as adapters
from rnn_jax import cells as cells
from rnn_jax import remedies as remedies
from rnn_jax import tasks as tasks
from rnn_jax import theory as theory
from rnn_jax.block_tuning import BlockTuning as BlockTuning
from rnn_jax.block_tuning import tune_blocks as tune_blocks
from rnn_jax.gradients import LossGradients as LossGradients
from rnn_jax.gradients import loss_gradients as loss_gradients
from rnn_jax.gradients import weight_gradient_shares as weight_gradient_shares
from rnn_jax.jacobian import Decay as Decay
from rnn_jax.jacobian import JacobianChain as JacobianChain
from rnn_jax.jacobian import JacobianPairs as JacobianPairs
from rnn_jax.jacobian import LogSingularValues as LogSingularValues
from rnn_jax.jacobian import LyapunovSpectrum as LyapunovSpectrum
from rnn_jax.jacobian import ScaledMatrix as ScaledMatrix
from rnn_jax.jacobian import ScaledNumber as ScaledNumber
from rnn_jax.jacobian import decay as decay
from rnn_jax.jacobian import jacobian_chain as jacobian_chain
from rnn_jax.jacobian import jacobian_pairs as jacobian_pairs
from rnn_jax.jacobian import jacobian_product as jacobian_product
from rnn_jax.jacobian import log_singular_values as log_singular_values
from rnn_jax.jacobian import lyapunov_spectrum as lyapunov_spectrum
from rnn_jax.jacobian import step_jacobians as step_jacobians
from rnn_jax.parallel import parallel_trajectory as parallel_trajectory
from rnn_jax.training import CheckpointError as CheckpointError
from rnn_jax.training import Explosion as Explosion
from rnn_jax.training import TrainingResult as TrainingResult
from rnn_jax.training import explosion as explosion
from rnn_jax.training import train as train
from rnn_jax.trajectory import trajectory as trajectory

__version__ = "0.1.0"
