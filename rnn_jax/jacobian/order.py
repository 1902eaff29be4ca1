"""In which order the factors of a chain are multiplied: chosen here, then traced, compiled and called.

`sequential`, `blocked` and `sharded` have one order each.
"""

from collections.abc import Callable
from functools import cache, partial
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import sequential_vmap

from rnn_jax.coordinates import real_size
from rnn_jax.devices import Devices, computing_on, default_platform, mesh_of, platform_of
from rnn_jax.jacobian import blocked, sequential, sharded
from rnn_jax.jacobian.block_count import block_count_of
from rnn_jax.jacobian.measure import Measured
from rnn_jax.step import State, call_compiled, is_pytree_of_arrays

_SPARSE = 8
"""Steps between two lags from which on it is cheaper to measure at those alone."""


class Order(NamedTuple):
    """One order, for one chain.

    Attributes:
        method, block_count: as in `JacobianChain`.
        module: whose `every_lag` and `chosen_lags` multiply so.
        options: what these two take of their own.
        plan: how several devices share time out; None on one.
    """

    method: str
    block_count: int | None
    module: ModuleType
    options: dict[str, Any]
    plan: sharded.Plan | None = None

    @classmethod
    def of(
        cls,
        method: str,
        block_count: int | None,
        state: State,
        length: int,
        checkpoint: bool,
        devices: Devices | None,
    ) -> "Order":
        """The order of T = `length` steps, of what was asked of `jacobian_chain`."""
        mesh = None if devices is None else mesh_of(devices, sharded.AXIS)
        platform = default_platform() if mesh is None else platform_of(mesh)
        asked = "sequential" if checkpoint else method
        blocks_of = partial(block_count_of, asked, block_count, state, platform)
        if mesh is not None and length:
            plan = sharded.plan_of(mesh, length, blocks_of)
            return cls("sharded", plan.block_count, sharded, {"plan": plan}, plan)
        count = blocks_of(length)
        if count is None:
            return cls("sequential", None, sequential, {"length": length, "checkpoint": checkpoint})
        return cls("blocked", count, blocked, {"length": length, "block_count": count})

    def norms_at(
        self,
        lags: np.ndarray | None,
        callables: tuple,
        operands: tuple,
        *,
        length: int,
        spectral: bool,
        precision: str,
    ) -> Measured:
        """The norms at these lags, in their order.

        Args:
            lags: in 0..T, in any order, the same one more than once if need be; every one, in order, if None.
            callables: the step, and the readout or None.
            operands: the first state, the inputs, and all states or None.
            length: T.
            spectral, precision: as `jacobian_chain` takes them.
        """
        state = operands[0]
        if self.plan is not None:
            callables, *placed = sharded.placed(self.plan, callables, *operands)
            operands = tuple(placed)
        function, position = self.module.every_lag, lags
        ascending, inverse = (None, None) if lags is None else np.unique(lags, return_inverse=True)
        # Else it is cheaper to measure at every lag than to look which are wanted.
        if (
            ascending is not None
            and ascending.size <= length
            and (spectral or _SPARSE * ascending.size < length)
        ):
            function = self.module.chosen_lags
            if self.plan is None:
                chosen, position = jnp.asarray(ascending, jnp.int32), inverse
            else:
                chosen, place = sharded.shared_lags(self.plan, ascending)
                position = place[inverse]
            operands = *operands, chosen
        options = self.options | {"spectral": spectral, "precision": precision}
        with computing_on(None if self.plan is None else self.plan.mesh):
            measured = call_compiled(
                _as_compiled(function, callables, state), callables, *operands, **options
            )
        if self.plan is not None:
            measured = sharded.on_first_device(self.plan, measured)
        if position is None or np.array_equal(position, np.arange(measured[0].mantissa.shape[-1])):
            return measured
        return jax.tree.map(lambda norm: norm[position], measured)


def _as_compiled(function: Callable, callables: tuple, state: State) -> Callable:
    """The function as it is compiled for a step and a readout.

    Under vmap on a CPU one example follows the other: products of a batch of small matrices are slow
    there, but for the smallest. A closure may hold arrays of an outer transformation that cannot be
    taken apart, so it is left as it is.
    """
    if not all(is_pytree_of_arrays(each) for each in callables):
        return function
    return _guarded(function, default_platform() == "cpu" and real_size(state) >= 16)


@cache
def _guarded(function: Callable, one_after_the_other: bool) -> Callable:
    def call(*operands: Any, **static: Any) -> Any:
        def inner(*operands: Any) -> Any:
            return function(*operands, **static)

        guarded = jax.custom_jvp(sequential_vmap(inner) if one_after_the_other else inner)
        guarded.defjvp(_refuse_to_differentiate)
        return guarded(*operands)

    return call


def _refuse_to_differentiate(primals: Any, tangents: Any) -> Any:
    raise NotImplementedError(
        "a Jacobian chain cannot be differentiated; differentiate a function of the matrices that "
        "rnn_jax.step_jacobians gives, over as many steps as fit into memory"
    )
