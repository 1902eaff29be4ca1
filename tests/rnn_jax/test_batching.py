"""Factorisations that may run beside others are not batched on a CPU, where two batches can wait for themselves."""

import re

import jax
import jax.numpy as jnp
import pytest

import rnn_jax as rj
from rnn_jax.training.model import Model


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="an accelerator factorises a batch at once")
def test_log_determinants_of_several_sequences_are_taken_one_at_a_time():
    """They check a spectrum while it is swept on, so beside its factorisations."""
    cell = rj.cells.create("elman_tanh", 2, 4, key=jax.random.key(0), dtype=jnp.float32)
    xs = jax.random.normal(jax.random.key(1), (3, 40, 2), jnp.float32)
    spectra = jax.vmap(lambda x: rj.lyapunov_spectrum(cell, cell.initial_state(), x).exponents)
    program = jax.jit(spectra).lower(xs).as_text()
    batched = re.findall(r'lapack_sgetrf_ffi.*num_batch_dims = "1"', program)
    assert len(batched) == 2, "the eliminations of the transient and of the sweep, and no determinant"


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="an accelerator factorises a batch at once")
def test_flossing_factorises_one_sequence_at_a_time_forwards_and_backwards():
    """Seeds train on threads, as many as there are cores: each with a batch, they waited for ever from 32 columns on."""
    task, key = rj.tasks.Adding(10), jax.random.key(0)
    cell = rj.cells.create("elman_tanh", 2, 4, key=key, dtype=jnp.float32)
    model = Model.create(cell, 1, key=key)
    batch = task.sample(key, 3, jnp.float32)
    penalty = rj.remedies.gradient_flossing(1.0, exponents=3, sequences=3).penalty
    program = jax.jit(jax.grad(lambda model: penalty(task, model, batch, key))).lower(model).as_text()
    assert set(re.findall(r"@lapack_(s\w+)_ffi", program)) == {"sgeqrf", "sorgqr", "strsm"}
    assert not re.findall(r'lapack_\w+.*num_batch_dims = "[1-9]"', program)
