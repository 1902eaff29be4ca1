"""Factorisations that may run beside others are not batched on a CPU, where two batches can wait for themselves."""

import re

import jax
import jax.numpy as jnp
import pytest

import rnn_jax as rj


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="an accelerator factorises a batch at once")
def test_log_determinants_of_several_sequences_are_taken_one_at_a_time():
    """They check a spectrum while it is swept on, so beside its factorisations."""
    cell = rj.cells.create("elman_tanh", 2, 4, key=jax.random.key(0), dtype=jnp.float32)
    xs = jax.random.normal(jax.random.key(1), (3, 40, 2), jnp.float32)
    spectra = jax.vmap(lambda x: rj.lyapunov_spectrum(cell, cell.initial_state(), x).exponents)
    program = jax.jit(spectra).lower(xs).as_text()
    batched = re.findall(r'lapack_sgetrf_ffi.*num_batch_dims = "1"', program)
    assert len(batched) == 2, "the eliminations of the transient and of the sweep, and no determinant"
