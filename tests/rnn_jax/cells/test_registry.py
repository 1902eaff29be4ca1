from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.coordinates import real_size

NAMES = [
    "elman_tanh",
    "elman_relu",
    "elman_identity",
    "irnn",
    "orthogonal",
    "indrnn",
    "lstm",
    "gru",
    "gru_reset_before",
    "exprnn",
    "echo_state",
    "antisymmetric",
    "cornn",
    "lem",
    "slstm",
    "mingru",
    "minlstm",
    "lru",
    "deltanet",
    "mgu",
    "fastgrnn",
    "unicornn",
    "s5",
    "selective_ssm",
    "gated_deltanet",
]


def test_the_names_that_files_and_suites_rely_on_are_there():
    assert set(NAMES) == set(rj.cells.CELLS)


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_keeps_its_state_and_shows_one_number_a_unit(name):
    scale = {} if rj.cells.CELLS[name].initialization in ("none", "cayley", "hippo") else {"gain": 0.8}
    cell = rj.cells.create(name, 3, 4, key=jax.random.key(0), dtype=jnp.float32, **scale)
    before = cell.initial_state()
    after = cell(before, jnp.ones(3, jnp.float32))
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), before) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), after
    )
    assert cell.output(after).shape == (4,)
    assert rj.cells.CELLS[name].state_size(4) == real_size(before)


@pytest.mark.parametrize("name", NAMES)
def test_the_registry_tells_the_initialization_that_is_used(name):
    family = rj.cells.CELLS[name]
    default = rj.cells.create(name, 3, 4, key=jax.random.key(0))
    named = rj.cells.create(name, 3, 4, key=jax.random.key(0), initialization=family.initialization)
    for ours, theirs in zip(jax.tree.leaves(default), jax.tree.leaves(named), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["elman_tanh", "lstm", "indrnn", "lru", "deltanet", "unicornn"])
def test_several_layers_are_a_stack_each_drawn_by_a_key_of_its_own(name):
    stack = rj.cells.create(name, 3, 4, key=jax.random.key(0), layers=3)
    keys = jax.random.split(jax.random.key(0), 3)
    by_hand = [rj.cells.create(name, size, 4, key=key) for size, key in zip((3, 4, 4), keys, strict=True)]
    assert isinstance(stack, rj.cells.Stack)
    for ours, theirs in zip(jax.tree.leaves(stack.layers), jax.tree.leaves(tuple(by_hand)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert stack.output(stack(stack.initial_state(), jnp.ones(3))).shape == (4,)


@pytest.mark.parametrize("layers", [0, -1, True])
def test_a_wrong_number_of_layers_is_told(layers):
    with pytest.raises(ValueError, match=f"layers must be a whole number of at least 1, got {layers!r}"):
        rj.cells.create("gru", 3, 4, key=jax.random.key(0), layers=layers)


@pytest.mark.parametrize("name", ["elman_tanh", "irnn", "indrnn", "echo_state"])
def test_the_input_weights_are_as_wide_as_asked_and_nothing_else_changes(name):
    plain, narrow = (
        rj.cells.create(name, 50, 200, key=jax.random.key(0), input_deviation=deviation)
        for deviation in (None, 1e-3)
    )
    drawn = [getattr(cell, "cell", cell) for cell in (plain, narrow)]  # a reservoir is leaky
    np.testing.assert_allclose(1e3 * drawn[1].weight_xh, 50**0.5 * drawn[0].weight_xh, rtol=1e-5)
    assert np.std(drawn[1].weight_xh) == pytest.approx(1e-3, rel=0.02)
    np.testing.assert_array_equal(drawn[0].weight_hh, drawn[1].weight_hh)


@pytest.mark.parametrize("deviation", [np.nan, np.inf])
def test_a_wrong_width_of_input_weights_is_told(deviation):
    with pytest.raises(ValueError, match="input_deviation must be a finite number, got"):
        rj.cells.create("indrnn", 3, 4, key=jax.random.key(0), input_deviation=deviation)


def test_only_lstms_are_told_their_forget_bias_by_the_suites():
    assert [name for name in NAMES if rj.cells.CELLS[name].has_forget_bias] == ["lstm", "slstm"]


@pytest.mark.parametrize("name", NAMES)
def test_the_step_in_time_is_the_one_that_the_cell_is_drawn_with(name):
    drawn = rj.cells.create(name, 3, 4, key=jax.random.key(0))
    assert getattr(drawn, "dt", None) == rj.cells.CELLS[name].dt


@pytest.mark.parametrize("name", NAMES)
def test_options_are_what_the_cell_can_be_drawn_with(name):
    family = rj.cells.CELLS[name]
    assert {"initialization", "gain", "dtype"} - set(family.fixed) <= family.options
    assert not family.options & {*family.fixed, "input_size", "hidden_size", "key"}
    assert ("input_deviation" in family.options) == (
        name.startswith("elman") or name in ("irnn", "orthogonal", "indrnn", "echo_state")
    )
    assert ("dt" in family.options) == (family.dt is not None)


def test_the_names_fix_what_they_say():
    irnn = rj.cells.create("irnn", 3, 4, key=jax.random.key(0))
    np.testing.assert_array_equal(irnn.weight_hh, np.eye(4))
    assert irnn.activation == "relu"
    orthogonal = rj.cells.create("orthogonal", 3, 4, key=jax.random.key(0))
    np.testing.assert_allclose(orthogonal.weight_hh.T @ orthogonal.weight_hh, np.eye(4), atol=1e-6)
    assert orthogonal.activation == "tanh"
    assert rj.cells.create("elman_identity", 3, 4, key=jax.random.key(0)).activation == "identity"
    assert rj.cells.create("gru", 3, 4, key=jax.random.key(0)).reset == "after"
    assert rj.cells.create("gru_reset_before", 3, 4, key=jax.random.key(0)).reset == "before"


def test_an_option_that_repeats_what_the_name_fixes_is_allowed():
    assert rj.cells.create("elman_relu", 3, 4, key=jax.random.key(0), activation="relu").activation == "relu"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("LSTM", {}, "cell must be one of elman_tanh, .*got 'LSTM'"),
        ("irnn", {"activation": "tanh"}, "irnn fixes activation='relu', got 'tanh'"),
        ("gru", {"reset": "before"}, "gru fixes reset='after', got 'before'"),
        (
            "lstm",
            {"input_deviation": 0.1},
            "lstm takes no input_deviation; it takes dtype, forget_bias, gain",
        ),
        ("irnn", {"leak": 0.1}, "irnn takes no leak; it takes dtype, gain, input_deviation$"),
        ("indrnn", {"input_deviation": -1.0}, "input_deviation must be at least 0, got -1.0"),
    ],
)
def test_a_wrong_name_or_option_is_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        rj.cells.create(name, 3, 4, key=jax.random.key(0), **options)


@pytest.mark.parametrize("name", rj.cells.CELLS)
def test_the_gains_that_a_cell_says_it_takes_are_those_that_it_takes(name):
    least, most = rj.cells.CELLS[name].gains
    for gain in (0.5, 1.0, 3.0):
        with nullcontext() if least <= gain <= most else pytest.raises(ValueError, match="gain"):
            rj.cells.create(name, 2, 8, key=jax.random.key(0), gain=gain)
