"""Blocks gone through again by few rows: the norms are those of all rows, and it is seen where few are not enough."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax import unrolling
from rnn_jax.jacobian import low_rank

N = 16  # two rows are kept


@pytest.fixture(autouse=True)
def small_states_too(monkeypatch):
    monkeypatch.setattr(low_rank, "LEAST_SIZE", N)


@pytest.fixture
def nothing_is_gone_through_again(monkeypatch):
    monkeypatch.setattr(low_rank, "_with_all_rows", lambda *arguments: arguments[-1])


def chain(matrices, block_count=5, **options):
    """By a function of this call's own, so that it is traced anew with what is patched."""
    return rj.jacobian_chain(
        lambda state, matrix: matrix @ state,
        jnp.ones(N, matrices.dtype),
        matrices,
        method="blocked",
        block_count=block_count,
        **options,
    )


def random_matrices(length, dtype=np.float64):
    """Of which products shrink, and most in most directions."""
    sizes = np.geomspace(3, 0.003, N)
    return jnp.asarray(np.random.default_rng(0).normal(size=(length, N, N)) * sizes / N**0.5, dtype)


def rotations(length):
    return jnp.asarray(np.linalg.qr(np.random.default_rng(1).normal(size=(length, N, N)))[0])


def truth(matrices):
    """Log Frobenius norms at every lag, each product divided by its norm."""
    product, log, logs = np.eye(N), 0.0, [0.5 * np.log(N)]
    for matrix in np.asarray(matrices, np.float64)[::-1]:
        product = product @ matrix
        size = np.linalg.norm(product)
        if size == 0:
            return np.array(logs + [-np.inf] * (len(matrices) + 1 - len(logs)))
        product, log = product / size, log + np.log(size)
        logs.append(log)
    return np.array(logs)


@pytest.mark.parametrize("length", [100, 103])
@pytest.mark.parametrize("block_count", [2, 3])
def test_few_rows_are_enough_where_directions_part(length, block_count, nothing_is_gone_through_again):
    matrices = random_matrices(length)
    np.testing.assert_allclose(chain(matrices, block_count).log_frobenius_norm, truth(matrices), atol=1e-9)


def test_they_are_not_after_a_few_steps(nothing_is_gone_through_again):
    matrices = random_matrices(100)
    assert 1e-6 < np.abs(chain(matrices, 20).log_frobenius_norm - truth(matrices)).max() < 1


@pytest.mark.costly
@pytest.mark.parametrize("make", [random_matrices, rotations])
@pytest.mark.parametrize("block_count", [2, 7, 20, 100])
def test_where_they_are_not_all_are_taken(make, block_count):
    matrices = make(100)
    np.testing.assert_allclose(chain(matrices, block_count).log_frobenius_norm, truth(matrices), atol=1e-9)


@pytest.mark.parametrize(("length", "block_count"), [(100, 5), (103, 7), (201, 3)])
def test_several_steps_a_turn(length, block_count, monkeypatch):
    """As on an accelerator: four (of 20 steps a block), three (of 15), four once 67 steps are 68."""
    monkeypatch.setattr(unrolling, "on_an_accelerator", lambda: True)
    matrices = random_matrices(length)
    np.testing.assert_allclose(chain(matrices, block_count).log_frobenius_norm, truth(matrices), atol=1e-9)


def test_the_output_has_rows_of_its_own():
    matrices = random_matrices(100)
    options = {"output": lambda state: state[3:5] ** 2}
    by_few = chain(matrices, **options)
    one_by_one = rj.jacobian_chain(
        lambda state, matrix: matrix @ state, jnp.ones(N), matrices, method="sequential", **options
    )
    np.testing.assert_allclose(by_few.log_output_norm, one_by_one.log_output_norm, atol=1e-9)
    np.testing.assert_allclose(by_few.log_frobenius_norm, one_by_one.log_frobenius_norm, atol=1e-9)


