"""Step Jacobians, their chains, and what the chains say.

`steps` has the definition, `jax.jacrev` of one step; `structure` the same in the cheapest form, in two parts: what can be
made for many steps at once (`prepared`) and the factor made from it; `scaled` the number format of long products.

How `chain.jacobian_chain` comes to its norms: `forward_pass` goes over the states in segments, backwards, and keeps or computes
again what `checkpoint` says; `material` makes what the Jacobians of a segment need; `groups` multiplies them, several
between two rescalings; `measure` takes norms on the way, in the order of entries that `layout` says. In which order the
factors come `order` chooses; each is a module with `every_lag` and `chosen_lags`: `sequential` one after the other, `blocked` many
blocks at once (`blocks` a block, `low_rank` where few rows of what comes after are enough, `block_count` and
`block_table` how many), `sharded` blocks on several devices.

Spectra: `lyapunov` asks, `sweep` pushes columns forward (`tangents`) and factors them (`factorizations`, by
`gram_schmidt` or `graded`); `singular_values` takes those of one long product.
"""

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
