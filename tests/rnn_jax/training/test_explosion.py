from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_jax as rj
from rnn_jax.training.run import training_batch

KEY = jax.random.key(7)
BATCH, LENGTH, SEEDS = 6, 20, 3


@pytest.fixture(scope="module")
def result():
    """Linear nets with steps so large that every seed breaks, at a step of its own."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return rj.train(
            rj.tasks.Adding(LENGTH),
            lambda key: rj.cells.create("elman_identity", 2, 4, key=key, dtype=jnp.float32),
            key=KEY,
            seeds=SEEDS,
            batch_size=BATCH,
            optimizer=optax.sgd(0.3),
            step_budget=100,
            evaluate_every=50,
        )


def data_key(seed):
    return jax.random.split(jax.random.fold_in(KEY, seed), 3)[2]


def quantities(model, batch):
    """Which of loss and gradient are finite on a batch, by plain autodiff of a Python loop over steps."""

    @jax.jit
    @jax.value_and_grad
    def loss_and_gradient(model):
        state = jnp.zeros((BATCH, 4), jnp.float32)
        for x in jnp.swapaxes(batch.inputs, 0, 1):
            state = jax.vmap(model.cell)(state, x)
        return jnp.mean((state @ model.weight.T + model.bias[None] - batch.targets[:, 0]) ** 2)

    loss, gradient = loss_and_gradient(model)
    return {
        "loss": bool(np.isfinite(loss)),
        "gradient": all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient)),
    }


@pytest.mark.costly
def test_it_draws_the_very_batch_that_broke_the_seed(result):
    assert (result.first_nonfinite_step > 1).all()
    for seed in range(SEEDS):
        seen = rj.explosion(result, seed, lags=[0, 1])
        assert seen.step == result.first_nonfinite_step[seed]
        assert seen.quantity == result.first_nonfinite_quantity[seed]
        expected = result.task.sample(jax.random.fold_in(data_key(seed), seen.step - 1), BATCH, jnp.float32)
        np.testing.assert_allclose(seen.batch.inputs, expected.inputs, rtol=1e-6)
        np.testing.assert_allclose(seen.batch.targets, expected.targets, rtol=1e-6)
        finite = quantities(seen.model, seen.batch)
        assert next(name for name, is_finite in finite.items() if not is_finite) == seen.quantity


@pytest.mark.costly
def test_the_step_before_on_its_own_batch_was_finite(result):
    seen = rj.explosion(result, 0, lags=[0])
    before = training_batch(result.task, result.data_keys[0], seen.step - 2, BATCH, jnp.float32)
    assert not np.array_equal(before.inputs, seen.batch.inputs)
    assert seen.steps.tolist() == list(range(max(1, seen.step - 19), seen.step + 1))
    np.testing.assert_array_equal(seen.loss, result.loss[0, seen.steps - 1])
    np.testing.assert_array_equal(seen.gradient_norm, result.gradient_norm[0, seen.steps - 1])
    assert np.isfinite(seen.loss[:-1]).all()


@pytest.fixture(scope="module")
def exploding_tanh():
    """A tanh net whose weights were driven far out: chains that differ from sequence to sequence."""

    def create(key):
        return rj.cells.create("elman_tanh", 2, 8, key=key, gain=2.0, dtype=jnp.float32)

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return rj.train(
            rj.tasks.Adding(LENGTH),
            create,
            key=KEY,
            seeds=1,
            batch_size=BATCH,
            optimizer=optax.chain(optax.scale(1e30), optax.sgd(1e30)),
            step_budget=2,
            evaluate_every=2,
        )


@pytest.mark.costly
def test_its_norms_are_those_of_jacobian_chain_worst_sequence_first(exploding_tanh):
    lags = [0, 1, 5, LENGTH]
    seen = rj.explosion(exploding_tanh, lags=lags)
    assert (seen.step, seen.quantity) == (1, "update")
    assert sorted(seen.sequences.tolist()) == list(range(BATCH))
    norms = {}
    for place, sequence in enumerate(seen.sequences):
        cell = seen.model.cell
        chain = rj.jacobian_chain(
            cell, cell.initial_state(), seen.batch.inputs[sequence], lags, norms=("frobenius", "spectral")
        )
        np.testing.assert_allclose(seen.chain.log_frobenius_norm[place], chain.log_frobenius_norm, atol=1e-5)
        np.testing.assert_allclose(seen.chain.log_spectral_norm[place], chain.log_spectral_norm, atol=1e-5)
        norms[int(sequence)] = float(np.max(chain.log_spectral_norm))
    assert [norms[int(each)] for each in seen.sequences] == sorted(norms.values(), reverse=True)
    assert len(set(norms.values())) == BATCH
    np.testing.assert_array_equal(seen.chain.lags, lags)
    few = rj.explosion(exploding_tanh, sequences=2, lags=lags)
    np.testing.assert_array_equal(few.sequences, seen.sequences[:2])
    np.testing.assert_array_equal(few.chain.log_spectral_norm, seen.chain.log_spectral_norm[:2])


@pytest.mark.costly
def test_lags_are_geometric_up_to_the_whole_sequence_if_none_are_chosen(exploding_tanh):
    lags = np.asarray(rj.explosion(exploding_tanh, sequences=1).chain.lags)
    assert lags[0] == 0
    assert lags[-1] == LENGTH
    assert (np.diff(lags) > 0).all()


def test_a_seed_that_stayed_finite_or_is_not_there_is_refused(result, exploding_tanh):
    calm = partial(rj.explosion, replaced(result, [-1, 4, -1]))
    with pytest.raises(ValueError, match=r"stayed finite for all of its .* choose among \[1\]"):
        calm(0)
    with pytest.raises(ValueError, match="no seed of this run did"):
        rj.explosion(replaced(result, [-1, -1, -1]), 2)
    with pytest.raises(ValueError, match=r"seed must lie in 0\.\.0, got 1"):
        rj.explosion(exploding_tanh, 1)
    with pytest.raises(ValueError, match=r"sequences must lie in 1\.\.6, the batch size, got 7"):
        rj.explosion(exploding_tanh, sequences=7)
    with pytest.raises(ValueError, match=r"lags must lie in 0\.\.20"):
        rj.explosion(exploding_tanh, lags=[0, 21])


def replaced(result, steps):
    return replace(result, first_nonfinite_step=np.array(steps))


class Unhashable(rj.tasks.Adding):
    __hash__ = None


def test_a_task_that_cannot_be_hashed_is_drawn_from_too(result):
    there = replace(result, task=Unhashable(LENGTH))
    np.testing.assert_array_equal(
        rj.explosion(there, lags=[1]).batch.inputs, rj.explosion(result, lags=[1]).batch.inputs
    )


def test_it_takes_numpys_integers_and_no_truth_values(result):
    assert rj.explosion(result, int(np.int64(1)), sequences=1, lags=[1]).sequences.shape == (1,)
    with pytest.raises(ValueError, match=r"sequences must lie in 1\.\.6, the batch size, got True"):
        rj.explosion(result, sequences=True, lags=[1])
    with pytest.raises(ValueError, match=r"lags must lie in 0\.\.20"):
        rj.explosion(result, lags=[21])
