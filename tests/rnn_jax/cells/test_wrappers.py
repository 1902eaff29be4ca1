from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import rnn_jax as rj
from rnn_jax.cells import AddedSkip, LayerNorm, Leaky, Skip
from rnn_jax.cells.wrappers import SkipState, with_innermost
from rnn_jax.training.model import Model

HIDDEN, LENGTH = 4, 6


def cell_of(name, **options):
    return rj.cells.create(name, 3, HIDDEN, key=jax.random.key(1), dtype=jnp.float64, **options)


def inputs():
    return np.random.default_rng(2).normal(size=(LENGTH, 3))


def end_jacobian(cell):
    """dh_T/dh_0 of the loop over time as a whole."""
    vector, rebuild = ravel_pytree(cell.initial_state())

    def last(vector):
        state = rebuild(vector)
        for x in jnp.asarray(inputs()):
            state = cell(state, x)
        return ravel_pytree(state)[0]

    return jax.jit(jax.jacrev(last))(vector)


def logistic(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.costly
@pytest.mark.parametrize(
    ("name", "wrap", "structure"),
    [
        ("lstm", lambda cell: Leaky.create(cell, 0.3), "elementwise"),
        ("gru", lambda cell: Leaky.create(cell, 0.3), "elementwise"),
        ("indrnn", lambda cell: Leaky.create(cell, 0.3), "diagonal"),
        ("gru_reset_before", lambda cell: Leaky.create(cell, 0.3), "dense"),
        # Its last query would stay in part, so that the state is more than one matrix through one factor.
        ("deltanet", lambda cell: Leaky.create(cell, 0.3), "dense"),
        ("elman_tanh", lambda cell: AddedSkip.create(cell, 3), "dense"),
        ("lstm", lambda cell: Skip.create(cell, 3, key=jax.random.key(8)), "dense"),
        ("gru", LayerNorm.create, "dense"),
        ("elman_tanh", lambda cell: Leaky.create(LayerNorm.create(cell), 0.3), "dense"),
    ],
)
def test_a_chain_of_a_wrapped_cell_is_that_of_the_whole_loop(name, wrap, structure):
    cell = wrap(cell_of(name))
    assert rj.jacobian.structure.structure_of(cell) == structure
    chain = rj.jacobian_chain(cell, cell.initial_state(), jnp.asarray(inputs()), norms=("frobenius",))
    expected = np.linalg.norm(end_jacobian(cell))
    assert float(np.exp(chain.log_frobenius_norm[LENGTH])) == pytest.approx(expected, rel=1e-9)


@pytest.mark.costly
@pytest.mark.parametrize("name", ["elman_tanh", "lstm", "indrnn", "gru_reset_before"])
def test_a_leaky_cell_lies_between_the_state_and_the_next(name):
    cell, leak = cell_of(name), 0.3
    state = jax.tree.map(lambda leaf: leaf + 0.5, cell.initial_state())
    x = jnp.asarray(inputs()[0])
    got = ravel_pytree(Leaky.create(cell, leak)(state, x))[0]
    before, after = ravel_pytree(state)[0], ravel_pytree(cell(state, x))[0]
    np.testing.assert_allclose(got, before + leak * (after - before), rtol=1e-12)


@pytest.mark.costly
def test_a_leaky_cell_trains_by_the_fast_path_as_by_plain_autodiff():
    model = Model.create(Leaky.create(cell_of("lstm"), 0.3), 2, key=jax.random.key(3))
    batch = jnp.asarray(np.random.default_rng(4).normal(size=(2, LENGTH, 3)))

    def gradient(how):
        return jax.jit(jax.grad(lambda model: jnp.sum(jnp.square(model.outputs(batch, 2, how)))))(model)

    jax.tree.map(
        lambda left, right: np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-14),
        gradient("auto"),
        gradient("autodiff"),
    )


@pytest.mark.parametrize("delay", [1, 3, 10])
def test_an_added_skip_connection_adds_the_state_of_some_steps_before(delay):
    cell = cell_of("elman_tanh")
    w, u = np.asarray(cell.weight_hh), np.asarray(cell.weight_xh)
    by_hand = [np.zeros(HIDDEN)]
    for t, x in enumerate(inputs(), start=1):
        before = by_hand[t - delay] if t >= delay else np.zeros(HIDDEN)
        by_hand.append(np.tanh(w @ by_hand[-1] + u @ x) + 0.5 * before)
    skipping = AddedSkip.create(cell, delay, 0.5)
    states = rj.trajectory(skipping, skipping.initial_state(), jnp.asarray(inputs()))
    np.testing.assert_allclose(jax.vmap(skipping.output)(states), by_hand, rtol=1e-12)


