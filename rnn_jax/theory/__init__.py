"""Closed forms that measured exponents are held against, in float64 on the host."""

from rnn_jax.theory.products import gaussian_exponent_deviations as gaussian_exponent_deviations
from rnn_jax.theory.products import gaussian_exponents as gaussian_exponents
from rnn_jax.theory.products import orthogonal_exponents as orthogonal_exponents
from rnn_jax.theory.tanh_net import RandomTanhNet as RandomTanhNet
from rnn_jax.theory.tanh_net import critical_gain as critical_gain
from rnn_jax.theory.tanh_net import random_tanh_net as random_tanh_net
