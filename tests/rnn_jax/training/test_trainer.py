from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import rnn_jax as rj
from rnn_jax.remedies import clip_by_norm
from rnn_jax.tasks import Adding, Copy
from rnn_jax.training.model import Model

KEY = jax.random.key(7)
TASK = Adding(10)


def tanh_net(key, dtype=jnp.float32):
    return rj.cells.create("elman_tanh", 2, 4, key=key, dtype=dtype)


def train(task=TASK, create=tanh_net, **options):
    """`rj.train` with ordinary promotion: optax's optimisers mix dtypes and ranks."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return rj.train(task, create, **{"key": KEY, "batch_size": 8, **options})


def leaves_equal(left, right):
    return all(
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    )


# Against a training loop written by hand


def forward(parameters, inputs):
    """The last visible state of one sequence through the readout, step by step."""
    cell, weight, bias = parameters
    state = cell.initial_state()
    for x in inputs:
        state = cell(state, x)
    return weight @ state + bias


def keys_of(seed):
    """For the cell, the readout and the data."""
    return jax.random.split(jax.random.fold_in(KEY, seed), 3)


def loop_by_hand(model, seed, steps, optimizer):
    """Losses, gradient norms and final parameters of plain training in float64."""
    data_key = keys_of(seed)[2]
    parameters = (model.cell, model.weight, model.bias)

    @jax.jit
    @jax.value_and_grad
    def loss_and_gradient(parameters, inputs, targets):
        outputs = jax.vmap(lambda sequence: forward(parameters, sequence))(inputs)
        return jnp.mean((outputs - targets[:, 0]) ** 2)

    update = jax.jit(optimizer.update)
    memory, curve = optimizer.init(parameters), []
    for step in range(steps):
        batch = TASK.sample(jax.random.fold_in(data_key, step), 8, jnp.float64)
        loss, gradient = loss_and_gradient(parameters, batch.inputs, batch.targets)
        curve.append((loss, jnp.linalg.norm(ravel_pytree(gradient)[0])))
        updates, memory = update(gradient, memory, parameters)
        parameters = optax.apply_updates(parameters, updates)
    return np.array(curve), parameters


@pytest.fixture(scope="module")
def progress():
    return []


@pytest.fixture(scope="module")
def clipped_run(progress):
    """25 steps of two seeds, scored every 10."""
    return train(
        create=lambda key: tanh_net(key, jnp.float64),
        seeds=2,
        optimizer=optax.adam(1e-2),
        remedy=clip_by_norm(0.5),
        step_budget=25,
        evaluate_every=10,
        on_progress=lambda steps, losses: progress.append((steps, losses.copy())),
    )


@pytest.mark.costly
def test_it_trains_as_a_plain_loop_written_by_hand_does(clipped_run, jax_promotes):
    optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(1e-2))
    for seed in range(2):
        start = jax.tree.map(lambda leaf, seed=seed: leaf[seed], clipped_run.initial_model)
        curve, (cell, weight, bias) = loop_by_hand(start, seed, 25, optimizer)
        np.testing.assert_allclose(clipped_run.loss[seed], curve[:, 0], rtol=1e-6)
        np.testing.assert_allclose(clipped_run.gradient_norm[seed], curve[:, 1], rtol=1e-6)
        model = jax.tree.map(lambda leaf, seed=seed: leaf[seed], clipped_run.model)
        np.testing.assert_allclose(model.cell.weight_hh, cell.weight_hh, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(model.cell.weight_xh, cell.weight_xh, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(model.weight, weight, rtol=1e-8)
        np.testing.assert_allclose(model.bias, bias, rtol=1e-8)


@pytest.mark.costly
def test_a_budget_that_is_no_multiple_of_the_evaluations_is_kept_to_the_step(clipped_run):
    assert clipped_run.loss.shape == clipped_run.gradient_norm.shape == (2, 25)
    assert np.isfinite(clipped_run.loss).all()
    assert clipped_run.steps_run.tolist() == [25, 25]
    assert clipped_run.evaluation_steps.tolist() == [10, 20, 25]
    assert clipped_run.evaluation_loss.shape == clipped_run.evaluation_accuracy.shape == (2, 3)
    np.testing.assert_array_equal(clipped_run.final_loss, clipped_run.evaluation_loss[:, -1])
    np.testing.assert_array_equal(clipped_run.final_accuracy, clipped_run.evaluation_accuracy[:, -1])


def test_progress_is_told_after_each_block_with_the_loss_of_its_last_step(clipped_run, progress):
    assert [steps for steps, _ in progress] == [10, 20, 25]
    for steps, losses in progress:
        np.testing.assert_array_equal(losses, clipped_run.loss[:, steps - 1])


@pytest.mark.costly
def test_the_score_is_the_loss_on_examples_of_the_task(clipped_run):
    batch = TASK.sample(jax.random.key(99), 2_000, jnp.float64)
    for seed in range(2):
        model = jax.tree.map(lambda leaf, seed=seed: leaf[seed], clipped_run.model)
        outputs = jax.vmap(lambda inputs, model=model: model(inputs, 1))(batch.inputs)
        assert clipped_run.final_loss[seed] == pytest.approx(float(TASK.loss(outputs, batch)), rel=0.15)
        accuracy = float(TASK.accuracy(outputs, batch))
        assert clipped_run.final_accuracy[seed] == pytest.approx(accuracy, abs=0.04)


def test_every_seed_begins_with_its_own_cell_and_readout(clipped_run):
    for seed in range(2):
        cell_key, readout_key, _ = keys_of(seed)
        start = jax.tree.map(lambda leaf, seed=seed: leaf[seed], clipped_run.initial_model)
        # Up to an ulp of float32: a compiled draw rounds differently.
        np.testing.assert_allclose(start.cell.weight_hh, tanh_net(cell_key).weight_hh, rtol=1e-6)
        np.testing.assert_allclose(
            start.weight, jax.random.normal(readout_key, (1, 4), jnp.float32) / 2, rtol=1e-6
        )
        np.testing.assert_array_equal(start.bias, [0.0])


def test_a_run_without_trouble_says_so(clipped_run):
    assert clipped_run.first_nonfinite_step.tolist() == [-1, -1]
    assert clipped_run.first_nonfinite_quantity == ["", ""]
    assert clipped_run.steps_to_solve.tolist() == [-1, -1]
    assert clipped_run.baseline == pytest.approx(1 / 6, rel=0.02)
    for verdict, loss in zip(clipped_run.verdict, clipped_run.final_loss, strict=True):
        assert verdict == ("at_baseline" if loss >= 0.9 * clipped_run.baseline else "better_than_baseline")


# Solved


@dataclass(frozen=True)
class EasyAdding(Adding):
    """Solved as soon as the loss is a little under the variance of the target."""

    def is_solved(self, loss, accuracy):
        return loss < 0.16


@pytest.fixture(scope="module")
def easy_run():
    return train(
        EasyAdding(10),
        seeds=3,
        batch_size=16,
        optimizer=optax.adam(2e-2),
        step_budget=1_000,
        evaluate_every=10,
    )


@pytest.mark.costly
def test_a_seed_stops_when_it_is_solved_and_the_ensemble_when_all_are(easy_run):
    assert easy_run.verdict == ["solved"] * 3
    assert len(set(easy_run.steps_to_solve.tolist())) > 1  # so one had to wait for another
    np.testing.assert_array_equal(easy_run.steps_run, easy_run.steps_to_solve)
    assert easy_run.loss.shape[1] == easy_run.steps_to_solve.max() < 1_000
    for seed, steps in enumerate(easy_run.steps_to_solve):
        assert np.isfinite(easy_run.loss[seed, :steps]).all()
        assert np.isnan(easy_run.loss[seed, steps:]).all()
        evaluated = np.searchsorted(easy_run.evaluation_steps, steps)
        assert easy_run.evaluation_steps[evaluated] == steps
        assert easy_run.evaluation_loss[seed, evaluated] < 0.16
        assert (easy_run.evaluation_loss[seed, :evaluated] >= 0.16).all()
        assert easy_run.final_loss[seed] == easy_run.evaluation_loss[seed, evaluated]


@pytest.mark.costly
def test_one_seed_alone_gives_the_same_bits_as_in_an_ensemble(easy_run):
    alone = train(
        EasyAdding(10),
        seeds=1,
        batch_size=16,
        optimizer=optax.adam(2e-2),
        step_budget=1_000,
        evaluate_every=10,
    )
    steps = alone.steps_run[0]
    assert steps == easy_run.steps_run[0]
    np.testing.assert_array_equal(alone.loss[0], easy_run.loss[0, :steps])
    np.testing.assert_array_equal(alone.gradient_norm[0], easy_run.gradient_norm[0, :steps])
    assert leaves_equal(
        jax.tree.map(lambda leaf: leaf[0], alone.model), jax.tree.map(lambda leaf: leaf[0], easy_run.model)
    )


# Diverged


def fragile_linear_net(key):
    """A linear net that explodes for about half of all keys."""
    cell = rj.cells.create("elman_identity", 2, 4, key=key, gain=0.5, dtype=jnp.float32)
    scale = jnp.where(jax.random.bernoulli(key), jnp.float32(1.0), jnp.float32(1e12))
    return jax.tree.map(lambda leaf: leaf * scale, cell)


@pytest.mark.costly
def test_a_diverging_seed_does_not_disturb_the_others():
    options = {"optimizer": optax.sgd(1e-2), "step_budget": 20, "evaluate_every": 10}
    together = train(create=fragile_linear_net, seeds=3, **options)
    alone = train(create=fragile_linear_net, seeds=1, **options)
    assert together.first_nonfinite_step.tolist() == [-1, 1, -1]
    assert together.verdict[1] == "diverged"
    assert together.first_nonfinite_quantity == ["", "loss", ""]
    assert np.isnan(together.final_loss[1])
    assert np.isfinite(together.final_loss[[0, 2]]).all()
    assert together.steps_run.tolist() == [20, 1, 20]
    np.testing.assert_array_equal(together.loss[0], alone.loss[0])
    assert leaves_equal(
        jax.tree.map(lambda leaf: leaf[0], together.model), jax.tree.map(lambda leaf: leaf[0], alone.model)
    )


@pytest.mark.costly
def test_too_large_a_learning_rate_is_recorded_with_its_step_and_quantity():
    result = train(seeds=1, optimizer=optax.sgd(1e3), step_budget=200, evaluate_every=50)
    step = result.first_nonfinite_step[0]
    assert result.verdict == ["diverged"]
    assert 1 < step < 200
    assert result.first_nonfinite_quantity[0] in ("loss", "gradient", "update")
    assert result.steps_run[0] == step
    assert np.isfinite(result.loss[0, : step - 1]).all()
    assert np.isfinite(result.gradient_norm[0, : step - 1]).all()
    assert np.isnan(result.loss[0, step:]).all()
    assert np.isnan(result.final_loss[0])
    assert np.isnan(result.final_accuracy[0])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result.model))
    assert result.evaluation_steps.tolist()[-1] < step + 50  # it stops, it does not run to the budget


@pytest.mark.costly
@pytest.mark.parametrize(
    ("optimizer", "quantity"),
    [
        # The square of the gradient overflows: Adam's second moment is inf, every update is 0 for ever.
        (optax.chain(optax.scale(1e25), optax.adam(1e-3)), "optimizer_state"),
        (optax.chain(optax.scale(1e30), optax.sgd(1e30)), "update"),
    ],
)
def test_what_broke_first_is_named_though_loss_and_gradient_are_finite(optimizer, quantity):
    result = train(seeds=1, optimizer=optimizer, step_budget=4, evaluate_every=2)
    assert result.first_nonfinite_step.tolist() == [1]
    assert result.first_nonfinite_quantity == [quantity]
    assert result.verdict == ["diverged"]
    assert np.isfinite(result.loss[0, 0])
    assert np.isfinite(result.gradient_norm[0, 0])
    assert leaves_equal(result.model, result.initial_model)


@pytest.mark.costly
def test_a_finite_loss_of_ten_baselines_is_diverged_too():
    def loud(key):
        return jax.tree.map(
            lambda leaf: leaf * jnp.float32(100.0),
            rj.cells.create("elman_identity", 2, 4, key=key, gain=0.0, dtype=jnp.float32),
        )

    result = train(create=loud, seeds=1, optimizer=optax.sgd(0.0), step_budget=1, evaluate_every=1)
    assert np.isfinite(result.final_loss[0])
    assert result.final_loss[0] > 10 * result.baseline
    assert result.verdict == ["diverged"]
    assert result.first_nonfinite_step.tolist() == [-1]


# Arguments


@pytest.mark.parametrize("name", ["seeds", "batch_size", "step_budget", "evaluate_every"])
@pytest.mark.parametrize("count", [0, -2])
def test_a_count_that_is_not_positive_is_refused(name, count):
    allowed = "positive whole number" if name == "seeds" else "whole number of at least 1"
    with pytest.raises(ValueError, match=f"{name} must be a {allowed}, got {count}"):
        train(**{name: count})


def test_a_cell_of_another_input_size_is_refused_before_anything_is_compiled(compilations):
    with (
        compilations() as compiled,
        pytest.raises(ValueError, match="create must make a cell with input_size 10 for copy") as raised,
    ):
        train(Copy(5))
    assert "\n" not in str(raised.value)
    assert len(compiled) <= 5  # some keys, no training step


# What is trained


@pytest.mark.costly
def test_the_readout_is_of_the_last_target_steps():
    keys = jax.random.split(jax.random.key(3), 4)
    cell = rj.cells.create("lstm", 2, 4, key=keys[0])
    inputs = jax.random.normal(keys[1], (6, 2))
    model = Model.create(cell, 3, key=keys[2])
    assert model.weight.shape == (3, 4)
    np.testing.assert_array_equal(model.bias, np.zeros(3))
    model = jax.tree.map(lambda leaf: leaf + 0.1, model)
    states = rj.trajectory(model.cell, model.cell.initial_state(), inputs)
    expected = states.h @ model.weight.T + model.bias[None]
    for steps in (1, 4, 6):
        np.testing.assert_allclose(model(inputs, steps), expected[7 - steps :], rtol=1e-12)
    last = jax.tree.map(lambda leaf: leaf[-1], states)
    np.testing.assert_allclose(model.readout(last), expected[-1], rtol=1e-12)


@pytest.mark.slow
def test_a_gru_solves_adding_100_within_4000_steps():
    result = train(
        Adding(100, "halves"),
        lambda key: rj.cells.create("gru", 2, 64, key=key, dtype=jnp.float32),
        seeds=1,
        batch_size=50,
        optimizer=optax.adam(2e-3),
        remedy=clip_by_norm(1.0),
        step_budget=4_000,
    )
    assert result.verdict == ["solved"]
    assert result.final_loss[0] < 1e-3
    assert result.steps_to_solve[0] <= 4_000


def test_arguments_in_the_wrong_place_are_told():
    cell = rj.cells.GRU.create(2, 4, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"create must be a function of a random key.*got GRU"):
        rj.train(rj.tasks.Adding(10), cell, key=jax.random.key(0))
    with pytest.raises(
        ValueError, match=r"task must be a task such as rnn_jax\.tasks\.Adding\(100\), got 'adding'"
    ):
        rj.train("adding", lambda key: cell, key=jax.random.key(0))


def test_float64_keeps_losses_and_gradients_beyond_float32():
    def net(key):
        return rj.cells.create("elman_identity", 2, 4, key=key, gain=8.0, dtype=jnp.float64)

    result = train(Adding(60), net, optimizer=optax.sgd(0.0), seeds=1, step_budget=2, evaluate_every=2)
    assert result.first_nonfinite_step.tolist() == [-1]
    assert result.gradient_norm.dtype == result.evaluation_loss.dtype == np.float64
    assert np.isfinite(result.gradient_norm).all()
    assert result.gradient_norm.max() > 1e39
    assert np.isfinite(result.evaluation_loss).all()
