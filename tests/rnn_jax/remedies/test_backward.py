from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import rnn_jax as rj
from rnn_jax.remedies import added_skip, clip_per_step, truncated_bptt
from rnn_jax.training.model import Model

BATCH, LENGTH, HIDDEN = 3, 9, 4


def model_of(name, gain=1.0):
    cell_key, readout_key = jax.random.split(jax.random.key(5))
    cell = rj.cells.create(name, 2, HIDDEN, key=cell_key, gain=gain, dtype=jnp.float64)
    return Model.create(cell, 1, key=readout_key)


@pytest.fixture
def inputs():
    return jax.random.normal(jax.random.key(6), (BATCH, LENGTH, 2), jnp.float64)


def loss_through(model, inputs, remedy, steps=LENGTH):
    """Mean over sequences of the summed squares of the last outputs."""
    adapt = None if remedy is None else remedy.adapt_step
    outputs = model.outputs(inputs, steps, "autodiff", adapt)
    return jnp.mean(jnp.sum(jnp.square(outputs), axis=(1, 2)))


def flat_gradient(model, inputs, remedy, steps=LENGTH):
    differentiate = jax.jit(jax.grad(lambda model: loss_through(model, inputs, remedy, steps)))
    return ravel_pytree(differentiate(model))[0]


def clipped_by_hand(model, sequence, threshold):
    """Gradients of a tanh net's recurrent, input weights and bias for one sequence, in NumPy."""
    w, u, b = (np.asarray(a) for a in (model.cell.weight_hh, model.cell.weight_xh, model.cell.bias))
    out, shift, sequence = np.asarray(model.weight), np.asarray(model.bias), np.asarray(sequence)
    states = [np.zeros(HIDDEN)]
    for x in sequence:
        states.append(np.tanh(w @ states[-1] + u @ x + b))
    by_w, by_u, by_b = np.zeros_like(w), np.zeros_like(u), np.zeros_like(b)
    from_later, lengths = np.zeros(HIDDEN), []
    for t in range(LENGTH, 0, -1):
        total = from_later + out.T @ (2 * (out @ states[t] + shift))
        lengths.append(np.linalg.norm(total))
        total = total * min(1, threshold / lengths[-1])
        before = total * (1 - states[t] ** 2)
        by_w += np.outer(before, states[t - 1])
        by_u += np.outer(before, sequence[t - 1])
        by_b += before
        from_later = w.T @ before
    return by_w, by_u, by_b, np.array(lengths)


@pytest.mark.costly
def test_clipping_per_step_equals_a_backward_pass_written_by_hand(inputs):
    model, threshold = model_of("elman_tanh", 2.0), 1.5
    differentiate = jax.jit(jax.grad(lambda model: loss_through(model, inputs, clip_per_step(threshold))))
    gradient = differentiate(model)
    by_hand = [clipped_by_hand(model, sequence, threshold) for sequence in inputs]
    lengths = np.concatenate([each[3] for each in by_hand])
    assert (lengths > threshold).any()
    assert (lengths < threshold).any()
    for got, each in zip(
        (gradient.cell.weight_hh, gradient.cell.weight_xh, gradient.cell.bias), range(3), strict=True
    ):
        np.testing.assert_allclose(got, np.mean([hand[each] for hand in by_hand], axis=0), rtol=1e-12)


@pytest.mark.costly
def test_the_norm_is_that_of_all_leaves_of_a_state(inputs):
    # After one step the gradient of an LSTM's input weights goes through dL/d(h, c), scaled as a whole.
    model, one = model_of("lstm"), inputs[:1, :1]

    def through_cell(model, remedy):
        return jnp.sum(model.outputs(one, 1, "autodiff", remedy and remedy.adapt_step))

    plain, clipped = (
        ravel_pytree(jax.jit(jax.grad(through_cell), static_argnums=1)(model, remedy).cell)[0]
        for remedy in (None, clip_per_step(0.01))
    )
    # d sum(y) / dh is the readout's row; nothing is read from c.
    expected = plain * 0.01 / np.linalg.norm(model.weight)
    np.testing.assert_allclose(clipped, expected, rtol=1e-12)


def test_an_empty_leaf_of_a_state_has_no_part_in_the_norm(inputs):
    """That of a skip connection over one step, which keeps no states before the last."""
    model = model_of("elman_tanh")
    skipping = replace(model, cell=added_skip(1).adapt_cell(model.cell, jax.random.key(0)))
    assert 0 in [leaf.size for leaf in jax.tree.leaves(skipping.cell.initial_state())]
    remedy = clip_per_step(1e9)
    got, plain = (
        ravel_pytree(jax.grad(lambda model, remedy=remedy: loss_through(model, inputs, remedy))(skipping))[0]
        for remedy in (remedy, None)
    )
    np.testing.assert_allclose(got, plain, rtol=1e-10, atol=1e-14)


