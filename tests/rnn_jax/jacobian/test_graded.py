import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.jacobian import graded


def dense(product):
    scale = np.ldexp(np.asarray(product.scale.mantissa), np.asarray(product.scale.exponent))
    return np.asarray(product.left) @ np.diag(scale) @ np.asarray(product.right)


@pytest.fixture
def matrices():
    return jax.random.normal(jax.random.key(1), (3, 5, 5))


@pytest.fixture
def product(matrices):
    product = graded.identity(5, jnp.float64)
    for matrix in matrices:
        product = graded.extended(matrix, product)
    return product


@pytest.mark.costly
def test_a_graded_product_is_the_product(matrices, product):
    expected = matrices[2] @ matrices[1] @ matrices[0]
    np.testing.assert_allclose(dense(product), expected, rtol=1e-12, atol=1e-13)
    assert np.abs(product.left).max() <= 1


def test_an_orthogonal_right_factor_leaves_the_product_as_it_was(product):
    changed = graded.with_orthogonal_right(product)
    np.testing.assert_allclose(changed.right @ changed.right.T, np.eye(5), atol=1e-14)
    np.testing.assert_allclose(dense(changed), dense(product), rtol=1e-12, atol=1e-13)


@pytest.mark.costly
@pytest.mark.parametrize("line", [(2,), *((slice(None), column) for column in range(5))])
def test_a_zero_row_or_column_makes_one_size_exactly_zero(product, line):
    singular = jax.random.normal(jax.random.key(2), (5, 5)).at[line].set(0.0)
    extended = graded.extended(singular, product)
    np.testing.assert_array_equal(extended.scale.mantissa == 0, [False] * 4 + [True])


@pytest.mark.costly
@pytest.mark.parametrize("size", [1, 4, 7])
def test_jacobi_finds_the_singular_values_of_a_plain_matrix(size):
    matrix = jax.random.normal(jax.random.key(3), (size, size))
    values, _ = graded.log_singular_values(graded.extended(matrix, graded.identity(size, jnp.float64)))
    np.testing.assert_allclose(np.exp(values), np.linalg.svd(matrix, compute_uv=False), rtol=1e-12)
