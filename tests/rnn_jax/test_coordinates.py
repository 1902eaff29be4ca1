import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.coordinates import ravel_reals, real_dtype, real_size

TREE = {
    "a": jnp.array([[1.0, 2.0], [3.0, 4.0]]),
    "count": jnp.array(7, jnp.int32),
    "flag": jnp.array([True, False]),
    "key": jax.random.key(5),
    "z": jnp.array([1.0 + 10j, 2.0 + 20j]),
}


def test_complex_numbers_count_twice_and_integers_booleans_and_keys_not_at_all():
    assert real_size(TREE) == 4 + 2 * 2
    assert real_size(None) == 0
    assert real_size(jnp.arange(3)) == 0


def test_coordinates_stand_in_leaf_order_real_parts_before_imaginary_parts():
    np.testing.assert_array_equal(ravel_reals(TREE)[0], [1, 2, 3, 4, 1, 2, 10, 20])


def test_a_vector_is_put_back_and_what_is_not_differentiated_is_carried_over():
    vector, rebuild = ravel_reals(TREE)
    rebuilt = rebuild(10 * vector)
    np.testing.assert_array_equal(rebuilt["a"], 10 * TREE["a"])
    np.testing.assert_array_equal(rebuilt["z"], 10 * TREE["z"])
    assert rebuilt["count"] == 7
    assert rebuilt["flag"].tolist() == [True, False]
    assert rebuilt["key"] == TREE["key"]
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), rebuilt) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), TREE
    )


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ([jnp.float32], jnp.float32),
        ([jnp.float32, jnp.float64], jnp.float64),
        ([jnp.bfloat16, jnp.float32], jnp.float32),
        ([jnp.complex64], jnp.float32),
        ([jnp.int32, jnp.float16], jnp.float16),
    ],
)
def test_the_coordinates_have_the_widest_real_dtype_of_the_tree(dtypes, expected):
    tree = [jnp.ones(2, dtype) for dtype in dtypes]
    vector, rebuild = ravel_reals(tree)
    assert real_dtype(tree) == vector.dtype == expected
    assert [leaf.dtype for leaf in rebuild(vector)] == dtypes


def test_a_tree_without_real_numbers_is_refused_with_its_dtypes():
    with pytest.raises(ValueError, match=r"no floating or complex numbers.*\['int32', 'bool'\]"):
        ravel_reals([jnp.ones(1, jnp.int32), jnp.ones(1, bool)])
