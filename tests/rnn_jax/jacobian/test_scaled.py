import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rnn_jax.jacobian import ScaledMatrix, scaled

DTYPES = [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64]
# A compiled function is compiled anew for every shape, so the property tests have one.
SHAPE = (3, 2)

from_array = jax.jit(scaled.from_array)


@jax.jit
def times(left, right):
    """left @ right and the norms of its rows."""
    product = scaled.normalized(left.mantissa @ right, left.exponent)
    return product, scaled.row_norms(product)


def entries(span):
    """Floats with sizes from 2**-span to 2**span, both signs, and zero."""
    size = st.floats(2.0**-span, 2.0**span, width=32)
    return st.one_of(st.just(0.0), size, size.map(lambda x: -x))


def matrix(mantissa, exponent, dtype=jnp.float64):
    return ScaledMatrix(jnp.array(mantissa, dtype), jnp.array(exponent, jnp.int32))


@settings(max_examples=200, deadline=None)
@given(arrays(np.float32, SHAPE, elements=entries(60)))
def test_scaling_and_back_is_exact_to_the_bit(array):
    held = from_array(jnp.asarray(array))
    assert held.exponent.dtype == jnp.int32
    np.testing.assert_array_equal(held.to_array(), array)
    np.testing.assert_array_equal(held.exponent, np.frexp(np.abs(array).max(axis=1))[1])
    largest = np.abs(held.mantissa).max(axis=1)
    assert np.all((largest == 0) | ((largest >= 0.5) & (largest < 1)))


@pytest.mark.costly
@settings(max_examples=200, deadline=None)
@given(
    arrays(np.float32, SHAPE, elements=entries(60)),
    arrays(np.int32, 3, elements=st.integers(-1_000_000, 1_000_000)),
)
def test_the_exponents_of_the_rows_are_kept_apart(array, exponent):
    held = jax.jit(scaled.normalized)(jnp.asarray(array), jnp.asarray(exponent))
    np.testing.assert_array_equal(held.exponent - exponent, np.frexp(np.abs(array).max(axis=1))[1])
    logs = np.log(np.maximum(np.linalg.norm(array.astype(float), axis=1), 1e-300)) + exponent * np.log(2)
    expected = np.where(np.any(array != 0, axis=1), logs, -np.inf)
    np.testing.assert_allclose(scaled.row_norms(held).log_float64(), expected, atol=1e-6)


@pytest.mark.costly
@settings(max_examples=200, deadline=None)
@given(
    arrays(np.float32, SHAPE, elements=entries(20)),
    arrays(np.float32, (2, 2), elements=entries(20)),
    st.integers(-500_000, 500_000),
)
def test_a_product_is_the_product_of_the_plain_matrices(left, right, exponent):
    left_held = from_array(jnp.asarray(left))
    moved = ScaledMatrix(left_held.mantissa, left_held.exponent + jnp.int32(exponent))
    product, rows = times(moved, jnp.asarray(right))
    assert product.exponent.dtype == rows.exponent.dtype == jnp.int32
    back = np.ldexp(np.asarray(product.mantissa, float), np.asarray(product.exponent)[:, None] - exponent)
    exact = left.astype(float) @ right.astype(float)
    rounding = 1e-6 * np.abs(left.astype(float)) @ np.abs(right.astype(float))
    assert np.all(np.abs(back - exact) <= rounding)
    norms = scaled.row_norms(product).log_float64()
    np.testing.assert_allclose(rows.log_float64(), norms, rtol=1e-12, atol=1e-6)
    np.testing.assert_array_equal(np.isneginf(norms), ~np.any(np.asarray(product.mantissa), axis=1))
    assert np.abs(product.mantissa).max() <= 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["max", "smallest_normal", "tiny_power", "one"])
def test_numbers_near_the_limits_of_the_dtype_are_held_exactly(dtype, name):
    info = jnp.finfo(dtype)
    number = {
        "max": info.max,
        "smallest_normal": info.smallest_normal,
        "tiny_power": info.smallest_normal * 2,
        "one": 1,
    }[name]
    array = jnp.array([[number, 0], [0, -number]], dtype)
    held = scaled.from_array(array)
    assert held.mantissa.dtype == dtype
    np.testing.assert_array_equal(held.to_array(), array)
    np.testing.assert_allclose(held.log_row_norms(), np.log(float(number)), rtol=1e-6, atol=1e-12)


