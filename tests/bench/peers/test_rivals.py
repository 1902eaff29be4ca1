"""What each rival answers is what NumPy or we answer; those of PyTorch and lyapax where they are installed."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from bench import peers
from bench.peers import jax_jacrev, ours, reference
from bench.peers.contender import ChainProblem, SpectrumProblem, TrainingProblem
from rnn_jax.training.model import Model

KEY = jax.random.key(5)


@pytest.fixture
def chain():
    cell = rj.cells.Elman.create(2, 6, key=KEY, dtype=jnp.float64)
    cell = type(cell)(cell.weight_hh, cell.weight_xh, jnp.linspace(-0.3, 0.4, 6), "tanh")
    return ChainProblem(cell, jax.random.normal(KEY, (20, 2), jnp.float64), on_gpu=False)


def assert_right_at_every_lag(problem, contenders):
    truth = reference.chain_log_norms(problem.cell, np.asarray(problem.xs))
    for contender in contenders:
        answer = contender.answer()
        np.testing.assert_allclose(answer["log_norm"], truth, atol=1e-9, err_msg=contender.name)
        assert not contender.not_run


def test_ours_and_jacrev_give_every_lag(chain):
    own, limit = ours.contenders(chain)
    assert_right_at_every_lag(chain, [own, *jax_jacrev.contenders(chain)])
    assert (own.name, limit.name, limit.answer) == ("rnn_jax", "bare_products", None)


def test_a_jacrev_a_lag_is_not_run_where_it_takes_minutes(chain):
    xs = jnp.zeros((jax_jacrev.MOST_STEPS_EACH_LAG + 1, 2))
    _, each_lag = jax_jacrev.contenders(ChainProblem(chain.cell, xs, on_gpu=False))
    assert "up to T = 100" in each_lag.not_run


@pytest.mark.parametrize("rival", ["torch_autograd", "torch_func"])
def test_torch_gives_every_lag(rival, chain):
    pytest.importorskip("torch", reason="PyTorch comes with the extra `peers`")
    module = pytest.importorskip(f"bench.peers.{rival}")
    assert_right_at_every_lag(chain, module.contenders(chain))


def test_lyapax_gives_numpys_exponents(jax_promotes):
    pytest.importorskip("lyapax", reason="lyapax comes with the extra `peers`")
    from bench.peers import lyapax_spectrum

    cell = rj.cells.Elman.create(1, 5, key=KEY, gain=2.0, dtype=jnp.float64)
    state = jax.random.normal(KEY, (5,), jnp.float64)
    problem = SpectrumProblem(cell, state, 100, 1000, 2, np.full(5, 0.01), on_gpu=False)
    states = np.asarray(rj.trajectory(cell, state, None, length=1100))[1:]
    truth = reference.lyapunov_exponents(np.asarray(cell.weight_hh), states, 100)
    for contender, method in zip(
        lyapax_spectrum.contenders(problem), ("jvp_qr_every_2", "jvp_qr_every_1"), strict=True
    ):
        assert contender.method == method
        answer = contender.answer()
        np.testing.assert_allclose(answer["exponents"], truth, atol=0.02)
        assert (
            reference.logdet_residual(answer["exponents"], np.asarray(cell.weight_hh), answer["states"])
            < 1e-12
        )


@pytest.mark.parametrize("family", ["Elman", "GRU", "LSTM"])
def test_torch_takes_our_training_step(family, jax_promotes):
    pytest.importorskip("torch", reason="PyTorch comes with the extra `peers`")
    from bench.peers import torch_nn

    task = rj.tasks.Adding(12)
    cell = getattr(rj.cells, family).create(2, 7, key=KEY, dtype=jnp.float64)
    # Every number random, also the biases that begin as zeros: a swapped gate shows.
    leaves, structure = jax.tree.flatten(Model.create(cell, 1, key=KEY))
    keys = jax.random.split(KEY, len(leaves))
    drawn = [
        0.5 * jax.random.normal(key, leaf.shape, leaf.dtype) for key, leaf in zip(keys, leaves, strict=True)
    ]
    model = jax.tree.unflatten(structure, drawn)
    batch = task.sample(KEY, 3, jnp.float64)
    problem = TrainingProblem(model, task, batch, 2e-3, on_gpu=False)
    (own,), (rival,) = ours.contenders(problem), torch_nn.contenders(problem)
    expected, answer = own.answer(), rival.answer()
    assert expected["loss"] > 0
    for quantity, tolerance in (("loss", 1e-12), ("gradient", 1e-10), ("update", 1e-6)):
        np.testing.assert_allclose(
            answer[quantity], expected[quantity], rtol=tolerance, atol=1e-9 * tolerance
        )
    before = rival.answer()["loss"]
    rival.call()
    assert rival.answer()["loss"] == before, "timing does not change what is compared"


def test_our_step_is_that_of_plain_autodiff(jax_promotes):
    task = rj.tasks.Adding(12)
    model = Model.create(rj.cells.GRU.create(2, 5, key=KEY, dtype=jnp.float64), 1, key=KEY)
    batch = task.sample(KEY, 3, jnp.float64)
    (own,) = ours.contenders(TrainingProblem(model, task, batch, 1e-2, on_gpu=False))

    def loss_of(vector):
        rebuilt = jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in zip(
            jnp.split(vector, splits), leaves, strict=True)])  # fmt: skip
        last = [rj.trajectory(rebuilt.cell, rebuilt.cell.initial_state(), xs)[-1] for xs in batch.inputs]
        outputs = jnp.stack([rebuilt.readout(state) for state in last])[:, None]
        return jnp.mean((outputs - batch.targets) ** 2)

    leaves, structure = jax.tree.flatten(model)
    splits = np.cumsum([leaf.size for leaf in leaves])[:-1]
    vector = jnp.concatenate([leaf.ravel() for leaf in leaves])
    loss, gradient = jax.value_and_grad(loss_of)(vector)
    answer = own.answer()
    np.testing.assert_allclose(answer["loss"], loss, rtol=1e-12)
    np.testing.assert_allclose(answer["gradient"], gradient, rtol=1e-9, atol=1e-14)
    # Adam's first update is the learning rate against the sign of the gradient.
    np.testing.assert_allclose(answer["update"], -1e-2 * np.sign(gradient), rtol=1e-3, atol=1e-5)


def test_a_missing_package_is_told_with_the_command(monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda name: None if name in ("torch", "lyapax") else object())
    for operation, package in (("training_step", "torch"), ("lyapunov_spectrum", "lyapax")):
        with pytest.raises(
            ModuleNotFoundError, match=rf"{package} not installed.*pip install 'rnn-jax-bench\[peers\]'"
        ):
            peers.require(operation)


def test_no_rival_is_imported_before_it_is_used():
    code = "import sys, bench.cli.main, bench.cases, bench.tables; print('torch' in sys.modules, 'lyapax' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert told.stdout.split() == ["False", "False"]