def test_an_added_skip_connection_adds_every_leaf_of_the_state():
    cell = cell_of("lstm")
    skipping = AddedSkip.create(cell, 1)
    state = skipping.initial_state()
    state = state._replace(now=jax.tree.map(lambda leaf: leaf + 0.5, state.now))
    x = jnp.asarray(inputs()[0])
    expected = jax.tree.map(lambda new, old: new + old, cell(state.now, x), state.now)
    jax.tree.map(np.testing.assert_array_equal, skipping(state, x).now, expected)


@pytest.mark.parametrize("delay", [1, 3, 10])
def test_a_skip_connection_reads_the_output_of_some_steps_before(delay):
    cell = cell_of("elman_tanh")
    w, u = np.asarray(cell.weight_hh), np.asarray(cell.weight_xh)
    skipping = Skip.create(cell, delay, key=jax.random.key(8), gain=0.5)
    (v,) = np.asarray(skipping.weight_skip)
    by_hand = [np.zeros(HIDDEN)]
    for t, x in enumerate(inputs(), start=1):
        before = by_hand[t - delay] if t >= delay else np.zeros(HIDDEN)
        by_hand.append(np.tanh((w @ by_hand[-1] + v @ before) / 1.25**0.5 + u @ x))
    states = rj.trajectory(skipping, skipping.initial_state(), jnp.asarray(inputs()))
    np.testing.assert_allclose(jax.vmap(skipping.output)(states), by_hand, rtol=1e-12)


def test_a_skip_connection_of_an_lstm_reads_h_and_leaves_c():
    cell = cell_of("lstm")
    skipping = Skip.create(cell, 2, key=jax.random.key(8))
    rng = np.random.default_rng(5)
    h, c, x, earlier = (
        rng.normal(size=HIDDEN),
        rng.normal(size=HIDDEN),
        rng.normal(size=3),
        rng.normal(size=HIDDEN),
    )
    state = rj.cells.LSTMState(jnp.asarray(h), jnp.asarray(c))
    rows = np.asarray(skipping.weight_skip).reshape(4 * HIDDEN, HIDDEN) @ earlier / 2**0.5
    shifted = replace(cell, weight_hh=cell.weight_hh / 2**0.5, bias=cell.bias + rows)
    after = skipping(SkipState(state, jnp.asarray(earlier)[None]), jnp.asarray(x))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-12), after.now, shifted(state, jnp.asarray(x)))
    np.testing.assert_array_equal(after.past, h[None])


def skipping_gru(**options):
    return Skip.create(cell_of("gru"), 2, key=jax.random.key(0), **options)


@pytest.mark.parametrize("inner", [lambda cell: Leaky.create(cell, 0.3), LayerNorm.create])
def test_a_skip_connection_with_no_weights_is_the_wrapped_cell(inner):
    cell = inner(cell_of("elman_tanh"))
    skipping = Skip.create(cell, 3, key=jax.random.key(8), gain=0.0)
    xs = jnp.asarray(inputs())
    got = rj.trajectory(skipping, skipping.initial_state(), xs).now
    np.testing.assert_allclose(got, rj.trajectory(cell, cell.initial_state(), xs), rtol=1e-12)


def test_the_weights_of_a_skip_connection_have_the_variance_that_its_gain_says():
    cell = rj.cells.create("gru", 3, 64, key=jax.random.key(0))
    weights = np.asarray(Skip.create(cell, 4, key=jax.random.key(8), gain=3.0).weight_skip)
    assert weights.shape == (3, 64, 64)
    assert weights.std() == pytest.approx(3 / 8, rel=0.02)


def test_layer_normalization_of_an_lstm_is_that_of_a_step_by_hand():
    cell = cell_of("lstm")
    wrapped = LayerNorm.create(cell, 0.7)
    rng = np.random.default_rng(5)
    h, c, x = rng.normal(size=HIDDEN), rng.normal(size=HIDDEN), rng.normal(size=3)
    rows = (np.asarray(cell.weight_hh) @ h).reshape(4, HIDDEN)
    deviation = np.sqrt(rows.var(axis=1, keepdims=True) + 1e-5)
    rows = 0.7 * (rows - rows.mean(axis=1, keepdims=True)) / deviation
    i, f, g, o = rows + (np.asarray(cell.weight_xh) @ x + np.asarray(cell.bias)).reshape(4, HIDDEN)
    next_c = logistic(f) * c + logistic(i) * np.tanh(g)
    after = wrapped(rj.cells.LSTMState(jnp.asarray(h), jnp.asarray(c)), jnp.asarray(x))
    np.testing.assert_allclose(after.c, next_c, rtol=1e-10)
    np.testing.assert_allclose(after.h, logistic(o) * np.tanh(next_c), rtol=1e-10)


