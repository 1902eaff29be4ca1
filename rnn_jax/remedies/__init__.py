"""What people do about vanishing and exploding gradients."""

from rnn_jax.remedies.clipping import clip_by_norm as clip_by_norm
from rnn_jax.remedies.clipping import clip_by_value as clip_by_value
from rnn_jax.remedies.clipping import global_norm as global_norm
from rnn_jax.remedies.registry import REMEDIES as REMEDIES
from rnn_jax.remedies.remedy import Remedy as Remedy
from rnn_jax.remedies.remedy import none as none
