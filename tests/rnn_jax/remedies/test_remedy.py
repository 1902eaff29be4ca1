import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_jax as rj
from rnn_jax.cells import LayerNorm, Leaky
from rnn_jax.remedies import (
    Remedy,
    clip_by_norm,
    clip_by_value,
    clip_per_step,
    combine,
    create,
    layer_norm,
    leaky,
    none,
    orthogonal_initialization,
    pascanu_omega,
    truncated_bptt,
)
from rnn_jax.remedies.remedy import checked_strength

SEEN = optax.sgd(1.0)
KEY = jax.random.key(0)


def penalty_of(value):
    return Remedy(f"penalty{value}", None, penalty=lambda task, model, batch, key: jnp.float32(value))


def test_no_remedy_changes_nothing():
    assert none().adapt_optimizer(SEEN) is SEEN
    assert (none().name, none().strength) == ("none", None)
    assert none().adapt_cell is none().adapt_step is none().penalty is None


def test_the_name_tells_all_parts_and_their_strengths():
    both = leaky(0.25) + clip_by_norm(2.0) + penalty_of(1)
    assert (both.name, both.strength) == ("leaky(0.25)+clip_by_norm(2)+penalty1", None)
    assert [part.name for part in both.parts] == ["leaky", "clip_by_norm", "penalty1"]


def test_nothing_and_one_are_themselves():
    one = clip_by_norm(1.0)
    assert combine().name == combine(none(), none()).name == "none"
    assert combine(one) is one
    assert none() + one is one


def test_gradients_pass_the_first_part_first(jax_promotes):
    gradient = {"a": jnp.array([3.0, 4.0])}

    def seen(remedy):
        optimizer = remedy.adapt_optimizer(SEEN)
        return -optimizer.update(gradient, optimizer.init(gradient))[0]["a"]

    np.testing.assert_allclose(seen(clip_by_norm(1.0) + clip_by_value(0.7)), [0.6, 0.7])
    cut = np.array([0.7, 0.7])
    np.testing.assert_allclose(seen(clip_by_value(0.7) + clip_by_norm(0.5)), 0.5 * cut / np.linalg.norm(cut))


def test_cells_pass_the_first_part_first():
    cell = rj.cells.create("elman_tanh", 2, 3, key=KEY)
    both = (layer_norm() + leaky(0.5)).adapt_cell(cell, KEY)
    assert isinstance(both, Leaky)
    assert isinstance(both.cell, LayerNorm)
    other = (leaky(0.5) + layer_norm()).adapt_cell(cell, KEY)
    assert isinstance(other, LayerNorm)


@pytest.mark.parametrize(
    "name",
    [
        "layer_norm", "leaky", "skip", "added_skip", "orthogonal_initialization", "identity_initialization",
        "chrono_initialization", "forget_bias",
    ],
)  # fmt: skip
def test_a_cell_remedy_is_made_to_each_layer_of_a_stack(name):
    adapt = create(name).adapt_cell
    stack = rj.cells.create("lstm", 2, 3, key=KEY, layers=2)
    adapted = adapt(stack, KEY)
    assert isinstance(adapted, rj.cells.Stack)
    for place, (before, after) in enumerate(zip(stack.layers, adapted.layers, strict=True)):
        alone = adapt(before, jax.random.fold_in(KEY, place))
        assert jax.tree.structure(after) == jax.tree.structure(alone)
        for ours, theirs in zip(jax.tree.leaves(after), jax.tree.leaves(alone), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    state = adapted(adapted.initial_state(), jnp.ones(2))
    assert adapted.output(state).shape == (3,)


def test_every_part_draws_with_a_key_of_its_own_however_they_are_grouped():
    cell = rj.cells.create("elman_tanh", 2, 3, key=KEY)
    keys = []
    spy = Remedy("spy", None, adapt_cell=lambda cell, key: (keys.append(key), cell)[1])
    for three in (combine(spy, spy, leaky()), (spy + spy) + leaky(), spy + (spy + leaky())):
        three.adapt_cell(cell, KEY)
    told = [tuple(jax.random.key_data(key).tolist()) for key in keys]
    assert told[0] != told[1]
    assert told[:2] == told[2:4] == told[4:]


def test_steps_nest_and_penalties_add_up():
    order = []

    def marking(name):
        def adapt(step):
            def marked(states, inputs, steps_left):
                order.append(name)
                return step(states, inputs, steps_left)

            return marked

        return Remedy(name, None, adapt_step=adapt)

    (marking("inner") + clip_per_step() + marking("outer")).adapt_step(lambda states, xs, left: states)(
        jnp.zeros((1, 1)), jnp.zeros((1, 1)), jnp.int32(0)
    )
    assert order == ["outer", "inner"]
    assert (penalty_of(2) + penalty_of(3)).penalty(rj.tasks.Adding(10), None, None, KEY) == 5


def test_what_no_part_changes_stays_unchanged():
    both = clip_by_norm(1.0) + clip_by_value(1.0)
    assert both.adapt_cell is both.adapt_step is both.penalty is None
    assert (orthogonal_initialization() + truncated_bptt(3)).penalty is None


def test_only_remedies_can_be_combined():
    with pytest.raises(TypeError, match=r"remedies must be made by rnn_jax.remedies, .* got <"):
        combine(clip_by_norm(1.0), clip_by_norm)
    with pytest.raises(TypeError, match="unsupported operand"):
        clip_by_norm(1.0) + 1


@pytest.mark.parametrize("value", ["a", "1", None, True, [1.0, 2.0], float("nan")])
def test_a_strength_that_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="threshold must be a number, got "):
        checked_strength("threshold", value, above=0)


def test_equal_numbers_give_the_same_remedy():
    assert clip_by_norm(0.5) is clip_by_norm(0.5)
    assert clip_by_norm(0.5) is not clip_by_norm(0.25)
    assert layer_norm() + clip_by_norm(0.5) is layer_norm() + clip_by_norm(0.5)
    of_an_array = clip_by_norm(jnp.float32(0.5)) + layer_norm()
    assert of_an_array.name == "clip_by_norm(0.5)+layer_norm(1)"


@pytest.mark.parametrize("make", [layer_norm, pascanu_omega])
def test_a_strength_of_infinity_is_refused_but_where_it_lets_all_through(make):
    with pytest.raises(ValueError, match="must be finite, got inf"):
        make(float("inf"))
    assert clip_by_norm(float("inf")).strength == float("inf")
