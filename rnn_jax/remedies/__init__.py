"""What people do about vanishing and exploding gradients."""

from rnn_jax.remedies.backward import clip_per_step as clip_per_step
from rnn_jax.remedies.backward import truncated_bptt as truncated_bptt
from rnn_jax.remedies.clipping import adaptive_clipping as adaptive_clipping
from rnn_jax.remedies.clipping import clip_by_norm as clip_by_norm
from rnn_jax.remedies.clipping import clip_by_value as clip_by_value
from rnn_jax.remedies.clipping import global_norm as global_norm
from rnn_jax.remedies.connections import added_skip as added_skip
from rnn_jax.remedies.connections import layer_norm as layer_norm
from rnn_jax.remedies.connections import leaky as leaky
from rnn_jax.remedies.connections import skip as skip
from rnn_jax.remedies.initialization import chrono_initialization as chrono_initialization
from rnn_jax.remedies.initialization import forget_bias as forget_bias
from rnn_jax.remedies.initialization import identity_initialization as identity_initialization
from rnn_jax.remedies.initialization import orthogonal_initialization as orthogonal_initialization
from rnn_jax.remedies.penalties import gradient_flossing as gradient_flossing
from rnn_jax.remedies.penalties import pascanu_omega as pascanu_omega
from rnn_jax.remedies.registry import REMEDIES as REMEDIES
from rnn_jax.remedies.registry import RemedyFamily as RemedyFamily
from rnn_jax.remedies.registry import create as create
from rnn_jax.remedies.remedy import Remedy as Remedy
from rnn_jax.remedies.remedy import combine as combine
from rnn_jax.remedies.remedy import none as none