def test_layer_normalization_makes_a_net_blind_to_the_size_of_its_weights():
    x, state = jnp.asarray(inputs()[0]), jnp.asarray(inputs()[1:5, 0])
    small, large = (LayerNorm.create(cell_of("elman_tanh", gain=gain)) for gain in (10.0, 1000.0))
    np.testing.assert_allclose(small(state, x), large(state, x), rtol=1e-6)


def test_the_innermost_cell_is_reached_through_all_wrappers():
    cell = AddedSkip.create(Leaky.create(LayerNorm.create(cell_of("elman_tanh")), 0.5), 2)
    changed = with_innermost(cell, lambda inner: cell_of("elman_relu"))
    assert changed.cell.cell.cell.activation == "relu"
    assert (changed.cell.leak, changed.delay) == (0.5, 2)


@pytest.mark.costly
@pytest.mark.parametrize(
    ("wrap", "message"),
    [
        (lambda: Leaky.create(cell_of("gru"), 0.0), "leak must be above 0 and at most 1, got 0.0"),
        (lambda: Leaky.create(cell_of("gru"), 1.5), "leak must be above 0 and at most 1, got 1.5"),
        (lambda: Leaky.create(cell_of("gru"), "a"), "leak must be a finite number, got 'a'"),
        (lambda: Leaky.create(max, 0.5), "cell must be a cell with initial_state and output, got builtin"),
        (lambda: AddedSkip.create(max, 2), "cell must be a cell with initial_state and output, got builtin"),
        (
            lambda: AddedSkip.create(cell_of("gru"), 2, float("nan")),
            "weight must be a finite number, got nan",
        ),
        (lambda: AddedSkip.create(cell_of("gru"), 2, "a"), "weight must be a finite number, got 'a'"),
        (
            lambda: Skip.create(cell_of("gru"), 2, key=3),
            r"key must be a random key such as jax.random.key\(0\), got 3",
        ),
        (
            lambda: AddedSkip.create(cell_of("gru"), 2, jnp.array(jnp.inf)),
            "weight must be a finite number, got Array",
        ),
        (
            lambda: LayerNorm.create(cell_of("gru"), jnp.full((3, HIDDEN), jnp.nan)),
            "gain must be finite, got Array",
        ),
        (lambda: LayerNorm.create(cell_of("gru"), float("nan")), "gain must be a finite number, got nan"),
        (
            lambda: LayerNorm.create(cell_of("gru"), jnp.ones(5)),
            r"gain must be one number or have shape \(gates, hidden_size\) = \(3, \d\), got \(5,\)",
        ),
        (
            lambda: rj.cells.SLSTM.create(2, 3, key=jax.random.key(0), forget_bias=float("nan")),
            "forget_bias must be a finite number, got nan",
        ),
        (lambda: AddedSkip.create(cell_of("gru"), 0), "delay must be a whole number of at least 1, got 0"),
        (
            lambda: Skip.create(cell_of("gru"), True, key=jax.random.key(0)),
            "delay must be a whole number of at least 1, got True",
        ),
        (
            lambda: Skip.create(cell_of("indrnn"), 2, key=jax.random.key(0)),
            "of structure 'elementwise'; IndRNN is 'diagonal': AddedSkip, the remedy added_skip, takes any cell",
        ),
        (lambda: skipping_gru(gain=-1.0), "gain must be at least 0, got -1.0"),
        (lambda: skipping_gru(gain=float("nan")), "gain must be a finite number, got nan"),
        (lambda: Leaky.create(skipping_gru(), 0.5), r"as remedies leaky\+skip"),
        (lambda: Leaky.create(AddedSkip.create(cell_of("gru"), 2), 0.5), r"as remedies leaky\+skip"),
        (lambda: LayerNorm.create(skipping_gru()), r"as remedies layer_norm\+skip"),
        (
            lambda: LayerNorm.create(cell_of("indrnn")),
            "needs a cell with recurrent and update, of structure 'elementwise'; IndRNN is 'diagonal'",
        ),
        (lambda: LayerNorm.create(cell_of("gru_reset_before")), "GRU is 'dense'"),
    ],
)
def test_what_cannot_be_wrapped_is_refused(wrap, message):
    with pytest.raises(ValueError, match=message):
        wrap()


def test_a_skip_connection_starts_from_the_same_net_in_every_dtype():
    wide, narrow = (
        Skip.create(
            rj.cells.create("gru", 2, 4, key=jax.random.key(1), dtype=dtype), 3, key=jax.random.key(2)
        )
        for dtype in (jnp.float64, jnp.bfloat16)
    )
    np.testing.assert_allclose(narrow.weight_skip.astype(jnp.float64), wide.weight_skip, rtol=2**-8)