def parted(length, late, early):
    """Units 0..7 times `late` in the last half of the steps and `early` before, the others times 0.5: they never mix."""
    first = np.where(np.arange(length) < length // 2, early, late)
    return jnp.asarray(
        np.stack([np.diag([size * (1 - 0.02 * unit) for unit in range(8)] + [0.5] * 8) for size in first])
    )


def test_what_counts_for_nothing_at_first_and_is_all_that_is_left_later():
    matrices = parted(120, late=1.0, early=1e-5)
    np.testing.assert_allclose(chain(matrices).log_frobenius_norm, truth(matrices), atol=1e-9)


def test_that_case_is_one_that_few_rows_get_wrong(nothing_is_gone_through_again):
    matrices = parted(120, late=1.0, early=1e-5)
    assert np.abs(chain(matrices).log_frobenius_norm - truth(matrices)).max() > 1


@pytest.mark.parametrize("size", [1e25, 1e-25])
def test_a_step_whose_squares_leave_the_range_of_float32(size):
    matrices = random_matrices(60, np.float32).at[17].multiply(size).at[41].multiply(size)
    found = chain(matrices, states=jnp.ones((61, N), jnp.float32))
    np.testing.assert_allclose(found.frobenius_norm.log_float64(), truth(matrices), atol=2e-4)


def test_a_singular_step_and_one_that_is_not_finite():
    matrices = random_matrices(60).at[20].set(0.0)
    np.testing.assert_allclose(chain(matrices).log_frobenius_norm, truth(matrices), atol=1e-9)
    lost = chain(matrices.at[40].set(jnp.nan)).log_frobenius_norm
    assert np.isfinite(lost[0])
    assert np.isnan(lost[1:]).all()  # every later state is lost as well


def test_a_batch_of_one_that_needs_all_rows_and_one_that_does_not():
    batch = jnp.stack([random_matrices(60), rotations(60)])
    together = jax.vmap(lambda matrices: chain(matrices).log_frobenius_norm)(batch)
    np.testing.assert_allclose(together, np.stack([truth(each) for each in batch]), atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_part_that_comes_back_from_beyond_the_range(dtype):
    """Half of the units shrink by more than the dtype's range within a block and grow again by as much."""
    factor = 1e5 if dtype == np.float32 else 1e40
    logs = np.where(np.arange(120) % 24 < 12, np.log(factor), -np.log(factor))
    matrices = np.stack([np.diag([size] * 8 + [0.9] * 8) for size in np.exp(logs)])
    changed = np.concatenate([[0.0], np.cumsum(logs[::-1])])
    kept = np.log(0.9) * np.arange(121)
    found = chain(jnp.asarray(matrices, dtype), states=jnp.ones((121, N), dtype))
    np.testing.assert_allclose(
        found.frobenius_norm.log_float64(),
        0.5 * (np.log(8) + np.logaddexp(2 * changed, 2 * kept)),
        atol=1e-3 if dtype == np.float32 else 1e-9,
    )


def two_units(first, second, rotation=None):
    """Two units by themselves, each times the numbers given for it from the last step backwards; the others are dead."""
    steps = np.stack([np.diag([a, b] + [0.0] * (N - 2)) for a, b in zip(first, second, strict=True)])[::-1]
    return steps if rotation is None else steps[:, rotation][:, :, rotation]


@pytest.mark.parametrize(("dtype", "factor", "second"), [(np.float32, 1e10, 1e-4), (np.float64, 1e80, 1e-60)])
@pytest.mark.parametrize("permuted", [False, True])
def test_a_unit_that_outgrows_another_beyond_the_range_and_then_all_but_dies(dtype, factor, second, permuted):
    """Rows that were mixtures of the two would lose the second one for good."""
    first = [1.0] * 20 + [factor] * 4 + [1 / factor] * 6 + [1.0] * 10
    order = np.random.default_rng(0).permutation(N) if permuted else None
    matrices = two_units(first, [second] + [1.0] * 39, order)
    found = chain(jnp.asarray(matrices, dtype), 2, states=jnp.ones((41, N), dtype))
    logs = np.cumsum(np.log(first)), np.full(40, np.log(second))
    np.testing.assert_allclose(
        found.frobenius_norm.log_float64()[1:],
        np.logaddexp(2 * logs[0], 2 * logs[1]) / 2,
        atol=1e-4 if dtype == np.float32 else 1e-9,
    )


def test_a_product_in_which_the_largest_rows_cancel():
    """To the last bit: what is left comes from a row that was far below rounding."""
    late, early = np.zeros((2, N, N))
    late[0, :2], late[1, :3] = [1e-40, 2e-40], 1
    early[0, 0], early[1, 0], early[2, 0] = 1, -1, 1e-55
    matrices = jnp.asarray(np.stack([np.eye(N)] * 3 + [early, late] + [np.eye(N)] * 3))
    assert chain(matrices, 2).log_frobenius_norm[-1] == pytest.approx(np.log(1e-40), abs=1e-9)


@pytest.mark.costly
@pytest.mark.parametrize("name", ["elman_tanh", "lstm"])
def test_a_cell_of_the_size_from_which_on_they_are_tried(name, monkeypatch):
    monkeypatch.undo()
    cell = rj.cells.create(name, 2, 128 if name == "elman_tanh" else 64, key=jax.random.key(0))
    xs = jax.random.normal(jax.random.key(1), (203, 2))
    options = {"output": cell.output}
    by_few = rj.jacobian_chain(cell, cell.initial_state(), xs, method="blocked", block_count=4, **options)
    one_by_one = rj.jacobian_chain(cell, cell.initial_state(), xs, method="sequential", **options)
    for norm in ("log_frobenius_norm", "log_output_norm"):
        np.testing.assert_allclose(getattr(by_few, norm), getattr(one_by_one, norm), atol=1e-9)
