"""What must hold of every cell, whatever its equations: against jacrev of the unrolled net, by finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_jax as rj
from rnn_jax.coordinates import ravel_reals

LENGTH = 30
STACKS = {
    "stacked lstm, lru": lambda key: rj.cells.Stack.create(
        [
            rj.cells.create("lstm", 2, 3, key=key),
            rj.cells.create("lru", 3, 3, key=jax.random.fold_in(key, 1)),
            rj.cells.create("slstm", 3, 3, key=jax.random.fold_in(key, 2)),
        ],
        normalized=True,
        skip=True,
    ),
    "stacked gru, cornn": lambda key: rj.cells.Stack.create(
        [
            rj.cells.create("gru", 2, 4, key=key),
            rj.cells.create("cornn", 4, 3, key=jax.random.fold_in(key, 1)),
        ]
    ),
}
NAMES = [*rj.cells.CELLS, *STACKS]


def disturbed(name):
    """A cell with every weight off its initial value, and a state with every number away from zero."""
    key = jax.random.key(5)
    cell = STACKS[name](key) if name in STACKS else rj.cells.create(name, 2, 3, key=key)
    keys = iter(jax.random.split(jax.random.key(6), 80))

    def noise(leaf):
        return leaf + 0.3 * jax.random.uniform(next(keys), leaf.shape, leaf.dtype, 0.1, 1)

    return jax.tree.map(noise, cell), jax.tree.map(noise, cell.initial_state())


@pytest.fixture(scope="module")
def inputs():
    return jax.random.normal(jax.random.key(7), (LENGTH, 2))


@pytest.mark.costly
@pytest.mark.parametrize("name", NAMES)
def test_a_chain_is_jacrev_of_the_whole_net_at_every_lag(name, inputs, end_jacobians):
    cell, state = disturbed(name)
    whole = end_jacobians(cell, state, inputs, LENGTH)[::-1]
    last, rebuild = ravel_reals(jax.tree.map(lambda leaf: leaf[-1], rj.trajectory(cell, state, inputs)))
    visible = np.asarray(jax.jacrev(lambda vector: cell.output(rebuild(vector)))(last)) @ whole
    chain = rj.jacobian_chain(cell, state, inputs, norms=("frobenius", "spectral"), output=cell.output)
    for norm, matrices, order in (
        (chain.log_frobenius_norm, whole, "fro"),
        (chain.log_spectral_norm, whole, 2),
        (chain.log_output_norm, visible, "fro"),
    ):
        np.testing.assert_allclose(norm, np.log(np.linalg.norm(matrices, order, axis=(1, 2))), atol=1e-9)
    for lag in (0, 1, LENGTH):
        product = chain.product(lag)
        np.testing.assert_allclose(
            np.ldexp(product.mantissa, product.exponent[:, None]),
            whole[lag],
            rtol=1e-9,
            atol=1e-12 * np.abs(whole[lag]).max(),
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_step_under_jit_and_vmap_is_the_step(name, inputs):
    cell, state = disturbed(name)
    xs = inputs[:3]
    together = jax.jit(jax.vmap(lambda cell, state, x: cell(state, x), in_axes=(None, None, 0)))(
        cell, state, xs
    )
    for place, x in enumerate(xs):
        for batched, alone in zip(jax.tree.leaves(together), jax.tree.leaves(cell(state, x)), strict=True):
            np.testing.assert_allclose(batched[place], alone, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_by_every_weight_is_that_of_finite_differences(name, inputs):
    cell, state = disturbed(name)
    weights, rebuild = ravel_reals(cell)

    @jax.jit
    def loss(weights):
        cell = rebuild(weights)
        return jnp.sum(
            jnp.sin(cell.output(jax.lax.scan(lambda h, x: (cell(h, x), None), state, inputs[:6])[0]))
        )

    direction = jax.random.normal(jax.random.key(8), weights.shape)
    slope = jnp.dot(jax.grad(loss)(weights), direction)
    step = 1e-5
    difference = (loss(weights + step * direction) - loss(weights - step * direction)) / (2 * step)
    np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", [*rj.cells.CELLS, "stacked lstm, lru"])
def test_its_parameters_are_saved_and_loaded(name, tmp_path):
    cell, _ = disturbed(name)
    path = tmp_path / "cell.npz"
    rj.cells.save(path, cell)
    read = rj.cells.load(path, jax.tree.map(jnp.zeros_like, cell))
    for ours, theirs in zip(jax.tree.leaves(cell), jax.tree.leaves(read), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["mgu", "s5"])
def test_a_cell_of_16_bits_is_saved_and_loaded(name, tmp_path):
    """NumPy's format has no name for bfloat16."""
    cell = rj.cells.create(name, 2, 3, key=jax.random.key(0), dtype=jnp.bfloat16)
    rj.cells.save(tmp_path / "cell.npz", cell)
    read = rj.cells.load(tmp_path / "cell.npz", jax.tree.map(jnp.zeros_like, cell))
    for ours, theirs in zip(jax.tree.leaves(cell), jax.tree.leaves(read), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_a_file_of_a_cell_with_other_options_is_refused(tmp_path):
    """They are no arrays: the weights would fit, and the net would be another one."""
    path = tmp_path / "cell.npz"
    rj.cells.save(path, rj.cells.create("unicornn", 2, 3, key=jax.random.key(0)))
    with pytest.raises(ValueError, match=r"\.dt is 0\.19 in .*, but 0\.5 in the cell"):
        rj.cells.load(path, rj.cells.create("unicornn", 2, 3, key=jax.random.key(0), dt=0.5))
    below = [rj.cells.create("elman_tanh", 2, 3, key=jax.random.key(0))]
    rj.cells.save(path, rj.cells.Stack.create(below))
    other = [rj.cells.create("elman_relu", 2, 3, key=jax.random.key(0))]
    with pytest.raises(ValueError, match=r"activation is 'tanh' in .*, but 'relu' in the cell"):
        rj.cells.load(path, rj.cells.Stack.create(other))


def test_a_file_that_says_nothing_of_options_is_read(tmp_path):
    """As files were before options stood in them."""
    cell = rj.cells.create("lstm", 2, 3, key=jax.random.key(0))
    arrays = {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree.leaves_with_path(cell)}
    np.savez(tmp_path / "cell.npz", **arrays)
    read = rj.cells.load(tmp_path / "cell.npz", jax.tree.map(jnp.zeros_like, cell))
    np.testing.assert_array_equal(read.weight_hh, cell.weight_hh)


def test_a_file_of_another_cell_is_refused(tmp_path):
    path = tmp_path / "cell.npz"
    rj.cells.save(path, rj.cells.create("lstm", 2, 3, key=jax.random.key(0)))
    with pytest.raises(
        ValueError, match=r"\.weight_hh is \(12, 3\) float64 .* but \(16, 4\) float64 in the cell"
    ):
        rj.cells.load(path, rj.cells.create("lstm", 2, 4, key=jax.random.key(0)))
    with pytest.raises(ValueError, match="but a LEM has"):
        rj.cells.load(path, rj.cells.create("lem", 2, 3, key=jax.random.key(0)))
    with pytest.raises(ValueError, match=r"must end in \.npz"):
        rj.cells.save(tmp_path / "cell", rj.cells.create("lstm", 2, 3, key=jax.random.key(0)))


@pytest.mark.parametrize("name", ["mingru", "minlstm", "lru", "s5", "selective_ssm"])
def test_in_parallel_over_time_is_the_sequential_run(name, inputs):
    cell, state = disturbed(name)
    sequential = rj.trajectory(cell, state, inputs)
    parallel = rj.parallel_trajectory(cell, state, inputs)
    assert jax.tree.structure(sequential) == jax.tree.structure(parallel)
    for ours, theirs in zip(jax.tree.leaves(parallel), jax.tree.leaves(sequential), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["mingru", "lru", "s5", "selective_ssm"])
def test_in_parallel_over_time_16_bits_stay_16_bits(name, inputs):
    """JAX has no complex numbers of 16 bits."""
    cell, state = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), disturbed(name))
    xs = inputs[:6].astype(jnp.bfloat16)
    pairs = zip(
        jax.tree.leaves(rj.parallel_trajectory(cell, state, xs)),
        jax.tree.leaves(rj.trajectory(cell, state, xs)),
        strict=True,
    )
    for ours, theirs in pairs:
        assert ours.dtype == jnp.bfloat16
        np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=0.1, atol=0.1)