@pytest.mark.costly
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_product_leaves_the_range_of_the_dtype_without_over_or_underflow(dtype, sign):
    # Factors whose squares, and whose products with each other, are out of range.
    power = sign * int(0.8 * jnp.finfo(dtype).maxexp)
    factor = jnp.full((2, 2), 2.0**power, dtype)
    product, rows = scaled.from_array(factor), None
    for _ in range(9):
        product, rows = times(product, factor)
    expected = 10 * power * np.log(2) + 10 * np.log(2)  # each factor has the norm 2 * 2**power
    assert float(product.log_spectral_norm()) == pytest.approx(expected, rel=1e-5)
    assert float(scaled.norm_of(rows).log()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_row_of_zeros_and_a_tiny_row_do_not_spoil_an_ordinary_one(dtype):
    tiny = jnp.finfo(dtype).smallest_normal * 4
    held = scaled.from_array(jnp.eye(3, dtype=dtype))
    product, rows = times(
        held, jnp.array([[3, 4], [0, 0], [0, 1]], dtype) * jnp.array([[1], [1], [tiny]], dtype)
    )
    logs = rows.log_float64()
    np.testing.assert_allclose(logs[[0, 2]], [np.log(5), np.log(float(tiny))], rtol=1e-6)
    assert np.isneginf(logs[1])
    np.testing.assert_array_equal(product.to_array()[:2], [[3, 4], [0, 0]])


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_numbers_beyond_the_dtype_become_zero_or_infinity_as_plain_numbers(dtype):
    # int16, in which ldexp works for 16-bit floats, ends at 32,767: no exponent may wrap around.
    for exponent in (-40_000, -65_536, -100_000):
        assert matrix([[0.5]], [exponent], dtype).to_array()[0, 0] == 0
    for exponent in (40_000, 65_536, 100_000):
        assert jnp.isposinf(matrix([[0.5]], [exponent], dtype).to_array()[0, 0])


@pytest.mark.costly
def test_a_row_of_zeros_keeps_out_of_the_norms_whatever_its_exponent():
    held = matrix([[0.0, 0.0], [0.5, 0.0]], [1_000_000, -5_000])
    assert held.log_frobenius_norm() == pytest.approx(-5_001 * np.log(2))
    assert held.log_spectral_norm() == pytest.approx(-5_001 * np.log(2))
    np.testing.assert_allclose(held.log_row_norms(), [-np.inf, -5_001 * np.log(2)])


def test_norms_join_rows_of_one_size_and_drop_those_that_cannot_matter():
    held = matrix([[0.75, 0.0], [0.0, 0.5], [0.5, 0.5]], [1_001, 1_002, -1_000_000])
    # 1.5 and 2 at right angles: Frobenius 2.5, spectral 2, both times 2**1000.
    assert held.log_frobenius_norm() == pytest.approx(np.log(2.5) + 1_000 * np.log(2), rel=1e-12)
    assert held.log_spectral_norm() == pytest.approx(np.log(2.0) + 1_000 * np.log(2), rel=1e-12)


def test_the_zero_matrix_has_log_norm_minus_infinity():
    held = scaled.from_array(jnp.zeros((2, 3)))
    assert jnp.isneginf(held.log_frobenius_norm())
    assert jnp.isneginf(held.log_spectral_norm())
    assert np.isneginf(scaled.frobenius_norm(held).log_float64())


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_infinity_and_nan_pass_through_and_leave_other_rows_alone(dtype):
    array = jnp.array([[jnp.inf, 1.0], [jnp.nan, 1.0], [3.0, 4.0]], dtype)
    held = scaled.from_array(array)
    np.testing.assert_array_equal(held.to_array(), array)
    logs = held.log_row_norms()
    assert jnp.isposinf(logs[0])
    assert jnp.isnan(logs[1])
    assert logs[2] == pytest.approx(np.log(5.0), rel=1e-6)
    assert jnp.isnan(held.log_frobenius_norm())
    assert not jnp.isfinite(scaled.frobenius_norm(scaled.from_array(array[::2])).log())
    for factor in (jnp.eye(2, dtype=dtype), jnp.zeros((2, 2), dtype)):
        product, rows = times(held, factor)
        assert jnp.isnan(product.mantissa[1]).all()
        assert jnp.isnan(rows.mantissa[1])


def test_a_nan_under_a_tiny_exponent_is_not_lost():
    assert jnp.isnan(matrix([[jnp.nan, 0.5], [0.5, 0.5]], [-100_000, 0]).log_frobenius_norm())
    assert jnp.isnan(matrix([[jnp.nan, 0.5], [0.5, 0.5]], [-100_000, 0]).log_spectral_norm())


def test_huge_exponents_neither_wrap_nor_round_in_float64():
    number = scaled.ScaledNumber(jnp.array(0.75, jnp.float32), jnp.array(-2_000_000_000, jnp.int32))
    assert number.log_float64() == np.log(0.75) - 2_000_000_000 * np.log(2)
    wide = matrix([[0.5], [0.5]], [-1_000_000_000, 1_000_000_000], jnp.float32)
    assert wide.log_frobenius_norm() == pytest.approx(999_999_999 * np.log(2), rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_powers_of_two_are_exact(dtype):
    lowest, highest = jnp.finfo(dtype).minexp, jnp.finfo(dtype).maxexp
    exponents = np.arange(lowest, highest, dtype=np.int32)
    powers = scaled.power_of_two(jnp.asarray(exponents), dtype)
    np.testing.assert_array_equal(np.asarray(powers, float), np.ldexp(1.0, exponents))
    below = jnp.array([lowest - 1, -40_000, -(2**31) + 1], jnp.int32)
    np.testing.assert_array_equal(scaled.power_of_two(below, dtype), np.zeros(3))


@pytest.mark.costly
def test_a_batch_of_scaled_matrices_is_a_batch_of_plain_ones():
    batch = jax.random.normal(jax.random.key(0), (4, 3, 2))
    held = jax.vmap(scaled.from_array)(batch)
    np.testing.assert_array_equal(held.to_array(), batch)
    for norm, truth in {
        ScaledMatrix.log_frobenius_norm: np.linalg.norm(batch, axis=(1, 2)),
        ScaledMatrix.log_spectral_norm: np.linalg.norm(batch, 2, axis=(1, 2)),
        ScaledMatrix.log_row_norms: np.linalg.norm(batch, axis=2),
    }.items():
        np.testing.assert_allclose(jax.vmap(norm)(held), np.log(truth), rtol=1e-7)
        np.testing.assert_allclose(norm(held), np.log(truth), rtol=1e-7)
    square = jax.vmap(scaled.from_array)(batch := jax.random.normal(jax.random.key(1), (3, 3, 3)))
    np.testing.assert_allclose(square.log_row_norms(), np.log(np.linalg.norm(batch, axis=2)), rtol=1e-7)


def test_a_product_of_scaled_matrices_is_right_where_rows_differ_by_more_than_the_range():
    generator = np.random.default_rng(0)
    left, right = (generator.standard_normal((3, 3)).astype(np.float32) for _ in range(2))
    left_exponent, right_exponent = np.array([900, -3000, 5]), np.array([-2000, 400, 399])
    got = scaled.product(
        scaled.normalized(jnp.asarray(left), jnp.asarray(left_exponent, jnp.int32)),
        scaled.normalized(jnp.asarray(right), jnp.asarray(right_exponent, jnp.int32)),
    )
    two = mpmath.mpf(2)
    for i in range(3):
        for j in range(3):
            exact = sum(
                mpmath.mpf(float(left[i, k])) * two ** int(left_exponent[i])
                * mpmath.mpf(float(right[k, j])) * two ** int(right_exponent[k])
                for k in range(3)
            )  # fmt: skip
            found = mpmath.mpf(float(got.mantissa[i, j])) * two ** int(got.exponent[i])
            assert abs(found / exact - 1) < 1e-5


@pytest.mark.costly
def test_a_small_term_counts_where_the_large_one_meets_a_zero():
    left = scaled.from_array(jnp.array([[1.0, 1e-30]], jnp.float32))
    right = scaled.normalized(
        jnp.array([[0.0, 0.0], [0.0, 3.0]], jnp.float32), jnp.array([500, -500], jnp.int32)
    )
    product = scaled.product(left, right)
    assert product.log_frobenius_norm() == pytest.approx(np.log(3e-30) - 500 * np.log(2), rel=1e-6)
    zero = scaled.product(left, scaled.from_array(jnp.zeros((2, 2), jnp.float32)))
    assert zero.log_frobenius_norm() == -np.inf


def test_a_long_product_of_small_numbers_is_held_exactly():
    number = scaled.ones(1, jnp.float32)
    for _ in range(50):
        number = scaled.multiplied(number, jnp.full(1, 2.0**-100, jnp.float32), exponent=-3)
    np.testing.assert_allclose(number.log_float64(), -50 * 103 * np.log(2), rtol=1e-15)
