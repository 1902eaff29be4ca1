"""Training an ensemble of nets: what is asked, a step of one seed, the compiled program, what came of it."""

from rnn_jax.training.checkpoint import CheckpointError as CheckpointError
from rnn_jax.training.explosion import Explosion as Explosion
from rnn_jax.training.explosion import explosion as explosion
from rnn_jax.training.result import TrainingResult as TrainingResult
from rnn_jax.training.trainer import train as train
