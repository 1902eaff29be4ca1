import json
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_jax as rj
from rnn_jax.batching import over_devices
from rnn_jax.devices import mesh_of
from rnn_jax.tasks import Adding

# Which devices


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ([], "at least one device, got an empty sequence"),
        ("cpu", "must be a sequence of JAX devices, got 'cpu'; pass for example jax.devices"),
        (8, "must be a sequence of JAX devices, got 8"),
        ([0, 1], "must hold JAX devices only, got 0"),
        ([jax.devices("cpu")[0]] * 2, "must all differ"),
    ],
)
def test_what_are_no_devices_is_refused(devices, message):
    with pytest.raises(ValueError, match=message):
        rj.train(Adding(10), linear_net, key=jax.random.key(0), devices=devices)


def test_one_device_is_a_row_of_one():
    (device,) = jax.devices("cpu")[:1]
    mesh = mesh_of([device], "seeds")
    assert mesh.shape == {"seeds": 1}
    assert mesh.devices.flat[0] == device


# Training


@dataclass(frozen=True)
class EasyAdding(Adding):
    """Solved as soon as the loss is a little under the variance of the target."""

    def is_solved(self, loss, accuracy):
        return loss < 0.1635


def linear_net(key):
    """A net that explodes at once for about a third of all keys."""
    cell = rj.cells.create("elman_identity", 2, 4, key=key, gain=0.5, dtype=jnp.float64)
    scale = jnp.where(jax.random.bernoulli(key, 0.3), 1e200, 1.0)
    return jax.tree.map(lambda leaf: leaf * scale, cell)


def trained(devices, seeds):
    """The result, and what `on_progress` was told."""
    progress = []
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        result = rj.train(
            EasyAdding(10),
            linear_net,
            key=jax.random.key(5),
            seeds=seeds,
            batch_size=8,
            optimizer=optax.adam(2e-2),
            step_budget=1_000,
            evaluate_every=10,
            devices=devices,
            on_progress=lambda steps, losses: progress.append((steps, losses)),
        )
    return result, progress


@pytest.fixture(scope="module")
def alone():
    """Twelve seeds on the default device."""
    return trained(None, 12)


def assert_same_training(one, other):
    """That each seed of `one` came out as in `other`, which may have more of them."""
    (result, told), (expected, told_expected) = one, other
    seeds, steps = result.loss.shape
    evaluations = result.evaluation_steps.size
    assert (result.task, result.batch_size, result.baseline) == (
        expected.task,
        expected.batch_size,
        expected.baseline,
    )
    for name in ("verdict", "first_nonfinite_quantity"):
        assert getattr(result, name) == getattr(expected, name)[:seeds], name
    for name in ("steps_run", "steps_to_solve", "first_nonfinite_step"):
        np.testing.assert_array_equal(getattr(result, name), getattr(expected, name)[:seeds], name)
    np.testing.assert_array_equal(result.evaluation_steps, expected.evaluation_steps[:evaluations])
    for name in ("final_loss", "final_accuracy"):
        np.testing.assert_allclose(
            getattr(result, name), getattr(expected, name)[:seeds], rtol=1e-9, err_msg=name
        )
    for name, count in {
        "loss": steps,
        "gradient_norm": steps,
        "evaluation_loss": evaluations,
        "evaluation_accuracy": evaluations,
    }.items():
        # Curves are kept in float32.
        np.testing.assert_allclose(
            getattr(result, name), getattr(expected, name)[:seeds, :count], rtol=1e-6, err_msg=name
        )
    for name in ("model", "initial_model"):
        leaves = map(jax.tree.leaves, (getattr(result, name), getattr(expected, name)))
        for leaf, leaf_expected in zip(*leaves, strict=True):
            np.testing.assert_allclose(leaf, leaf_expected[:seeds], rtol=1e-9, atol=1e-12, err_msg=name)
    np.testing.assert_array_equal(
        jax.random.key_data(result.data_keys), jax.random.key_data(expected.data_keys)[:seeds]
    )
    assert [steps for steps, _ in told] == [steps for steps, _ in told_expected[:evaluations]]
    for (_, losses), (_, losses_expected) in zip(told, told_expected, strict=False):
        np.testing.assert_allclose(losses, losses_expected[:seeds], rtol=1e-6)


@pytest.mark.costly
def test_twelve_seeds_over_eight_devices_train_as_on_one(eight_devices, alone):
    expected = alone[0]
    assert set(expected.verdict) == {"solved", "diverged"}  # so all of it is compared
    assert len(set(expected.steps_to_solve.tolist())) > 3
    assert expected.loss.shape[1] == max(expected.steps_run) < 1_000
    result, told = trained(eight_devices[::-1], 12)
    assert_same_training((result, told), alone)
    for leaf in jax.tree.leaves((result.model, result.data_keys)):
        assert leaf.devices() == {eight_devices[7]}  # the first that was given


@pytest.mark.costly
def test_a_training_over_devices_is_made_longer_and_copies_stay_out_of_it(
    eight_devices, tmp_path, jax_promotes
):
    def train(step_budget, **options):
        return rj.train(
            EasyAdding(10),
            linear_net,
            key=jax.random.key(5),
            seeds=[1, 2, 0],  # the last diverges
            batch_size=2,
            evaluate_every=2,
            step_budget=step_budget,
            devices=eight_devices[:2],
            **options,
        )

    file = tmp_path / "training.npz"
    train(4, checkpoint=file)
    longer, whole = train(8, checkpoint=file), train(8)
    np.testing.assert_array_equal(longer.loss, whole.loss)
    np.testing.assert_array_equal(longer.evaluation_loss, whole.evaluation_loss)
    # A copy in the last place that trained on would count as a fourth seed in the file.
    assert longer.steps_run.tolist() == [8, 8, 1]
    with np.load(file) as arrays:
        facts = json.loads(arrays["facts"].tobytes())
        assert facts["step_budget"] == 8
        assert np.isnan(arrays["curves"][3]).all()


def test_each_device_goes_over_its_own_examples_and_speaks_to_no_other(eight_devices):
    mesh = mesh_of(eight_devices, "seeds")
    function = jax.jit(over_devices(lambda x: jnp.cumsum(x @ x), mesh))
    examples = jax.random.normal(jax.random.key(0), (16, 3, 3))
    result = function(examples)
    np.testing.assert_allclose(result, [np.cumsum(x @ x) for x in np.asarray(examples)], rtol=1e-12)
    assert [shard.data.shape[0] for shard in result.addressable_shards] == [2] * 8
    assert {shard.device for shard in result.addressable_shards} == set(eight_devices)
    program = function.lower(examples).compile().as_text()
    assert not any(word in program for word in ("all-gather", "all-reduce", "all-to-all", "collective"))
