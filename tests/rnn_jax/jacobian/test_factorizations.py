import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.jacobian import factorizations, gram_schmidt
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


@pytest.mark.costly
def test_cholesky_is_not_only_its_fallback(monkeypatch):
    """Without elimination to fall back on it still factors what is not singular."""

    def refuse(columns, products):
        made = factorizations.reflected(columns)
        return dataclasses.replace(made, basis=jnp.full_like(columns, jnp.nan))

    monkeypatch.setattr(factorizations, "eliminated", refuse)

    def deviation(condition):
        basis = factorizations.by_cholesky(columns_of_condition(condition)).basis
        return np.abs(basis.T @ basis - jnp.eye(7)).max()

    for condition in (1.0, 1e4, 1e6):
        assert deviation(condition) < 1e-3
    assert deviation(3e7) < 1e-14  # twice
    monkeypatch.setattr(gram_schmidt, "FAR_FROM_ORTHOGONAL", 0.1)
    assert deviation(3e7) > 1e-3


def ordered_columns(condition, rows=40, count=23):
    """Columns that are less and less, as those of a chain are once they are aligned with its exponents."""
    random = np.random.default_rng(3)
    basis = np.linalg.qr(random.normal(size=(rows, count)))[0]
    upper = np.triu(random.normal(size=(count, count))) / count**0.5
    np.fill_diagonal(upper, 1)
    return jnp.asarray(basis @ (np.geomspace(1, 1 / condition, count)[:, None] * upper))


@pytest.fixture(params=[100, 6], ids=["small", "large"])
def small_panels(request, monkeypatch):
    """Three of six, which are small ones or large."""
    monkeypatch.setattr(gram_schmidt, "PANEL", 6)
    monkeypatch.setattr(gram_schmidt, "SMALLEST", 3)
    monkeypatch.setattr(gram_schmidt, "LARGE", request.param)
    assert gram_schmidt.panel_sizes(23) == [6, 6, 6, 3, 2]


@pytest.mark.parametrize("condition", [1.0, 1e4, 1e10, 1e13])
def test_columns_in_panels(condition, small_panels):
    """One Cholesky factor of all of them would fail at a condition number of 1e10."""
    columns = ordered_columns(condition)
    basis, pivots, lengths, exponent = factorizations._cholesky_qr(columns, False)
    off = np.linalg.norm(basis.T @ basis - jnp.eye(23))
    assert off < (1e-6 if condition < 1e8 else 3e-3)
    true = np.abs(np.diag(np.linalg.qr(np.asarray(columns))[1]))
    np.testing.assert_allclose(np.ldexp(pivots, exponent), true, rtol=1e-12 + 1e-14 * condition)
    np.testing.assert_allclose(np.ldexp(lengths, exponent), np.linalg.norm(columns, axis=0), rtol=1e-12)


def test_orthonormal_columns_in_panels(small_panels):
    columns = ordered_columns(1e8)
    basis, diagonal = factorizations.orthonormal(columns, "cholesky")
    np.testing.assert_allclose(basis.T @ basis, np.eye(23), atol=1e-14)
    np.testing.assert_allclose(diagonal, np.abs(np.diag(np.linalg.qr(np.asarray(columns))[1])), rtol=1e-6)


@pytest.mark.parametrize("size", [1e-12, 1e-4, 1.0])
@pytest.mark.parametrize("where", ["before", "own"])
def test_the_deviation_is_what_it_says(size, where):
    random = np.random.default_rng(4)
    before, own = np.split(np.linalg.qr(random.normal(size=(40, 23)))[0].T, [15])
    mixed = random.normal(size=(8, 15 if where == "before" else 8)) * size
    own = own + mixed @ (before if where == "before" else own)
    excess = np.vstack([before, own]) @ own.T
    excess[15:] -= np.eye(8)
    truth = np.linalg.norm(excess)
    assert (
        truth / 2
        < gram_schmidt.deviation([jnp.asarray(before[:7]), jnp.asarray(before[7:])], jnp.asarray(own))
        < 2 * truth
    )


