"""Wrong arguments of a chain: named, with the mend, before anything is compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj

ERRORS = {
    "shape": (
        lambda h, x: h[:2],
        {"xs": jnp.ones((5, 3))},
        r"must keep the shape of the state: state came in as \(3,\) and went out as \(2,\)",
    ),
    "dtype": (
        lambda h, x: h.astype(jnp.float32),
        {"xs": jnp.ones((5, 3))},
        "must keep the dtype of the state: state came in as float64 and went out as float32",
    ),
    "structure": (lambda h, x: (h, h), {"xs": jnp.ones((5, 3))}, "must return a state of the structure"),
    "leading axes": (
        lambda h, x: h,
        {"xs": {"a": jnp.ones((5, 3)), "b": jnp.ones((4, 3))}},
        r"must lead with the same time axis, but xs\['a'\] has 5, xs\['b'\] has 4",
    ),
    "scalar": (lambda h, x: h, {"xs": jnp.ones(())}, "must lead with the time axis, got a scalar"),
    "no length": (lambda h, x: h, {"xs": None}, "length must be given"),
    "negative length": (
        lambda h, x: h,
        {"xs": None, "length": -1},
        "length must be a whole number of at least 0, got -1",
    ),
    "length contradicts": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "length": 6},
        "length is 6 but the time axis of xs has 5",
    ),
    "lag above": (lambda h, x: h, {"xs": jnp.ones((5, 3)), "lags": [0, 6]}, r"must lie in 0\.\.5.*got 6"),
    "lag below": (lambda h, x: h, {"xs": jnp.ones((5, 3)), "lags": [-1]}, r"must lie in 0\.\.5.*got -1"),
    "float lags": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "lags": np.array([1.5])},
        r"lags must be whole numbers in one dimension, got array\(\[1\.5\]\)",
    ),
    "no lags": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "lags": np.array([], int)},
        "lags must hold at least one whole number",
    ),
    "one lag": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "lags": np.array(3)},
        r"lags must be a list of whole numbers, got one; write \[array\(3\)\]",
    ),
    "norm": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "norms": ("nuclear",)},
        "norms must be among frobenius, spectral, got 'nuclear'",
    ),
    "norms as a string": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "norms": "spectral"},
        'got the string "spectral"',
    ),
    "method": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "method": "magic"},
        "method must be among auto, sequential, blocked, got 'magic'",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_wrong_argument_is_named_before_anything_is_compiled(name, compilations):
    step, arguments, message = ERRORS[name]
    state = jnp.ones(3)
    with compilations() as compiled, pytest.raises(ValueError, match=message) as raised:
        rj.jacobian_chain(step, state, **arguments)
    assert compiled == []
    assert "\n" not in str(raised.value)


def test_swapped_arguments_ask_for_the_order_state_then_input(gru, xs):
    with pytest.raises(ValueError, match=r"is the order \(state, x\)\?"):
        rj.jacobian_chain(lambda x, h: gru(h, x), gru.initial_state(), xs)


def test_traced_lags_are_refused(gru, xs):
    with pytest.raises(ValueError, match="lags must be concrete integers"):
        jax.jit(lambda lags: rj.jacobian_chain(gru, gru.initial_state(), xs, lags))(jnp.arange(3))


def test_a_state_of_integers_has_no_jacobian():
    with pytest.raises(ValueError, match=r"no floating or complex numbers.*int32"):
        rj.jacobian_chain(lambda h, _: h, jnp.arange(3, dtype=jnp.int32), None, length=2)


@pytest.mark.parametrize("lag", [-1, 51])
def test_product_refuses_a_lag_outside_the_sequence(gru, xs, lag):
    chain = rj.jacobian_chain(gru, gru.initial_state(), xs, [0])
    with pytest.raises(ValueError, match=r"lag must lie in 0\.\.50"):
        chain.product(lag)


def test_a_norm_that_was_not_asked_for_says_how_to_ask(gru, xs):
    chain = rj.jacobian_chain(gru, gru.initial_state(), xs, [0])
    with pytest.raises(ValueError, match=r'norms=\("frobenius", "spectral"\)'):
        chain.log_spectral_norm  # noqa: B018 - the property raises
    with pytest.raises(ValueError, match="give output="):
        chain.log_output_norm  # noqa: B018


def test_an_output_without_a_derivative_is_told(gru, xs):
    with pytest.raises(ValueError, match=r"output must return floating numbers.*int32"):
        rj.jacobian_chain(gru, gru.initial_state(), xs, output=lambda h: jnp.argmax(h).astype(jnp.int32))


def test_a_state_without_numbers_is_told(xs):
    with pytest.raises(ValueError, match=r"state must hold at least one number, got shape \(0,\)"):
        rj.jacobian_chain(lambda h, _: h, jnp.zeros(0), xs)


@pytest.mark.costly
def test_an_index_from_an_array_is_a_lag(gru, xs):
    chain = rj.jacobian_chain(gru, gru.initial_state(), xs)
    np.testing.assert_array_equal(chain.product(chain.lags[3]).mantissa, chain.product(3).mantissa)
