"""Gates do what the array of their rows does, or refuse."""

import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.gates import Gates

ARRAY = jnp.arange(6.0).reshape(3, 2)
OTHER = ARRAY**2
ONE_ROW = ARRAY[1:2]


@pytest.mark.parametrize(
    "use",
    [
        lambda a, b: a + b,
        lambda a, b: b + a,
        lambda a, b: a[0],
        lambda a, b: a[-1],
        lambda a, b: a[1:] + b[:2],
        lambda a, b: a[::-1] + b,
        lambda a, b: a[jnp.array([2, 0])],
        lambda a, b: a[0, 1],
        lambda a, b: jnp.stack(list(a)),
        lambda a, b: a + OTHER,
        lambda a, b: OTHER + a,
        lambda a, b: sum(a),
    ],
)
def test_what_gates_can_do_gives_what_the_array_gives(use):
    expected = use(ARRAY, OTHER)
    got = use(*(Gates(list(each)) for each in (ARRAY, OTHER)))
    np.testing.assert_array_equal(jnp.stack(list(got)) if isinstance(got, Gates) else got, expected)


def test_one_row_is_added_to_all():
    got = Gates(list(ONE_ROW)) + Gates(list(ARRAY))
    np.testing.assert_array_equal(jnp.stack(list(got)), ARRAY + jnp.broadcast_to(ONE_ROW, ARRAY.shape))


@pytest.mark.parametrize(
    "use",
    [lambda a: a == 0, lambda a: a != 0, lambda a: a > 0, bool, hash, lambda a: 2 * a, lambda a: a - a],
)
def test_what_they_cannot_do_they_refuse(use):
    with pytest.raises(TypeError):
        use(Gates(list(ARRAY)))


def test_different_numbers_of_gates_are_not_added():
    with pytest.raises(ValueError, match="shorter"):
        Gates(list(ARRAY)) + Gates(list(ARRAY[:2]))
