"""The operations that can be timed: what is called, by whose name, and the columns that go with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

import rnn_jax as rj
from bench.cases.cell import create_cell, noise_columns, seed_key, white_noise
from bench.cases.peers import spectrum_problem, training_problem
from bench.machine import Environment
from bench.measuring.bare_products import bare_products, own_products
from bench.measuring.formulas import spectrum_flop, trajectory_flop, weight_shape
from bench.peers import ours
from rnn_jax.batching import over_examples
from rnn_jax.cell_structure import DENSE, DIAGONAL, ELEMENTWISE, KRONECKER, structure_of
from rnn_jax.lags import geometric_lags
from rnn_jax.step import materialized
from rnn_jax.training.model import Model

LEARNING_RATE = 2e-3
_LARGEST_SHARE = 8
"""A state of more numbers a unit is not multiplied as a dense matrix for comparison."""


@dataclass(frozen=True)
class Operation:
    """What is timed in interleaved rounds.

    Attributes:
        common: columns of every row.
        calls: what to call, by implementation; ours is `rnn_jax`.
        columns: the columns of each implementation's rows; the method of a chain is in them once it was called.
    """

    common: Mapping[str, Any]
    calls: Mapping[str, Callable[[], Any]]
    columns: Mapping[str, Mapping[str, Any]]


def jacobian_chain(case: Any, environment: Environment, suite: str) -> Operation:
    """Frobenius norms of a chain, next to the bare loops of matrix products of the same size."""
    length, seed = case["sequence_length"], case.seeds[0]
    cell, xs, lags, common = _driven(case, environment, suite)
    state = cell.initial_state()
    size, hidden_size = common["state_size"], case["hidden_size"]
    structure = structure_of(materialized(cell))
    # What a matrix memory's product is made of; a dense one of its whole state would take longer than anybody waits.
    factor_size = hidden_size if structure == KRONECKER else size
    factor = jax.random.orthogonal(seed_key(seed, 2), factor_size, dtype=jnp.float32).astype(
        environment.dtype
    )
    bare, own = jax.jit(bare_products, static_argnums=1), jax.jit(own_products, static_argnums=1)
    columns: dict[str, dict[str, Any]] = {}

    def chain() -> jax.Array:
        found = rj.jacobian_chain(cell, state, xs, lags, method=case["method"])
        columns["rnn_jax"]["method"] = found.method
        return found.log_frobenius_norm

    calls: dict[str, Callable[[], Any]] = {"rnn_jax": chain}
    # Beyond it the dense product is nobody's alternative, and would take minutes.
    is_comparable = size <= _LARGEST_SHARE * hidden_size
    if structure != KRONECKER and is_comparable:
        calls["bare_products"] = lambda: bare(factor, length)
    if hidden_size < size and (structure == KRONECKER or is_comparable):
        calls["own_products"] = lambda: own(factor[:, :hidden_size], length)
    flop = {
        "bare_products": 2.0 * length * size**3,
        "own_products": 2.0 * length * factor_size**2 * hidden_size,
        "rnn_jax": _chain_flop(case, cell, size),
    }
    for name in calls:
        columns[name] = _columns(
            case,
            flop[name],
            implementation_version=rj.__version__ if name == "rnn_jax" else jax.__version__,
            method="sequential",
            lag_count=length + 1 if lags is None else len(lags),
        )
    return Operation(common, calls, columns)


def chain_at_known_states(case: Any, environment: Environment, suite: str) -> Operation:
    """Frobenius norms of a chain whose states are given: its products alone, without the run of the net before them."""
    cell, xs, lags, common = _driven(case, environment, suite)
    states = rj.trajectory(cell, cell.initial_state(), xs)
    lag_count = case["sequence_length"] + 1 if lags is None else len(lags)
    columns = _columns(case, _chain_flop(case, cell, common["state_size"]), lag_count=lag_count)

    def chain() -> jax.Array:
        found = rj.jacobian_chain(cell, None, xs, lags, method=case["method"], states=states)
        columns["method"] = found.method
        return found.log_frobenius_norm

    return _ours_alone(common, chain, columns)


def _driven(case: Any, environment: Environment, suite: str) -> tuple[Any, jax.Array, Any, dict[str, Any]]:
    """A chain's cell, its white noise, the lags that are asked for, and the columns of every row."""
    seed = case.seeds[0]
    cell = create_cell(case, case["input_size"], seed_key(seed, 0), environment)
    (xs,) = white_noise(case, seed, 1, environment)
    lags = geometric_lags(case["sequence_length"], case["lags"]) if case["lags"] else None
    return cell, xs, lags, {**noise_columns(case, environment, suite), "seed": seed}


