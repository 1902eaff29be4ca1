import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax import unrolling
from rnn_jax.devices import mesh_of
from rnn_jax.jacobian import sharded

NORMS = ("log_frobenius_norm", "log_spectral_norm", "log_output_norm")


def problem(name, length, gain=1.0, dtype=jnp.float64):
    cell = rj.cells.create(name, 2, 4, key=jax.random.key(0), gain=gain, dtype=dtype)
    return (
        cell,
        cell.initial_state(),
        jax.random.normal(jax.random.key(1), (length, 2), jnp.float32).astype(dtype),
    )


def assert_same(one, other, places=slice(None), names=NORMS, rtol=1e-12):
    for name in names:
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name)[places], rtol=rtol, atol=rtol, err_msg=name
        )


# Against one device


@pytest.mark.costly
@pytest.mark.parametrize(
    ("name", "length", "options"),
    [
        ("elman_tanh", 333, {"norms": ("spectral",)}),
        ("elman_identity", 101, {"method": "blocked"}),
        ("lstm", 42, {}),
        ("indrnn", 60, {}),
    ],
)
def test_it_equals_one_device_at_every_lag_and_at_chosen_ones(eight_devices, name, length, options):
    cell, state, xs = problem(name, length, gain=1.3)
    options = {**options, "output": cell.output}
    names = NORMS if "norms" in options else (NORMS[0], NORMS[2])
    alone = rj.jacobian_chain(cell, state, xs, **{**options, "method": "sequential"})
    together = rj.jacobian_chain(cell, state, xs, **options, devices=eight_devices)
    assert together.method == "sharded"
    assert_same(together, alone, names=names)
    lags = np.array([length, 1, 0, length // 3, length - 1, 1])  # not in order, and most devices have none
    chosen = rj.jacobian_chain(cell, state, xs, lags, **options, devices=eight_devices)
    assert_same(chosen, alone, lags, names)


@pytest.mark.parametrize("lags", [None, [0, 1, 135, 520, 1039, 1040]])
def test_long_blocks_as_on_an_accelerator(eight_devices, lags, monkeypatch):
    """Two blocks of 65 steps a device would be: there they are of 68, and only the first stretch is filled up."""
    monkeypatch.setattr(unrolling, "on_an_accelerator", lambda: True)
    matrices = jax.random.normal(jax.random.key(2), (1_040, 3, 3), jnp.float64)

    def chain(**options):
        return rj.jacobian_chain(lambda state, matrix: matrix @ state, jnp.ones(3), matrices, lags, **options)

    together = chain(method="blocked", block_count=2, devices=eight_devices)
    assert_same(together, chain(method="sequential"), names=NORMS[:1])


def test_float32_agrees_to_its_rounding(eight_devices):
    cell, state, xs = problem("elman_tanh", 1_001, 0.9, jnp.float32)
    alone = rj.jacobian_chain(cell, state, xs)
    together = rj.jacobian_chain(cell, state, xs, devices=eight_devices)
    assert_same(together, alone, names=NORMS[:1], rtol=1e-6)


@pytest.mark.parametrize("length", [0, 9])
def test_a_net_of_few_steps_needs_no_step_a_device(eight_devices, length):
    cell, state, xs = problem("elman_tanh", length)
    alone = rj.jacobian_chain(cell, state, xs)
    assert_same(rj.jacobian_chain(cell, state, xs, devices=eight_devices), alone, names=NORMS[:1])


def test_known_states_are_shared_out_and_the_net_is_not_run(eight_devices):
    cell, state, xs = problem("elman_tanh", 42)
    states = rj.trajectory(cell, state, xs) + 0.1  # where the net never was
    options = {"states": states, "output": cell.output, "precision": "default"}
    alone = rj.jacobian_chain(cell, None, xs, **options)
    for method in ("sequential", "blocked"):
        together = rj.jacobian_chain(cell, None, xs, method=method, devices=eight_devices, **options)
        assert_same(together, alone, names=NORMS[::2])
    poisoned = {**options, "states": states.at[30].set(jnp.nan)}
    chain = rj.jacobian_chain(cell, None, xs, devices=eight_devices, **poisoned)
    np.testing.assert_array_equal(np.isnan(chain.log_frobenius_norm), np.arange(43) >= 12)


# Against closed forms


def _times_matrix(_, state, matrix):
    """A linear net whose inputs are its step Jacobians."""
    return matrix @ state


# A pytree, which is compiled once a shape and not at every call.
times_matrix = jax.tree_util.Partial(_times_matrix, np.ones(()))


def test_stretches_far_outside_the_range_of_float32_are_combined(eight_devices):
    half = jnp.broadcast_to(0.5 * jnp.eye(3, dtype=jnp.float32), (10_001, 3, 3))
    xs = jnp.concatenate([half, 4 * half])  # at the latest 10,001 steps it doubles, before it halves
    lags = np.array([5_000, 10_001, 15_000, 20_002])
    chain = rj.jacobian_chain(times_matrix, jnp.zeros(3, jnp.float32), xs, lags, devices=eight_devices)
    expected = np.array([5_000, 10_001, 5_002, 0]) * np.log(2) + 0.5 * np.log(3)
    np.testing.assert_allclose(chain.frobenius_norm.log_float64(), expected, rtol=1e-6)


@pytest.mark.parametrize("method", ["sequential", "blocked"])
def test_a_singular_step_gives_minus_infinity_from_its_lag_on(eight_devices, method):
    xs = jnp.broadcast_to(jnp.eye(2), (90, 2, 2)).at[40].set(jnp.array([[0.0, 1.0], [0.0, 0.0]]))
    xs = xs.at[20].set(jnp.array([[1.0, 0.0], [0.0, 0.0]]))  # the product of the two is zero
    chain = rj.jacobian_chain(times_matrix, jnp.ones(2), xs, method=method, devices=eight_devices)
    expected = np.full(91, 0.5 * np.log(2))
    expected[50:], expected[70:] = 0.0, -np.inf
    np.testing.assert_allclose(chain.log_frobenius_norm, expected, atol=1e-12)


# States that are not finite


def forgetting(weight, state, x):
    """A net that starts anew after a state that is not finite."""
    return jnp.tanh(weight @ jnp.where(jnp.isfinite(state), state, 0.5)) + x


def test_a_state_that_is_not_finite_poisons_the_same_lags_as_on_one_device(eight_devices):
    """In the middle of a stretch of 8 steps, at both its ends, and at the last step of all."""
    step = jax.tree_util.Partial(forgetting, jax.random.normal(jax.random.key(0), (3, 3)))
    for place in (0, 28, 30, 31, 32, 33, 63):
        xs = jnp.zeros((64, 3)).at[place, 1].set(jnp.inf)
        chain = rj.jacobian_chain(step, jnp.ones(3), xs, devices=eight_devices)
        expected = np.arange(65) >= max(1, 63 - place)
        np.testing.assert_array_equal(np.isnan(chain.log_frobenius_norm), expected, str(place))
        assert_same(chain, rj.jacobian_chain(step, jnp.ones(3), xs), names=NORMS[:1])


# What a step may be and where its arrays may lie


def counting(state, x):
    """A net without input, whose state holds a key, a count and a flag beside its numbers."""
    key, count, flag, h = state
    growth = jnp.where(flag & (jax.random.key_data(key)[0] % 3 == 0), 0.9j, 1.1)
    h = growth * h[::-1] * (1.0 + 0.1 * count.astype(h.dtype))
    return jax.random.fold_in(key, 7), count + 1, ~flag, h


def test_keys_counts_flags_and_complex_numbers_are_handed_on(eight_devices):
    state = (jax.random.key(3), jnp.int32(0), jnp.array(True), jnp.array([1.0 + 0.5j, 2.0, 3.0]))
    alone = rj.jacobian_chain(counting, state, None, length=21)
    together = rj.jacobian_chain(counting, state, None, length=21, devices=eight_devices)
    assert_same(together, alone, names=NORMS[:1])


def test_arrays_may_lie_anywhere_and_the_result_lies_on_the_first_device(eight_devices):
    cell, state, xs = problem("elman_tanh", 21)
    alone = rj.jacobian_chain(cell, state, xs)
    cell, state = jax.device_put((cell, state), eight_devices[2])
    elsewhere = jax.device_put(xs, eight_devices[5])
    for step in (cell, lambda h, x: cell(h, x)):
        together = rj.jacobian_chain(step, state, elsewhere, devices=eight_devices[1:5])
        assert together.log_frobenius_norm.devices() == {eight_devices[1]}
        assert_same(together, alone, names=NORMS[:1])


def test_it_works_under_jit_and_vmap(eight_devices):
    cell, state, _ = problem("gru", 1)
    batch = jax.random.normal(jax.random.key(1), (3, 42, 2))

    def norms(xs, devices=None):
        return rj.jacobian_chain(cell, state, xs, [5, 41, 42], devices=devices).log_frobenius_norm

    expected = jnp.stack([norms(xs) for xs in batch])
    together = jax.jit(jax.vmap(lambda xs: norms(xs, eight_devices)))(batch)
    np.testing.assert_allclose(together, expected, rtol=1e-12)


def test_no_device_holds_the_states_of_all_steps(eight_devices):
    cell, state, xs = problem("elman_tanh", 1_003)
    plan = sharded.plan_of(mesh_of(eight_devices, "time"), 1_003, lambda steps: None)
    assert (plan.size, plan.filling) == (126, 5)
    step, state, shared, given = sharded.placed(plan, cell, state, xs, None)
    assert given is None
    assert [shard.data.shape for shard in shared.addressable_shards] == [(126, 2)] * 8
    options = {"plan": plan, "spectral": False, "precision": "highest"}
    compiled = jax.jit(lambda *operands: sharded.every_lag(step, None, *operands, None, **options))
    program = compiled.lower(state, shared).compile().as_text()
    assert "f64[126,4]" in program
    assert "f64[1003,4]" not in program
    assert "f64[1008,4]" not in program


# Plans


def test_chosen_lags_go_to_the_device_whose_stretch_they_end_in(eight_devices):
    plan = sharded.plan_of(mesh_of(eight_devices[:3], "time"), 10, lambda steps: None)
    assert (plan.size, plan.filling) == (4, 2)
    own, place = sharded.shared_lags(plan, np.array([0, 3, 4, 9, 10]))
    assert own.reshape(3, -1).tolist() == [[1, 2, 2], [0, 0, 0], [0, 3, 4]]
    assert place.tolist() == [6, 7, 8, 0, 1]


@pytest.mark.parametrize("blocks", [None, 1, 2, 5])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 64, 65, 1_000])
def test_a_plan_covers_all_steps_with_less_than_a_stretch_to_spare(eight_devices, length, blocks):
    plan = sharded.plan_of(
        mesh_of(eight_devices, "time"), length, lambda steps: blocks and min(blocks, steps)
    )
    assert 0 <= plan.filling < plan.size
    assert plan.mesh.size <= 8
    assert plan.block_count is None or plan.size % plan.block_count == 0


# Arguments


def test_what_cannot_be_shared_out_is_refused():
    cell, state, xs = problem("elman_tanh", 3)
    with pytest.raises(
        ValueError, match="checkpoint=True keeps few states on one device; leave it or devices= out"
    ):
        rj.jacobian_chain(cell, state, xs, devices=jax.devices(), checkpoint=True)
    with pytest.raises(ValueError, match="devices must name at least one device, got an empty sequence"):
        rj.jacobian_chain(cell, state, xs, devices=[])