def test_only_a_panel_that_is_far_is_done_again(small_panels, monkeypatch):
    """The last panels hold the least of the columns, and so what of the others is left in them."""
    rows = ordered_columns(1e13).T
    basis, _ = gram_schmidt.orthogonalized(rows)
    monkeypatch.setattr(gram_schmidt, "FAR_FROM_ORTHOGONAL", np.inf)
    once, _ = gram_schmidt.orthogonalized(rows)
    far, near = (np.linalg.norm(each @ each.T - np.eye(23)) for each in (once, basis))
    assert far > 0.02
    assert near < 3e-3
    same = (basis == once).all(axis=1)
    assert same[:12].all()
    assert not same[21:].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_large_panel_of_rows_that_are_almost_one_is_done_again(dtype, monkeypatch):
    for name, value in {"PANEL": 6, "SMALLEST": 3, "LARGE": 6}.items():
        monkeypatch.setattr(gram_schmidt, name, value)
    rows = np.random.default_rng(5).normal(size=(23, 40))
    rows[4] = rows[2] + rows[4] * (1e-6 if dtype == np.float64 else 6e-4)
    rows = jnp.asarray(rows, dtype)
    basis = np.asarray(gram_schmidt.orthogonalized(rows)[0])
    assert np.abs(basis @ basis.T - np.eye(23)).max() < 1e-5
    monkeypatch.setattr(gram_schmidt, "FAR_FROM_ORTHOGONAL", np.inf)
    basis = np.asarray(gram_schmidt.orthogonalized(rows)[0])
    assert np.abs(basis @ basis.T - np.eye(23)).max() > 2e-5


@pytest.mark.parametrize(
    "rows",
    [np.eye(64) - 0.3 * np.tril(np.ones((64, 64)), -1), np.eye(64) + 1.25 * np.eye(64, k=-1)],
    ids=["kahan", "shift"],
)
def test_a_large_panel_whose_pivots_do_not_tell_its_condition(rows, monkeypatch):
    """No row is much shorter than it was, and the condition number is 1e7 or 1e8."""
    for name, value in {"PANEL": 64, "SMALLEST": 16, "LARGE": 64}.items():
        monkeypatch.setattr(gram_schmidt, name, value)
    other, directions = np.random.default_rng(7).normal(size=(2, 64, 128))
    rows = np.vstack([rows @ np.linalg.qr(directions.T)[0].T, other])
    basis, pivots = gram_schmidt.orthogonalized(jnp.asarray(rows))
    assert np.abs(basis @ basis.T - np.eye(128)).max() < 1e-9
    np.testing.assert_allclose(pivots, np.abs(np.diag(np.linalg.qr(rows.T)[1])), rtol=1e-6)


@pytest.mark.parametrize("size", [1, 63, 64, 65, 200, 256, 700])
def test_the_inverse_of_a_triangular_matrix(size):
    lower = np.tril(np.random.default_rng(6).normal(size=(size, size))) / size**0.5 + 2 * np.eye(size)
    made = gram_schmidt.inverse(jnp.asarray(lower))
    np.testing.assert_allclose(made @ lower, np.eye(size), atol=1e-12)
    np.testing.assert_array_equal(np.triu(made, 1), 0)


def test_every_row_is_in_one_panel():
    for count in (1, 64, 65, 100, 512, 513, 1000, 1024, 4096):
        sizes = gram_schmidt.panel_sizes(count)
        assert sum(sizes) == count
        assert 1 <= min(sizes) <= max(sizes) <= gram_schmidt.PANEL
        assert sizes == sorted(sizes, reverse=True)


def test_panels_of_what_is_singular_are_left_to_elimination(small_panels):
    columns = ordered_columns(1e3).at[:, 9].set(0.0)
    made = factorizations.by_cholesky(columns)
    assert np.isfinite(made.basis).all()
    assert int(jnp.argmin(made.pivots)) == 9
    assert made.is_rounding[9]


def test_auto_is_elimination_on_a_cpu(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert factorizations.fastest() == "elimination"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert factorizations.fastest() in EACH