@pytest.mark.costly
@pytest.mark.parametrize(("name", "steps"), [("lstm", 4), ("gru_reset_before", 1)])
def test_a_large_threshold_and_a_long_chunk_change_nothing(name, steps, inputs):
    model = model_of(name)
    remedy = clip_per_step(1e9) + truncated_bptt(LENGTH)
    both = jax.jit(jax.value_and_grad(lambda model: loss_through(model, inputs, remedy, steps)))
    plain = jax.jit(jax.value_and_grad(lambda model: loss_through(model, inputs, None, steps)))
    jax.tree.map(
        lambda left, right: np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-14),
        both(model),
        plain(model),
    )


def test_clipping_per_step_holds_a_gradient_whose_square_overflows(inputs):
    model = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), model_of("elman_identity"))
    model = replace(model, cell=replace(model.cell, weight_hh=3 * jnp.eye(HIDDEN, dtype=jnp.float32)))
    long = jnp.tile(inputs.astype(jnp.float32), (1, 8, 1)) * 1e-30

    def largest(remedy):
        def loss(model):
            return jnp.mean(model.outputs(long, 1, "autodiff", remedy and remedy.adapt_step))

        return float(jnp.linalg.norm(jax.jit(jax.grad(loss))(model).cell.bias / 1e20)) * 1e20

    assert largest(None) > 1e30
    # 72 steps, each with a gradient of at most 1 by the pre-activation, all but the last few clipped.
    assert 60 < largest(clip_per_step(1.0)) < 72.01


def test_a_gradient_that_is_not_finite_is_not_hidden(inputs):
    model = model_of("elman_tanh")

    def loss(model):
        outputs = model.outputs(inputs, 1, "autodiff", clip_per_step(1.0).adapt_step)
        return jnp.sum(outputs) * jnp.inf

    assert not np.isfinite(jax.grad(loss)(model).cell.bias).all()


@pytest.mark.parametrize("length", [1, 4])
def test_truncation_leaves_the_gradient_of_the_last_steps_alone(length, inputs):
    """A loss at the end sees the last k steps: as a net started in the state before them."""
    model = model_of("gru")
    states = jax.vmap(lambda xs: rj.trajectory(model.cell, model.cell.initial_state(), xs))(inputs)
    start = states[:, LENGTH - length]

    def loss_of_the_rest(model):
        def one(state, xs):
            for x in xs:
                state = model.cell(state, x)
            return jnp.sum(jnp.square(model.readout(state)))

        return jnp.mean(jax.vmap(one)(start, inputs[:, LENGTH - length :]))

    expected = ravel_pytree(jax.jit(jax.grad(loss_of_the_rest))(model))[0]
    got = flat_gradient(model, inputs, truncated_bptt(length), 1)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-15)


def test_truncation_sums_over_chunks_counted_from_the_end(inputs):
    """9 steps in chunks of 4: 1, 4 and 4 steps; every output reaches back to the start of its chunk."""
    model = model_of("elman_tanh")
    states = jax.vmap(lambda xs: rj.trajectory(model.cell, model.cell.initial_state(), xs))(inputs)

    def loss_in_chunks(model):
        def one(states, xs):
            total = 0.0
            for first, last in ((0, 1), (1, 5), (5, 9)):
                state = states[first]
                for t in range(first, last):
                    state = model.cell(state, xs[t])
                    total += jnp.sum(jnp.square(model.readout(state)))
            return total

        return jnp.mean(jax.vmap(one)(states, inputs))

    expected = ravel_pytree(jax.jit(jax.grad(loss_in_chunks))(model))[0]
    np.testing.assert_allclose(flat_gradient(model, inputs, truncated_bptt(4.0)), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("make", "value", "message"),
    [
        (clip_per_step, 0.0, "threshold must be positive, got 0.0"),
        (truncated_bptt, 0, "steps must be a whole number of at least 1, got 0"),
        (truncated_bptt, 2.5, "steps must be a whole number of at least 1, got 2.5"),
    ],
)
def test_a_strength_that_is_not_allowed_is_refused(make, value, message):
    with pytest.raises(ValueError, match=message):
        make(value)


def test_a_traced_number_of_steps_is_refused():
    with pytest.raises(ValueError, match="steps must be a concrete whole number, got a traced one"):
        jax.jit(lambda steps: truncated_bptt(steps).strength)(3.0)
