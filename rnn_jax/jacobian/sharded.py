"""The product of step Jacobians over one long sequence, its time shared out among devices.

Each device has a stretch of time of its own: its inputs, its states, its factors. It is the blocked
order one level up:

1. The net runs through the stretches in turn. Each device takes the state where the one before it
   stopped, so no device ever holds the states of another's stretch.
2. All devices form the products of their own stretches at once.
3. These totals, one matrix a device, go to all; each device combines those of the stretches after
   its own into dh_T/dh_t at the end t of its own.
4. From there all devices extend backwards at once, and measure at the lags within their stretches.

So a device does about twice the products of its share of time. It keeps its share of inputs and
states, one total of every device, and what the order within a stretch keeps beside states: one
after the other, or in blocks.

The functions that take a `Plan` and operands are traced, and compiled, by their callers.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from rnn_jax.jacobian import blocks, sequential
from rnn_jax.jacobian.forward_pass import ForwardPass
from rnn_jax.jacobian.groups import Chain, extended
from rnn_jax.jacobian.material import Segment, is_finite, materials
from rnn_jax.jacobian.measure import Measure, Measured, start
from rnn_jax.jacobian.scaled import ScaledMatrix
from rnn_jax.step import Inputs, State, Step
from rnn_jax.unrolling import light_unroll

AXIS = "time"
_SHARED, _EVERYWHERE = PartitionSpec(AXIS), PartitionSpec()


class Plan(NamedTuple):
    """How time is shared out.

    Attributes:
        mesh: the devices, in the order of time.
        length: T.
        size: of each stretch, in steps. What is missing fills up the first, before its first step.
        block_count: into how many blocks a device cuts its stretch; None for one step after the other.
    """

    mesh: Mesh
    length: int
    size: int
    block_count: int | None

    @property
    def filling(self) -> int:
        """How many steps of the first stretch are none; fewer than a stretch has."""
        return self.size * self.mesh.size - self.length


def plan_of(mesh: Mesh, length: int, block_count: Callable[[int], int | None]) -> Plan:
    """Shares T > 0 steps out; not more devices are taken than there are stretches.

    Args:
        mesh: the devices.
        length: T.
        block_count: of how many blocks a stretch of so many steps is.
    """
    size = -(-length // mesh.size)
    count = block_count(size)
    if count is not None:
        size = blocks.block_size(size, count) * count
    return Plan(Mesh(mesh.devices[: -(-length // size)], (AXIS,)), length, size, count)


Given = tuple[State, State] | None
"""Where states are known: those before all steps, filled up; and those after each stretch."""


def placed(
    plan: Plan, callables: Any, state: State, xs: Inputs, states: State | None
) -> tuple[Any, State, Inputs, Given]:
    """The callables and the first state on every device; inputs and known states by stretches.

    What is traced already stays where it is: the program around it decides.
    """

    def filled(leaf: Array) -> Array:
        return jnp.concatenate([jnp.broadcast_to(leaf[:1], (plan.filling, *leaf.shape[1:])), leaf])

    given = None
    if states is not None:
        ends = plan.size * np.arange(1, plan.mesh.size + 1) - plan.filling
        before = jax.tree.map(lambda leaf: filled(leaf[:-1]), states)
        given = before, jax.tree.map(lambda leaf: leaf[ends], states)
    everywhere, by_stretch = partial(_put, plan.mesh, _EVERYWHERE), partial(_put, plan.mesh, _SHARED)
    return everywhere(callables), everywhere(state), by_stretch(jax.tree.map(filled, xs)), by_stretch(given)


def _put(mesh: Mesh, spec: PartitionSpec, tree: Any) -> Any:
    def put(leaf: Any) -> Any:
        # A plain function is a leaf too, and stays one.
        moves = not isinstance(leaf, Tracer) and not callable(leaf)
        return jax.device_put(leaf, NamedSharding(mesh, spec)) if moves else leaf

    return jax.tree.map(put, tree)


def on_first_device(plan: Plan, tree: Any) -> Any:
    """Results gathered where the first device is, if they are not traced."""
    first = plan.mesh.devices.flat[0]
    return jax.tree.map(lambda leaf: leaf if isinstance(leaf, Tracer) else jax.device_put(leaf, first), tree)


def every_lag(
    step: Step,
    readout: Callable | None,
    state: State,
    xs: Inputs,
    given: Given,
    *,
    plan: Plan,
    spectral: bool,
    precision: str,
) -> Measured:
    """The norms at lags 0..T."""

    def over_stretch(state: State, xs: Inputs, given: Given) -> Measured:
        with jax.default_matmul_precision(precision):
            stretch = _Stretch.of(step, readout, state, xs, given, plan, spectral=spectral)
            return stretch.every_lag(step)

    measured = _on_all(plan, over_stretch, 2)(state, xs, given)

    def by_lag(norms: Array) -> Array:
        """(stretches in the order of time) x (lags 0..size from the end of each) as lags 0..T."""
        stretches = norms.reshape(plan.mesh.size, plan.size + 1)[::-1]
        return jnp.concatenate([stretches[0, :1], stretches[:, 1:].reshape(-1)[: plan.length]])

    return jax.tree.map(by_lag, measured)


def chosen_lags(
    step: Step,
    readout: Callable | None,
    state: State,
    xs: Inputs,
    given: Given,
    lags: Array,
    *,
    plan: Plan,
    spectral: bool,
    precision: str,
) -> Measured:
    """The norms at chosen lags, as `shared_lags` gave them out."""

    def over_stretch(state: State, xs: Inputs, given: Given, lags: Array) -> Measured:
        with jax.default_matmul_precision(precision):
            stretch = _Stretch.of(step, readout, state, xs, given, plan, spectral=spectral)
            return stretch.chosen_lags(step, lags)

    return _on_all(plan, over_stretch, 3)(state, xs, given, lags)


def shared_lags(plan: Plan, lags: np.ndarray) -> tuple[Array, np.ndarray]:
    """Gives each of some ascending lags to the device whose stretch it ends in.

    Returns:
        for each device in the order of time as many lags, counted from the end of its stretch and
        ascending, one row after the other; and at which place of these each of the lags is found.
    """
    from_last = np.maximum(lags - 1, 0) // plan.size
    device = plan.mesh.size - 1 - from_last
    counts = np.bincount(device, minlength=plan.mesh.size)
    rank = np.arange(lags.size) - np.array([np.argmax(device == each) for each in device])
    own = np.zeros((plan.mesh.size, counts.max()), np.int32)
    own[device, rank] = lags - plan.size * from_last
    # Places left over repeat the device's last lag, which asks for no step more.
    own = np.maximum.accumulate(own, axis=1)
    return _put(plan.mesh, _SHARED, jnp.asarray(own.reshape(-1))), device * own.shape[1] + rank


def _on_all(plan: Plan, function: Callable, shared: int) -> Callable:
    """A function of a state that all devices have and so many operands of which each has its part."""
    return jax.shard_map(
        function,
        mesh=plan.mesh,
        in_specs=(_EVERYWHERE, *[_SHARED] * shared),
        out_specs=_SHARED,
        # A step's own loops may begin with constants, which are no device's own, and end with what is one's.
        check_vma=False,
    )


class _Stretch(NamedTuple):
    """What one device knows before it measures.

    Attributes:
        measure: what is wanted.
        later: dh_T/dh_t at the end t of the stretch, with the output's rows.
        forward_pass: its states and inputs, for one step after the other.
        blocks: for blocks: what their factors need, and their totals.
    """

    measure: Measure
    later: ScaledMatrix
    forward_pass: ForwardPass
    blocks: tuple[Any, ScaledMatrix] | None

    @classmethod
    def of(
        cls,
        step: Step,
        readout: Callable | None,
        state: State,
        xs: Inputs,
        given: Given,
        plan: Plan,
        *,
        spectral: bool,
    ) -> "_Stretch":
        if given is None:
            before, after = _states(step, state, xs, plan)
        else:
            before, after = given[0], jax.tree.map(lambda leaf: leaf[0], given[1])
        last = jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, AXIS)[-1], after)
        product, measure = start(step, last, readout, spectral=spectral)
        forward_pass = ForwardPass(after, Segment(before, xs), plan.size)
        one = measure.identity(product)
        if plan.block_count is None:
            own, total = None, _total(step, one, forward_pass)
        else:
            material, _ = materials(step, forward_pass.early, is_finite(after))
            material = blocks.in_blocks(material, plan.size, plan.block_count)
            totals = blocks.block_totals(step, one, material)
            own, total = (material, totals), blocks.combined(measure, one, totals)[0]
        totals = jax.lax.all_gather(total, AXIS)

        def combine(done: Array, later: ScaledMatrix) -> ScaledMatrix:
            total = jax.tree.map(lambda leaf: leaf[plan.mesh.size - 1 - done], totals)
            return measure.layout.product(later, total)

        later_stretches = plan.mesh.size - 1 - jax.lax.axis_index(AXIS)
        return cls(measure, jax.lax.fori_loop(0, later_stretches, combine, product), forward_pass, own)

    def every_lag(self, step: Step) -> Measured:
        if self.blocks is None:
            return sequential.every_lag_of(step, self.measure, self.later, self.forward_pass)
        return blocks.every_lag_of(step, self.measure, self.later, *self.blocks)

    def chosen_lags(self, step: Step, lags: Array) -> Measured:
        if self.blocks is None:
            return sequential.chosen_lags_of(step, self.measure, self.later, self.forward_pass, lags)
        return blocks.chosen_lags_of(step, self.measure, self.later, *self.blocks, lags)


def _states(step: Step, state: State, xs: Inputs, plan: Plan) -> tuple[State, State]:
    """The states before the steps of a device's own stretch, and the one after it.

    The net can run through one stretch at a time only: each device waits for its turn and hands the
    state on.
    """
    own_turn = jax.lax.axis_index(AXIS)
    is_step = own_turn * plan.size + jnp.arange(plan.size, dtype=jnp.int32) >= plan.filling

    def advance(before: State, at: tuple[Any, Array]) -> tuple[State, State]:
        x, is_step = at
        after = jax.tree.map(partial(jnp.where, is_step), step(before, x), before)
        return after, before

    def take_turn(turn: Array, carry: tuple[State, tuple[State, State]]):
        arrived, own = carry

        def run() -> tuple[State, State]:
            after, before = jax.lax.scan(advance, arrived, (xs, is_step), unroll=light_unroll())
            return before, after

        own = jax.lax.cond(turn == own_turn, run, lambda: own)
        neighbours = [(device, device + 1) for device in range(plan.mesh.size - 1)]
        arrived = jax.tree.map(lambda leaf: jax.lax.ppermute(leaf, AXIS, neighbours), own[1])
        return arrived, own

    nowhere = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (plan.size, *leaf.shape)), state)
    return jax.lax.fori_loop(0, plan.mesh.size, take_turn, (state, (nowhere, state)))[1]


def _total(step: Step, one: ScaledMatrix, forward_pass: ForwardPass) -> ScaledMatrix:
    """The product of all step Jacobians of a stretch."""
    chain = Chain.begin(one, is_finite(forward_pass.last))
    count = forward_pass.early_count
    return extended(step, chain, forward_pass.early, count, jnp.asarray(count, jnp.int32)).product
