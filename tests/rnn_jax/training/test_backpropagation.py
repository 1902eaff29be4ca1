from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

import rnn_jax as rj
from rnn_jax.training.backpropagation import last_states
from rnn_jax.training.model import Model

KEYS = jax.random.split(jax.random.key(11), 6)
BATCH, STEPS, INPUTS, HIDDEN = 3, 4, 2, 5

CELLS = {
    "tanh": partial(rj.cells.Elman.create, activation="tanh"),
    "relu": partial(rj.cells.Elman.create, activation="relu"),
    "identity": partial(rj.cells.Elman.create, activation="identity"),
    "lstm": rj.cells.LSTM.create,
    "gru_after": partial(rj.cells.GRU.create, reset="after"),
    "gru_before": partial(rj.cells.GRU.create, reset="before"),
}


def disturbed(tree, key):
    """No leaf is zero, so that no gradient is by accident."""
    leaves, structure = jax.tree.flatten(tree)
    keys = jax.random.split(key, len(leaves))
    return jax.tree.unflatten(
        structure,
        [leaf + 0.3 * jax.random.normal(k, leaf.shape) for leaf, k in zip(leaves, keys, strict=True)],
    )


def cell_of(name):
    return disturbed(CELLS[name](INPUTS, HIDDEN, key=KEYS[0]), KEYS[1])


def states_of(cell):
    batch = jax.tree.map(lambda leaf: jnp.zeros((BATCH, *leaf.shape)), cell.initial_state())
    return disturbed(batch, KEYS[2])


PATHS = ("auto", "autodiff")
INPUT = jax.random.normal(KEYS[3], (STEPS, BATCH, INPUTS))


def unrolled(cell, state, inputs, count):
    """The same states by a Python loop over examples and steps."""
    examples = []
    for example in range(BATCH):
        here, kept = jax.tree.map(lambda leaf, e=example: leaf[e], state), []
        for x in inputs[:, example]:
            here = cell(here, x)
            kept.append(here)
        examples.append(jax.tree.map(lambda *leaves: jnp.stack(leaves), *kept[len(kept) - count :]))
    return jax.tree.map(lambda *leaves: jnp.stack(leaves, axis=1), *examples)


def score(run, count, cell, state, inputs):
    """A number that reads every entry of every returned state with another weight."""
    leaves = jax.tree.leaves(run(cell, state, inputs, count))
    return sum(
        jnp.sum(jnp.sin(jnp.arange(leaf.size, dtype=leaf.dtype).reshape(leaf.shape) + leaf))
        for leaf in leaves
    )


def assert_close(left, right):
    pairs = zip(jax.tree.leaves_with_path(left), jax.tree.leaves(right), strict=True)
    for (path, got), expected in pairs:
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11, err_msg=jax.tree_util.keystr(path))


@pytest.mark.costly
@pytest.mark.parametrize("count", [1, STEPS])
@pytest.mark.parametrize("name", [name for name in CELLS if name != "gru_before"])
def test_states_and_all_gradients_are_those_of_the_unrolled_net(name, count):
    arguments = (cell_of(name), states_of(cell_of(name)), INPUT)
    assert_close(last_states(*arguments, count), jax.jit(unrolled, static_argnums=3)(*arguments, count))
    by_all = tuple(range(3))
    fast = jax.jit(jax.grad(partial(score, last_states, count), by_all))(*arguments)
    plain = jax.jit(jax.grad(partial(score, unrolled, count), by_all))(*arguments)
    assert_close(fast, plain)
    assert all(np.abs(leaf).max() > 1e-6 for leaf in jax.tree.leaves(fast))


@pytest.mark.costly
def test_the_gradients_are_those_of_finite_differences():
    cell = cell_of("lstm")
    function = jax.jit(partial(score, last_states, 2))
    arguments = (cell, states_of(cell), INPUT)
    gradient = jax.jit(jax.grad(function, (0, 1, 2)))(*arguments)
    along = disturbed(jax.tree.map(jnp.zeros_like, arguments), KEYS[4])
    forth, back = (
        function(*jax.tree.map(lambda at, to, s=sign: at + s * 1e-5 * to, arguments, along))
        for sign in (1.0, -1.0)
    )
    slope = sum(
        jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(along), strict=True)
    )
    assert float(slope) == pytest.approx(float(forth - back) / 2e-5, rel=1e-7)


@pytest.mark.parametrize("name", ["tanh", "gru_after", "lstm"])
def test_vmap_over_seeds_gives_each_its_own_gradient(name):
    cells = [cell_of(name), jax.tree.map(lambda leaf: leaf * 0.5, cell_of(name))]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *cells)
    state = states_of(cells[0])
    gradient = jax.jit(jax.grad(partial(score, last_states, 2)))
    together = jax.vmap(lambda cell: gradient(cell, state, INPUT))(stacked)
    for seed, cell in enumerate(cells):
        plain = jax.jit(jax.grad(partial(score, unrolled, 2)))(cell, state, INPUT)
        assert_close(jax.tree.map(lambda leaf, seed=seed: leaf[seed], together), plain)


@pytest.mark.costly
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", list(CELLS))
def test_vmap_over_nets_and_batches_gives_each_its_own_gradient(name, path):
    """Fewer nets than examples: an axis taken for another would not stay unseen."""

    def model_of(key):
        return disturbed(Model.create(CELLS[name](INPUTS, HIDDEN, key=key), 1, key=key), key)

    models = jax.vmap(model_of)(jax.random.split(KEYS[4], 2))
    inputs = jax.random.normal(KEYS[5], (2, BATCH, STEPS, INPUTS))
    gradient = jax.grad(lambda model, xs: jnp.sum(jnp.sin(model.outputs(xs, 2, path))), (0, 1))
    together = jax.jit(jax.vmap(gradient))(models, inputs)
    alone = [jax.jit(gradient)(*jax.tree.map(lambda leaf, n=n: leaf[n], (models, inputs))) for n in range(2)]
    assert_close(together, jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone))