def _chain_flop(case: Any, cell: Any, size: int) -> float:
    leaves = len(jax.tree.leaves(cell.initial_state()))
    structure = structure_of(materialized(cell))
    return case["sequence_length"] * product_flop(structure, size, case["hidden_size"], leaves)


def product_flop(structure: str, size: int, hidden_size: int, leaves: int) -> float:
    """Multiplications and additions that extend a product of step Jacobians by one step.

    Args:
        structure: of the step.
        size, hidden_size, leaves: numbers of a state, units, and leaves of the state.
    """
    by_structure = {
        DENSE: size**3,
        ELEMENTWISE: size**2 * hidden_size,
        DIAGONAL: size * leaves**2,
        KRONECKER: hidden_size**3,
    }
    return 2.0 * by_structure[structure]


def trajectory(case: Any, environment: Environment, suite: str) -> Operation:
    """All states of a batch of sequences of white noise."""
    seed = case.seeds[0]
    cell = create_cell(case, case["input_size"], seed_key(seed, 0), environment)
    inputs = white_noise(case, seed, case["batch_size"], environment)

    @jax.jit
    def states(cell: Any, inputs: jax.Array) -> Any:
        return jax.vmap(lambda xs: rj.trajectory(cell, cell.initial_state(), xs))(inputs)

    flop = trajectory_flop(
        **weight_shape(cell),
        input_size=case["input_size"],
        length=case["sequence_length"],
        sequences=case["batch_size"],
    )
    common = noise_columns(case, environment, suite) | {"seed": seed}
    return _ours_alone(common, lambda: states(cell, inputs), _columns(case, flop))


def training_step(case: Any, environment: Environment, suite: str) -> Operation:
    """Loss, gradient and Adam's update of the adding problem, as `rnn_jax.train` does them."""
    problem, common, facts = training_problem(case, environment, suite)
    (contender,) = ours.contenders(problem)
    return _ours_alone(common, contender.call, _columns(case, facts["flop"]))


def ensemble(case: Any, environment: Environment, suite: str) -> Operation:
    """The same for several nets at once, each with its own weights and batch."""
    problem, common, facts = training_problem(case, environment, suite)
    count, task = case["networks"], problem.task
    optimizer = optax.adam(LEARNING_RATE)

    @jax.jit
    def start(indices: jax.Array) -> Any:
        def one(index: jax.Array) -> Any:
            cell_key, readout_key, data_key = (seed_key(index, purpose) for purpose in (0, 3, 1))
            cell = create_cell(case, task.input_size, cell_key, environment)
            model: Any = Model.create(cell, task.output_size, key=readout_key)
            batch = task.sample(data_key, case["batch_size"], model.bias.dtype)
            return model, optimizer.init(model), batch

        return jax.vmap(one)(indices)

    nets = start(jnp.arange(count, dtype=jnp.uint32))

    @jax.jit
    def step(nets: Any) -> Any:
        return over_examples(lambda net: ours.trained_one_step(task, optimizer, *net), nets)

    columns = _columns(case, count * facts["flop"], seed_count=count)
    return _ours_alone(common, lambda: step(nets), columns)


def lyapunov_spectrum(case: Any, environment: Environment, suite: str) -> Operation:
    """All exponents of the net left to itself."""
    problem, common, _ = spectrum_problem(case, environment, suite)
    (contender,) = ours.contenders(problem)
    flop = spectrum_flop(
        state_size=common["state_size"],
        visible_size=case["hidden_size"],
        count=common["state_size"],
        length=case["sequence_length"],
        qr_interval=problem.qr_interval,
    )
    common = common | {"input_size": 0}
    return _ours_alone(common, contender.call, _columns(case, flop, method=contender.method))


def _ours_alone(common: Mapping[str, Any], call: Callable[[], Any], columns: Mapping[str, Any]) -> Operation:
    return Operation(common, {"rnn_jax": call}, {"rnn_jax": columns})


def _columns(case: Any, flop: float, **more: Any) -> dict[str, Any]:
    chosen = {
        "operation": case["operation"],
        "implementation_version": rj.__version__,
        "batch_size": case["batch_size"],
        "seed_count": 1,
        "flop": flop,
    }
    return chosen | more


OPERATIONS = {
    "jacobian_chain": jacobian_chain,
    "chain_at_known_states": chain_at_known_states,
    "trajectory": trajectory,
    "training_step": training_step,
    "ensemble": ensemble,
    "lyapunov_spectrum": lyapunov_spectrum,
}