def test_a_cell_that_is_not_linear_is_not_run_in_parallel(inputs):
    cell, state = disturbed("gru")
    with pytest.raises(ValueError, match=r"linear in its state.*GRU is not; use rnn_jax\.trajectory"):
        rj.parallel_trajectory(cell, state, inputs)


def kept_in_part(parameters, state, x):
    """A step that does not differentiate through the leaves of the state that are not kept."""
    cell, kept = parameters
    leaves, structure = jax.tree.flatten(state)
    chosen = [
        jnp.where(keep, leaf, jax.lax.stop_gradient(leaf)) for keep, leaf in zip(kept, leaves, strict=True)
    ]
    return cell(jax.tree.unflatten(structure, chosen), x)


@pytest.mark.costly
@pytest.mark.parametrize("name", ["lstm", "slstm"])
def test_a_chain_covers_every_part_of_the_state(name, inputs):
    """Dropping any leaf of the state, as a chain over h alone would, gives other norms."""
    cell, state = disturbed(name)
    count = len(jax.tree.leaves(state))

    def norms(kept):
        step = jax.tree_util.Partial(kept_in_part, (cell, kept))
        return rj.jacobian_chain(step, state, inputs).log_frobenius_norm

    whole = rj.jacobian_chain(cell, state, inputs).log_frobenius_norm
    np.testing.assert_allclose(norms(np.full(count, True)), whole, atol=1e-10)
    for place in range(count):
        assert np.abs(norms(np.arange(count) != place) - whole)[1:].max() > 1e-3


@pytest.mark.costly
@pytest.mark.usefixtures("jax_promotes")
@pytest.mark.parametrize("name", ["slstm", "antisymmetric", "lem", "lru", "gated_deltanet", "selective_ssm"])
def test_training_takes_every_cell(name):
    result = rj.train(
        rj.tasks.Adding(length=10),
        lambda key: rj.cells.create(name, 2, 4, key=key),
        key=jax.random.key(0),
        seeds=2,
        batch_size=4,
        optimizer=optax.adam(1e-2),
        step_budget=4,
        evaluate_every=4,
    )
    assert np.isfinite(result.loss).all()
