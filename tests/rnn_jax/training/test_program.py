"""One compiled program serves every call that differs only in data."""

from dataclasses import dataclass, replace
from threading import Barrier, Lock
from time import sleep
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_jax as rj
from rnn_jax.remedies import clip_by_norm, identity_initialization, orthogonal_initialization
from rnn_jax.training import program, trainer
from rnn_jax.training.run import Run

TASK = rj.tasks.Adding(13)  # no other test's, so that none compiled its program before


def tanh_net(key):
    return rj.cells.create("elman_tanh", 2, 3, key=key, dtype=jnp.float32)


def train(**options):
    settings = {"key": jax.random.key(3), "seeds": 2, "batch_size": 4, "step_budget": 4, "evaluate_every": 2}
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return rj.train(TASK, tanh_net, **(settings | options))


@pytest.fixture
def compiled(compilations, monkeypatch):
    """How many programs each call of `train` compiled to advance its seeds, one after the other."""
    counts = []
    lowered = trainer.lowered

    @dataclass
    class Counted:
        program: Any

        def compile(self):
            with compilations() as programs:
                advance = self.program.compile()
            counts.append(len(programs))
            return advance

    monkeypatch.setattr(trainer, "lowered", lambda *arguments: Counted(lowered(*arguments)))
    return counts


@pytest.mark.costly
def test_another_budget_rate_or_initialisation_compiles_nothing(compiled):
    first = train(optimizer=optax.sgd, learning_rates=[1e-2, 1e-2])
    assert compiled == [1]
    longer = train(optimizer=optax.sgd, learning_rates=[1e-2, 1e-1], step_budget=7)
    changed = train(optimizer=optax.sgd, learning_rates=[1e-2, 1e-2], remedy=identity_initialization(0.5))
    assert compiled == [1, 0, 0]
    # And it is no stale program: the data act.
    assert longer.loss.shape == (2, 7)
    np.testing.assert_array_equal(longer.loss[0, :4], first.loss[0])
    assert longer.loss[1, 1] != first.loss[1, 1]
    np.testing.assert_array_equal(changed.initial_model.cell.weight_hh[0], 0.5 * np.eye(3))
    assert (changed.loss != first.loss).all()
    train(optimizer=optax.sgd, learning_rates=[1e-2, 1e-2], remedy=clip_by_norm(1.0))
    assert compiled == [1, 0, 0, 1], "what acts in a training step is another program"


@pytest.mark.costly
def test_calls_that_name_no_optimiser_share_a_program(compiled):
    train()
    train(remedy=orthogonal_initialization(1.0))
    assert compiled == [1, 0]


@dataclass
class SteepestDescent:
    """An update that cannot be hashed, as its rate can change."""

    rate: float

    def __call__(self, gradient, state, parameters=None):
        return jax.tree.map(lambda leaf: -self.rate * leaf, gradient), state


@pytest.mark.costly
def test_an_optimiser_that_cannot_be_hashed_is_compiled_at_every_call_and_never_stale(compiled):
    update = SteepestDescent(0.1)
    optimizer = optax.GradientTransformation(lambda parameters: (), update)
    with pytest.raises(TypeError):
        hash(optimizer)
    for rate in (0.1, 0.3):
        update.rate = rate
        result, expected = train(optimizer=optimizer), train(optimizer=optax.sgd(rate))
        np.testing.assert_allclose(result.loss, expected.loss, rtol=1e-6)
    assert compiled == [1] * 4


@pytest.mark.costly
def test_a_snapshot_is_the_model_of_a_run_that_ends_there():
    result = train(step_budget=9, snapshot_steps=[5, 2, 1, 9])
    assert [steps for steps, _ in result.snapshots] == [2, 6, 9], "each at the evaluation from there on"
    for steps, model in result.snapshots:
        ended = train(step_budget=steps)
        assert ended.steps_run.tolist() == [steps, steps]
        for leaf, expected in zip(jax.tree.leaves(model), jax.tree.leaves(ended.model), strict=True):
            np.testing.assert_array_equal(leaf, expected)


@pytest.mark.costly
def test_no_snapshot_is_taken_once_all_seeds_are_done():
    result = train(optimizer=optax.sgd(1e30), step_budget=9, snapshot_steps=[1, 9])
    assert result.verdict == ["diverged"] * 2
    assert [steps for steps, _ in result.snapshots] == [2]


@pytest.fixture
def four_seeds():
    number = jnp.arange(4, dtype=jnp.int32)
    return Run(
        model={
            "weight": jnp.arange(8, dtype=jnp.float32).reshape(4, 2),
            "half": jnp.ones((4, 2), jnp.bfloat16),
        },
        optimizer_state=(),
        key=jax.random.split(jax.random.key(5), 4),
        step=number,
        step_budget=number + 9,
        solved_step=number - 1,
        nonfinite_step=number - 1,
        nonfinite_quantity=number - 1,
        score=jnp.zeros((4, 2)),
        strength=None,
        learning_rate=None,
    )


@pytest.fixture
def at_once(four_seeds, monkeypatch):
    """Advances four seeds on so many cores by a function that only counts: the runs, the curves, the most at once."""

    def advanced(cores, advance):
        monkeypatch.setattr(program, "usable_cores", lambda: cores)
        lock, now, counts = Lock(), [0], [0]

        def counted(run):
            with lock:
                now[0] += 1
                counts.append(now[0])
            try:
                return advance(run)
            finally:
                with lock:
                    now[0] -= 1

        return (*program._each_on_a_core(counted, four_seeds), max(counts))

    return advanced


def test_two_cores_have_two_seeds_at_once_and_each_comes_back_in_its_place(at_once, four_seeds):
    both = Barrier(2)  # passed by two at a time only

    def advance(run):
        both.wait(timeout=60)
        return replace(run, step=run.step + 2), jnp.full((3, 2), run.step, jnp.float32)

    runs, curves, most = at_once(2, advance)
    assert most == 2
    np.testing.assert_array_equal(runs.step, four_seeds.step + 2)
    np.testing.assert_array_equal(curves[:, 0, 0], [0, 1, 2, 3])
    assert jax.tree.structure(runs) == jax.tree.structure(four_seeds)
    for leaf, before in zip(jax.tree.leaves(runs), jax.tree.leaves(four_seeds), strict=True):
        assert (leaf.dtype, leaf.shape) == (before.dtype, before.shape)
    np.testing.assert_array_equal(jax.random.key_data(runs.key), jax.random.key_data(four_seeds.key))


def test_one_core_has_one_seed_at_a_time(at_once):
    assert at_once(1, lambda run: (run, run.score))[2] == 1


def test_where_one_seed_fails_no_further_one_is_begun(at_once):
    begun = []

    def advance(run):
        begun.append(int(run.step))
        sleep(0.2 * len(begun))  # so that the caller hears of the first while the second is under way
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        at_once(1, advance)
    assert begun in ([0], [0, 1])
