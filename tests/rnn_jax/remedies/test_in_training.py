"""What `train` does with a remedy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_jax as rj
from rnn_jax.remedies import Remedy, clip_by_norm, clip_per_step, forget_bias, leaky
from rnn_jax.training.run import EVALUATION_EXAMPLES, training_batch

TASK, KEY = rj.tasks.Adding(10), jax.random.key(3)


def tanh_net(key):
    return rj.cells.create("elman_tanh", 2, 3, key=key, dtype=jnp.float64)


def train(create=tanh_net, **options):
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        settings = {"key": KEY, "seeds": 1, "batch_size": 4, "step_budget": 3, "evaluate_every": 3}
        return rj.train(TASK, create, **(settings | options))


def one(tree, seed=0):
    return jax.tree.map(lambda leaf: leaf[seed], tree)


def half_square(task, model, batch, key):
    return 0.5 * sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(model))


@pytest.mark.costly
def test_a_penalty_acts_in_training_and_shows_in_no_loss(jax_promotes):
    remedy = Remedy("weight_decay", None, penalty=half_square)
    result = train(optimizer=optax.sgd(0.1), remedy=remedy, step_budget=1)
    start, end = one(result.initial_model), one(result.model)
    batch = training_batch(TASK, result.data_keys[0], 0, 4, jnp.float64)

    @jax.jit
    @jax.value_and_grad
    def plain(model):
        return TASK.loss(model.outputs(batch.inputs, 1), batch)

    loss, gradient = plain(start)
    assert result.loss[0, 0] == pytest.approx(float(loss), rel=1e-6)
    expected = jax.tree.map(lambda leaf, by: leaf - 0.1 * (by + leaf), start, gradient)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14), end, expected)
    assert result.final_loss[0] == pytest.approx(score_by_hand(result), rel=1e-6)


def score_by_hand(result):
    """The loss of the trained model on its held-out examples."""
    held_out = TASK.sample(
        jax.random.fold_in(result.data_keys[0], 2**31 - 1), EVALUATION_EXAMPLES, jnp.float64
    )
    return float(TASK.loss(one(result.model).outputs(held_out.inputs, 1), held_out))


@pytest.mark.costly
def test_a_changed_step_acts_in_training_alone(jax_promotes):
    """A step that keeps the state where it is gives the loss of a net that has seen nothing."""
    frozen = Remedy("frozen", None, adapt_step=lambda step: lambda states, xs, left: states)
    result = train(optimizer=optax.sgd(0.1), remedy=frozen, step_budget=1)
    batch = training_batch(TASK, result.data_keys[0], 0, 4, jnp.float64)
    assert result.loss[0, 0] == pytest.approx(float(jnp.mean(jnp.square(batch.targets))), rel=1e-6)
    np.testing.assert_array_equal(result.model.cell.weight_hh, result.initial_model.cell.weight_hh)
    assert result.final_loss[0] == pytest.approx(score_by_hand(result), rel=1e-6)


@pytest.mark.costly
def test_a_changed_cell_is_what_is_trained_and_reported():
    result = train(remedy=leaky(0.5), step_budget=1)
    assert isinstance(result.model.cell, rj.cells.Leaky)
    # What `create` drew is inside, up to an ulp of float32: a compiled draw rounds differently.
    drawn = tanh_net(jax.random.split(jax.random.fold_in(KEY, 0), 3)[0])
    np.testing.assert_allclose(result.initial_model.cell.cell.weight_hh[0], drawn.weight_hh, rtol=1e-6)


@pytest.mark.costly
def test_strengths_and_learning_rates_are_data(compilations):
    """Each seed trains as one alone with its own threshold and rate, in as few programs as a plain run."""
    with compilations() as plain_programs:
        plain = train(seeds=2, optimizer=optax.adam(3e-2))
    with compilations() as programs:
        result = train(seeds=2, remedy=clip_by_norm, strengths=[0.05, 1e6], learning_rates=[1e-2, 3e-2])
    assert len(programs) <= len(plain_programs)
    # The other way about, so that a seed is what its number says and not its place.
    clipped = train(seeds=[1, 0], remedy=clip_by_norm(0.05), optimizer=optax.adam(1e-2))
    np.testing.assert_allclose(result.loss[0], clipped.loss[1], rtol=1e-6)
    np.testing.assert_allclose(result.loss[1], plain.loss[1], rtol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a[0], b[1], rtol=1e-9, atol=1e-12),
        result.model,
        clipped.model,
    )


@pytest.mark.costly
def test_strengths_reach_cells_steps_and_combinations():
    def remedy(strength):
        return forget_bias(strength) + clip_per_step(strength)

    def gru(key):
        return rj.cells.create("gru", 2, 3, key=key, dtype=jnp.float32)

    result = train(gru, seeds=2, remedy=remedy, strengths=np.array([1.0, 2.0]), step_budget=1)
    np.testing.assert_array_equal(result.initial_model.cell.bias[:, 3:6], [[1.0] * 3, [2.0] * 3])
    assert np.isfinite(result.loss).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"remedy": clip_by_norm(1.0), "strengths": [1.0]},
            "remedy must be a function that makes one from its strength, such as clip_by_norm",
        ),
        ({"strengths": [1.0]}, "remedy must be a function that makes one from its strength"),
        ({"remedy": clip_by_norm}, "remedy must be made by rnn_jax.remedies"),
        (
            {"optimizer": optax.sgd(1.0), "learning_rates": [1.0]},
            "optimizer must be a function that makes one from its learning rate, such as optax.adam",
        ),
        (
            {"remedy": clip_by_norm, "strengths": [1.0, 2.0]},
            r"strengths must be one finite number for each of the 1 seeds, got \[1.0, 2.0\]",
        ),
        ({"seeds": [-1]}, r"seeds must be a positive whole number, got \[-1\]; or list which"),
        ({"seeds": [0.5]}, r"seeds must be a positive whole number, got \[0.5\]"),
        ({"learning_rates": [float("nan")]}, "learning_rates must be one finite number"),
        ({"remedy": leaky, "strengths": [0.5]}, "leak must be a concrete number"),
        (
            {"remedy": lambda strength: clip_by_norm(strength if strength < 2 else 2.0), "strengths": [0.5]},
            "remedy must make a remedy of a strength that is not known beforehand, .*: Attempted boolean conversion",
        ),
        (
            {"remedy": Remedy("own", None, penalty=lambda *a: jnp.ones(2))},
            "remedy own: penalty must give one real number, got ",
        ),
        (
            {"remedy": Remedy("own", None, penalty=lambda *a: None)},
            "remedy own: penalty must give one real number, got None",
        ),
        (
            {"remedy": Remedy("own", None, adapt_cell=lambda cell, key: None)},
            "remedy own: what adapt_cell gives must be a cell with initial_state and output, got NoneType",
        ),
        (
            {"remedy": Remedy("own", None, adapt_optimizer=lambda optimizer: None)},
            "remedy own: adapt_optimizer must give an optax optimiser, got None",
        ),
        (
            {"remedy": clip_by_norm, "strengths": [-1.0]},
            "strengths: -1 is not allowed for this remedy: threshold must be positive, got -1.0",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        train(**options)


@pytest.mark.costly
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": optax.lbfgs(0.1)},
        {"remedy": rj.remedies.gradient_flossing()},
        {"remedy": rj.remedies.pascanu_omega(1.0)},
    ],
    ids=["lbfgs", "flossing", "omega"],
)
def test_a_net_of_16_bits_trains_with_a_loss_of_32(options, jax_promotes):
    def create(key):
        return rj.cells.GRU.create(2, 5, key=key, dtype=jnp.bfloat16)

    result = train(create, **options)
    assert result.loss.dtype == jnp.float32
    assert np.isfinite(result.loss).all()
    assert (np.asarray(result.loss) != np.asarray(result.loss).astype(jnp.bfloat16)).any()


def test_a_penalty_may_be_a_whole_number():
    plain, added = train(), train(remedy=Remedy("own", None, penalty=lambda *a: 3))
    np.testing.assert_array_equal(plain.loss, added.loss)