def test_products_with_all_weights_stand_outside_the_backward_loop():
    """In the loops only (batch, hidden) meets the matrices; dL/dW is one product a gate, over all steps."""
    cell = cell_of("lstm")
    traced = jax.make_jaxpr(jax.grad(partial(score, last_states, 1)))(cell, states_of(cell), INPUT)

    def shapes(jaxpr, inside):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "dot_general":
                yield inside, equation.outvars[0].aval.shape
            for inner in jaxprs_in_params(equation.params):
                yield from shapes(inner, inside or equation.primitive.name == "scan")

    products = list(shapes(traced.jaxpr, False))
    assert any(inside for inside, _ in products)
    assert [inside for inside, shape in products if shape == (HIDDEN, HIDDEN)] == [False] * 4


@pytest.mark.parametrize(
    ("name", "arrays"),
    # i, f, tanh g, o, tanh c', and c and h before the step: no derivative, no pre-activation.
    # tanh z, and h before the step.
    [("lstm", 7), ("tanh", 2)],
)
def test_what_is_stored_a_step_is_the_activations_and_the_state(name, arrays):
    cell = cell_of(name)
    _, pull = jax.vjp(lambda cell: last_states(cell, states_of(cell), INPUT, 1), cell)
    shapes = [leaf.shape for leaf in jax.tree.leaves(pull) if leaf.ndim > 2 and leaf.shape[0] == STEPS]
    assert shapes.count((STEPS, BATCH, HIDDEN)) == arrays
    assert sum(np.prod(shape) for shape in shapes) == arrays * STEPS * BATCH * HIDDEN + INPUT.size


@pytest.mark.costly
def test_forward_mode_works_on_the_plain_path_and_the_other_says_that_it_does_not():
    model = disturbed(Model.create(cell_of("lstm"), 1, key=KEYS[4]), KEYS[5])
    inputs = jnp.swapaxes(INPUT, 0, 1)
    along = disturbed(jax.tree.map(jnp.zeros_like, model), KEYS[2])

    def plain(model):
        return jnp.sum(model.outputs(inputs, 2, "autodiff") ** 2)

    tangent = jax.jit(lambda: jax.jvp(plain, (model,), (along,))[1])()
    gradient = jax.jit(jax.grad(lambda model: jnp.sum(model.outputs(inputs, 2) ** 2)))(model)
    slope = sum(
        jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(along), strict=True)
    )
    assert float(tangent) == pytest.approx(float(slope), rel=1e-11)
    with pytest.raises(TypeError, match=r"forward-mode autodiff .* custom_vjp"):
        jax.jvp(lambda model: jnp.sum(model.outputs(inputs, 2)), (model,), (along,))


@pytest.mark.costly
@pytest.mark.parametrize("steps", [3])
@pytest.mark.parametrize("name", list(CELLS))
def test_a_model_gives_the_same_outputs_and_gradients_on_both_paths(name, steps):
    model = disturbed(Model.create(CELLS[name](INPUTS, HIDDEN, key=KEYS[0]), 3, key=KEYS[4]), KEYS[5])
    inputs = jnp.swapaxes(INPUT, 0, 1)
    paths = [jax.jit(partial(Model.outputs, target_steps=steps, backpropagation=path)) for path in PATHS]
    fast, plain = (path(model, inputs) for path in paths)
    assert fast.shape == (BATCH, steps, 3)
    assert_close(fast, plain)
    by_both = [
        jax.jit(jax.grad(lambda model, inputs, path=path: jnp.sum(path(model, inputs) ** 3), (0, 1)))
        for path in paths
    ]
    assert_close(*(gradient(model, inputs) for gradient in by_both))


def test_a_cell_that_is_not_elementwise_keeps_plain_autodiff_and_so_its_forward_mode():
    model = Model.create(cell_of("gru_before"), 1, key=KEYS[4])
    inputs = jnp.swapaxes(INPUT, 0, 1)
    along = jax.tree.map(jnp.ones_like, model)
    _, tangent = jax.jvp(lambda model: jnp.sum(model.outputs(inputs, 1)), (model,), (along,))
    assert np.isfinite(tangent)


def test_an_unknown_way_is_refused():
    model = Model.create(cell_of("tanh"), 1, key=KEYS[4])
    with pytest.raises(ValueError, match="backpropagation must be 'auto' or 'autodiff', got 'fast'"):
        model.outputs(jnp.swapaxes(INPUT, 0, 1), 1, "fast")
    with pytest.raises(ValueError, match="backpropagation must be 'auto' or 'autodiff', got 3"):
        rj.train(rj.tasks.Adding(10), lambda key: cell_of("tanh"), key=KEYS[0], backpropagation=3)  # pyright: ignore


@pytest.mark.costly
def test_training_is_the_same_on_both_paths(jax_promotes):
    runs = [
        rj.train(
            rj.tasks.Adding(10),
            lambda key: CELLS["gru_after"](2, 4, key=key, dtype=jnp.float64),
            key=KEYS[0],
            seeds=2,
            batch_size=4,
            step_budget=6,
            evaluate_every=6,
            backpropagation=path,
        )
        for path in PATHS
    ]
    for part in ("loss", "gradient_norm", "evaluation_loss", "evaluation_accuracy"):
        np.testing.assert_allclose(getattr(runs[0], part), getattr(runs[1], part), rtol=1e-6)
