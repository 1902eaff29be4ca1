import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.jacobian import factorizations
from rnn_jax.jacobian.factorizations import FACTORIZATIONS, factored

EACH = FACTORIZATIONS[1:]


def columns_of_condition(condition, rows=12, count=7):
    """Singular values spread evenly in log from 1 to 1 / condition."""
    left, right = (np.linalg.qr(each)[0] for each in np.random.default_rng(0).normal(size=(2, rows, rows)))
    sizes = np.geomspace(1, 1 / condition, count)
    return jnp.asarray(left[:, :count] * sizes @ right[:count, :count])


@pytest.mark.parametrize("factorization", EACH)
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e9, 1e12])
def test_basis_times_an_upper_triangular_matrix_is_what_was_factored(factorization, condition):
    columns = columns_of_condition(condition)
    made = factored(columns, 1, factorization)
    upper = np.linalg.lstsq(made.basis, columns)[0]
    np.testing.assert_allclose(made.basis @ upper, columns, atol=1e-13)
    np.testing.assert_allclose(np.tril(upper, -1), 0, atol=1e-13)
    np.testing.assert_allclose(np.abs(np.diag(upper)), made.pivots, rtol=1e-12 + 1e-15 * condition)
    eliminated = factorization == "elimination" or (factorization == "cholesky" and condition > 1e8)
    assert np.linalg.cond(made.basis) < (100 if eliminated else 2)
    assert not made.is_rounding.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factorization", EACH)
def test_orthonormal_columns_and_the_diagonal_of_qr(factorization, dtype):
    columns = columns_of_condition(20.0).astype(dtype)
    basis, diagonal = factorizations.orthonormal(columns, factorization)
    epsilon = np.finfo(dtype).eps
    np.testing.assert_allclose(basis.T @ basis, np.eye(7), atol=20 * epsilon)
    np.testing.assert_allclose(diagonal, np.abs(np.diag(np.linalg.qr(columns)[1])), rtol=2e3 * epsilon)
    assert basis.dtype == diagonal.dtype == dtype


@pytest.mark.parametrize("factorization", EACH)
def test_columns_of_any_size(factorization):
    """Squares of which neither float32 nor its range would hold."""
    columns = columns_of_condition(5.0).astype(np.float32)
    sizes = np.array([1e-30, 1e25, 1.0, 1e-25, 1e15, 1e-3, 1e-20], np.float32)
    plain, scaled = (factored(each, 1, factorization) for each in (columns, columns * sizes[None]))
    np.testing.assert_allclose(scaled.pivots / sizes, plain.pivots, rtol=1e-4)
    assert not scaled.is_rounding.any()


@pytest.mark.parametrize("factorization", EACH)
def test_a_product_of_low_rank_says_what_is_rounding(factorization):
    factors = jax.random.normal(jax.random.key(2), (2, 6, 3))
    made = factored(factors[0] @ factors[1].T, 1, factorization)  # of rank 3
    assert made.is_rounding.tolist() == [False] * 3 + [True] * 3


@pytest.mark.costly
@pytest.mark.parametrize("factorization", EACH)
def test_zeros_and_what_is_not_finite(factorization):
    zeros = factored(jnp.zeros((4, 4)), 1, factorization)
    np.testing.assert_array_equal(zeros.pivots, 0)
    assert np.isfinite(zeros.basis).all()
    lost = factored(jnp.full((4, 4), jnp.nan), 1, factorization)
    assert np.isnan(lost.pivots).any()
    basis, diagonal = factorizations.orthonormal(jnp.eye(4).at[2, 2].set(0.0), factorization)
    np.testing.assert_allclose(basis.T @ basis, np.eye(4), atol=1e-14)
    np.testing.assert_allclose(diagonal, [1, 1, 0, 1], atol=1e-14)


def test_cholesky_is_not_only_its_fallback(monkeypatch):
    """Without elimination to fall back on it still factors what is not singular."""

    def refuse(columns, products):
        return factorizations.Triangular(
            jnp.full_like(columns, jnp.nan),
            jnp.full(columns.shape[1], jnp.nan),
            jnp.zeros(columns.shape[1], bool),
        )

    monkeypatch.setattr(factorizations, "eliminated", refuse)

    def deviation(condition):
        basis = factorizations.by_cholesky(columns_of_condition(condition)).basis
        return np.abs(basis.T @ basis - jnp.eye(7)).max()

    for condition in (1.0, 1e4, 3e7):
        assert deviation(condition) < 0.1
    assert deviation(3e7) > 1e-3
    monkeypatch.setattr(factorizations, "_FAR_FROM_ORTHOGONAL", 1e-3)
    assert deviation(3e7) < 1e-14  # twice


def test_auto_is_elimination_on_a_cpu(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert factorizations.fastest(100, 100) == "elimination"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert factorizations.fastest(100, 100) in EACH
