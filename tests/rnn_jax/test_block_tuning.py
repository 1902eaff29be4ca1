import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax import block_tuning as tuning
from rnn_jax.jacobian import block_table
from rnn_jax.jacobian.block_count import untuned_blocks


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    block_table.forget()
    yield
    block_table.forget()


@pytest.mark.costly
def test_every_count_of_blocks_gives_the_same_norms():
    cell = rj.cells.create("gru", 2, 4, key=jax.random.key(0))
    xs = jax.random.normal(jax.random.key(1), (23, 2))
    options = {"norms": ("spectral",), "output": cell.output}
    expected = rj.jacobian_chain(cell, cell.initial_state(), xs, **options)
    for count in (1, 5, 8, 23):
        chain = rj.jacobian_chain(
            cell, cell.initial_state(), xs, method="blocked", block_count=count, **options
        )
        assert chain.block_count == count
        for name in ("log_frobenius_norm", "log_spectral_norm", "log_output_norm"):
            np.testing.assert_allclose(getattr(chain, name), getattr(expected, name), rtol=1e-10, atol=1e-10)
    lags = [0, 3, 23]
    few = rj.jacobian_chain(cell, cell.initial_state(), xs, lags, method="blocked", block_count=7)
    np.testing.assert_allclose(
        few.log_frobenius_norm, expected.log_frobenius_norm[np.array(lags)], rtol=1e-10
    )


def test_the_fastest_count_is_kept_and_used(monkeypatch):
    """The clock is ours: each call takes as long as its count of blocks says."""
    seconds = {0: 9.0, 2: 5.0, 4: 3.0, 8: 4.0}
    monkeypatch.setattr(tuning, "_interleaved", lambda calls, _: (dict.fromkeys(calls, 0.25), seconds))
    made = rj.tune_blocks(4, 60, block_counts=[8, 2, 4])
    assert (made.block_count, made.block_counts, made.blocked_s) == (4, (2, 4, 8), (5.0, 3.0, 4.0))
    assert (made.sequential_s, made.compile_s, made.dtype) == (9.0, 0.25, "float64")
    block_table.forget()
    kept = block_table.nearest(4, "float64", 60)
    assert (kept.block_count, kept.blocked_s, kept.sequential_s) == (4, 3.0, 9.0)
    step = jax.tree_util.Partial(lambda factor, h, _: factor * h, jnp.float64(0.5))
    chain = jax.eval_shape(lambda: rj.jacobian_chain(step, jnp.ones(3), None, length=50, method="blocked"))
    assert chain.block_count == 4


@pytest.mark.costly
def test_it_measures_what_it_says_without_leaving_a_trace_where_nothing_is_to_be_kept(tmp_path):
    made = rj.tune_blocks(3, 40, dtype="float32", rounds=1, block_counts=[3], sequential=False, save=False)
    assert (made.device_kind, made.dtype) == (block_table.device_kind(), "float32")
    assert (made.state_size, made.sequence_length, made.sequential_s) == (3, 40, None)
    assert made.blocked_s[0] > 0
    assert made.compile_s > made.blocked_s[0]
    assert list(tmp_path.iterdir()) == []
    assert block_table.nearest(3, "float32", 40) is None


def test_the_ladder_lies_around_what_is_taken_untuned_and_below_what_there_can_be():
    assert tuning._ladder(2**10, 2**30) == [2**power for power in range(7, 14)]
    assert tuning._ladder(2**10, 600) == [128, 256, 512, 600]
    assert tuning._ladder(2, 2) == [1, 2]


@pytest.mark.parametrize(
    ("size", "dtype", "length", "count"),
    [
        (64, "float32", 100_000, 447),  # the root of 2 T
        (512, "float32", 10_000, 32),
        (512, "float64", 10_000, 16),
        (4096, "float64", 10_000, 2),
        (8192, "float64", 10_000, 1),
        (64, "float32", 1, 1),
    ],
)
def test_untuned_products_fit_into_a_cache(size, dtype, length, count):
    assert untuned_blocks(size, jnp.dtype(dtype), length) == count


def test_a_folder_that_cannot_be_written_is_said(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tuning, "_interleaved", lambda calls, _: (dict.fromkeys(calls, 1.0), {3: 1.0}))
    with pytest.warns(RuntimeWarning, match=r"known to this process alone.*set XDG_CACHE_HOME"):
        rj.tune_blocks(4, 60, block_counts=[3], sequential=False)
    assert block_table.nearest(4, "float64", 60).block_count == 3


ERRORS = {
    "size": ({"state_size": 0}, "state_size must be a whole number of at least 1, got 0"),
    "rounds": ({"rounds": 0}, "rounds must be a whole number of at least 1, got 0"),
    "dtype": ({"dtype": "int32"}, "dtype must be a real floating dtype, got int32"),
    "blocks": ({"block_counts": [4, 99]}, r"block_counts must lie in 1\.\.30 for 4 units, 30 steps"),
    "no blocks": ({"block_counts": []}, r"block_counts must be a sequence of whole numbers .*, got \[\]"),
    "no number": ({"block_counts": [2, True]}, r"block_counts must be a sequence .*, got \[2, True\]"),
    "16 bits": ({"dtype": "float16"}, "dtype must be float32 or float64, got float16"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_wrong_argument_is_named(name):
    options, message = ERRORS[name]
    with pytest.raises(ValueError, match=message):
        rj.tune_blocks(**{"state_size": 4, "length": 30, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "sequential", "block_count": 3}, 'block_count=3 needs method="blocked", got .sequential'),
        ({"block_count": 3}, 'block_count=3 needs method="blocked", got .auto'),
        ({"method": "blocked", "block_count": 0}, r"block_count must be a whole number in 1\.\.5"),
        ({"method": "blocked", "block_count": 6}, r"block_count must be a whole number in 1\.\.5.* got 6"),
    ],
)
def test_a_chain_names_a_wrong_count_of_blocks(options, message):
    with pytest.raises(ValueError, match=message):
        rj.jacobian_chain(lambda h, _: h, jnp.ones(2), None, length=5, **options)
