"""On an accelerator several steps make one turn of a loop over time: the numbers are the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax import unrolling
from rnn_jax.devices import computing_on, default_device, default_platform, mesh_of
from rnn_jax.training import backpropagation, by_gate
from rnn_jax.training.backpropagation import last_states

T = 23  # no multiple of what is unrolled, so that the rest of a loop is there too
BLOCKS = {"blocked": 2, "sequential": None}  # of 12 steps each, the first filled up


@pytest.fixture
def cell():
    return rj.cells.create("gru", 2, 3, key=jax.random.key(0))


@pytest.fixture
def xs():
    return jax.random.normal(jax.random.key(1), (T, 2))


def both(monkeypatch, measure):
    """What `measure` gives on a CPU, and with the loops of an accelerator; a function is traced anew."""
    plain = measure()
    for module in (unrolling, backpropagation, by_gate):
        monkeypatch.setattr(module, "on_an_accelerator", lambda: True)
    return plain, measure()


def assert_equal_trees(plain, unrolled):
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-13), plain, unrolled
    )


@pytest.mark.costly
@pytest.mark.parametrize("method", ["sequential", "blocked"])
def test_a_chain_and_its_trajectory(cell, xs, method, monkeypatch):
    def measure():
        step = lambda h, x: cell(h, x)  # noqa: E731
        states = rj.trajectory(step, cell.initial_state(), xs)
        options = {"method": method, "block_count": BLOCKS[method], "norms": ("frobenius", "spectral")}
        chain = rj.jacobian_chain(step, cell.initial_state(), xs, **options)
        few = rj.jacobian_chain(step, cell.initial_state(), xs, [0, 1, T], **options)
        return states, chain.frobenius_norm.log(), chain.spectral_norm.log(), few.frobenius_norm.log()

    assert_equal_trees(*both(monkeypatch, measure))


@pytest.mark.costly
@pytest.mark.parametrize("interval", [1, 7, 19])
def test_a_spectrum(cell, interval, monkeypatch):
    """Of 18 steps more between two factorizations eight are a turn, twice, and two are left."""

    def measure():
        step = lambda h, x: cell(h, x)  # noqa: E731
        xs = jax.random.normal(jax.random.key(1), (120, 2))
        return rj.lyapunov_spectrum(
            step, cell.initial_state(), xs, qr_interval=interval, transient=0, batches=2
        ).exponents

    assert_equal_trees(*both(monkeypatch, measure))


@pytest.mark.costly
def test_gradients(cell, xs, monkeypatch):
    def measure():
        step = lambda h, x: cell(h, x)  # noqa: E731
        made = rj.loss_gradients(lambda states: jnp.sum(states[-1] ** 2), step, cell.initial_state(), xs)
        batch = jnp.broadcast_to(xs[:, None], (T, 4, 2))
        states = jnp.broadcast_to(cell.initial_state(), (4, 3))
        by_cell = jax.grad(lambda cell: jnp.sum(last_states(cell, states, batch, 2) ** 2))(cell)
        return made.state.to_array(), made.input.to_array(), by_cell

    assert_equal_trees(*both(monkeypatch, measure))


def test_a_cpu_takes_one_step_a_turn():
    assert jax.default_backend() != "cpu" or (unrolling.light_unroll(), unrolling.heavy_unroll()) == (1, 1)


def test_an_accelerator_takes_several(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert unrolling.light_unroll() > unrolling.backpropagation_unroll(400) > unrolling.heavy_unroll() > 1


@pytest.mark.parametrize("named", [True, False])
def test_the_default_device_is_what_counts_not_the_default_backend(named, monkeypatch):
    """With an accelerator there, `jax.default_device` gives the CPU its own orders, unrolling and block counts."""
    (cpu, *_) = jax.local_devices(backend="cpu")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert default_platform() == "gpu"
    with jax.default_device("cpu" if named else cpu):
        assert (default_platform(), default_device()) == ("cpu", cpu)
        assert unrolling.light_unroll() == 1


@pytest.mark.parametrize("run", ["train", "chain"])
def test_devices_of_another_kind_than_the_default_have_their_own_programs(run, monkeypatch, jax_promotes):
    found = []

    def looked_at(unroll=unrolling.on_an_accelerator):
        found.append(default_platform())
        return unroll()

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(unrolling, "on_an_accelerator", looked_at)
    monkeypatch.setattr(backpropagation, "on_an_accelerator", looked_at)
    cell, devices = rj.cells.GRU.create(2, 3, key=jax.random.key(0)), jax.local_devices(backend="cpu")[:1]
    if run == "chain":
        rj.jacobian_chain(cell, cell.initial_state(), jnp.ones((9, 2)), devices=devices)
        assert set(found) == {"cpu"}
        return
    mesh = mesh_of(devices, "seeds")
    with computing_on(mesh):
        assert default_platform() == "cpu"
    assert default_platform() == "gpu"
    with computing_on(None):
        assert default_platform() == "gpu"
    task, key = rj.tasks.Adding(10), jax.random.key(0)
    rj.train(
        task, lambda key: rj.cells.GRU.create(2, 3, key=key), key=key, seeds=1, step_budget=1, devices=devices
    )
    assert found[-1] == "cpu"


@pytest.mark.parametrize("count", [-9, -3, 0, 1, 8, 19])
def test_a_loop_of_a_traced_length(count, monkeypatch):
    """Under vmap a count can lie below zero, of an example that is done."""
    monkeypatch.setattr(unrolling, "on_an_accelerator", lambda: True)
    places = jax.jit(
        lambda count: unrolling.traced_loop(
            count,
            lambda place, carry: (carry[0] + 1, carry[1].at[carry[0]].set(place)),
            (0, jnp.full(20, -1)),
        )[1]
    )(jnp.asarray(count))
    expected = [*range(count), *[-1] * (20 - max(count, 0))]
    np.testing.assert_array_equal(places, expected)


@pytest.mark.parametrize(
    ("length", "steps"),
    [(400, 8), (399, 7), (100, 10), (99, 9), (15, 5), (397, 8), (1, 8), (0, 8)],
)
def test_backpropagation_leaves_no_rest_where_it_can(length, steps, monkeypatch):
    """A rest is run after the loop, and all that the loop kept is then copied."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert unrolling.backpropagation_unroll(length) == steps
