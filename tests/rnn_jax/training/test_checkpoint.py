"""A training that is stopped and begun again ends as if nothing had happened; a file of another is left alone."""

import json
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rnn_jax as rj
from rnn_jax.remedies import clip_by_norm
from rnn_jax.tasks import Adding, Parity
from rnn_jax.training import checkpoint as checkpoints
from rnn_jax.training.checkpoint import Checkpoint, CheckpointError, identity_of
from rnn_jax.training.progress import Progress
from rnn_jax.training.run import Run

TIMES = {"train_s", "compile_s"}


class StoppedError(Exception):
    pass


def tanh_net(key, gain=1.0):
    return rj.cells.create("elman_tanh", 2, 3, key=key, gain=gain, dtype=jnp.float32)


OPTIONS = {
    "key": jax.random.key(7),
    "seeds": [4, 0, 4],
    "batch_size": 4,
    "remedy": clip_by_norm,
    "strengths": [0.5, 1.0, 2.0],
    "learning_rates": [1e-2, 3e-2, 1e30],  # the last one diverges
    "step_budget": 23,
    "evaluate_every": 5,
    "snapshot_steps": [5, 12],
}


def train(create=tanh_net, kill_after=None, **options):
    """The result, and the steps that were told; `StoppedError` once so many steps are done."""
    told = []

    def on_progress(steps, losses):
        assert losses.shape == (3,)
        told.append(steps)
        if steps == kill_after and len(told) > 1:
            raise StoppedError

    chosen = {"task": Adding(10), "on_progress": on_progress} | OPTIONS | options
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return rj.train(chosen.pop("task"), create, **chosen), told


def bytes_of(value):
    """What a tree holds: NaN equals NaN, and 0 is not -0."""
    leaves = jax.tree.leaves(value)
    arrays = [
        jax.random.key_data(leaf)
        if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        else leaf
        for leaf in leaves
    ]
    return [
        (str(each.dtype), np.asarray(each).tobytes()) if hasattr(each, "dtype") else each for each in arrays
    ]


def assert_same_result(result, expected):
    for name in {field.name for field in fields(expected)} - TIMES:
        assert bytes_of(getattr(result, name)) == bytes_of(getattr(expected, name)), name


@pytest.fixture(scope="module")
def whole():
    """What an undisturbed run gives."""
    return train()[0]


@pytest.mark.costly
def test_a_training_that_was_stopped_twice_ends_with_the_same_bytes(whole, tmp_path):
    assert whole.verdict[2] == "diverged"
    assert [steps for steps, _ in whole.snapshots] == [5, 15]
    assert len({leaf.tobytes() for leaf in map(np.asarray, whole.model.weight)}) == 3
    file = tmp_path / "made" / "training.npz"
    for kill_after in (10, 20):
        with pytest.raises(StoppedError):
            train(checkpoint=file, checkpoint_every_s=0, kill_after=kill_after)
    result, told = train(checkpoint=str(file), checkpoint_every_s=0)
    assert told == [20, 23], "it went on, and said from where"
    assert_same_result(result, whole)
    assert result.train_s > 0
    again, told = train(checkpoint=file)
    assert told == [23], "what is done is done"
    assert_same_result(again, whole)
    assert again.train_s == result.train_s, "the time of all pieces"
    assert [path.name for path in file.parent.iterdir()] == ["training.npz"]


@pytest.mark.costly
def test_a_checkpoint_is_written_when_it_is_due_and_at_the_end(whole, tmp_path):
    file = tmp_path / "training.npz"
    with pytest.raises(StoppedError):
        train(checkpoint=file, checkpoint_every_s=1e6, kill_after=20)
    assert not file.exists()
    result, told = train(checkpoint=file, checkpoint_every_s=1e6)
    assert told == [5, 10, 15, 20, 23]
    assert_same_result(result, whole)
    assert file.exists()


@pytest.mark.costly
@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"evaluate_every": 4}, "evaluate_every, at most step_budget, is 5 there and 4 here"),
        ({"learning_rates": [1e-2, 3e-2, 1e-2]}, r"learning_rates is \[0.01, 0.03, 1e\+30\] there"),
        ({"task": Adding(10, "anywhere")}, r"task is .adding\(10, 'halves'\). there"),
        # Functions without a name: what they do tells them apart.
        ({"optimizer": lambda rate: optax.adam(rate, b1=0.8)}, "what a training step does"),
        ({"create": lambda key: tanh_net(key, gain=0.5)}, "the nets that training begins with"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "".join(value),
)
def test_the_file_of_another_training_is_refused_and_left_alone(other, told, finished):
    before = finished.read_bytes()
    with pytest.raises(CheckpointError, match=f"is of another training: {told}") as caught:
        train(checkpoint=finished, **other)
    assert str(finished) in str(caught.value)
    assert "delete it to train from the start, or name another file" in str(caught.value)
    assert finished.read_bytes() == before


@pytest.mark.costly
def test_a_training_is_made_longer_and_ends_with_the_same_bytes(tmp_path):
    file = tmp_path / "training.npz"
    # Of three seeds on one place each, and of two with a copy of one in the last place.
    for options in ({}, {"devices": jax.devices()[:1]}):
        file.unlink(missing_ok=True)
        longer = options | {"step_budget": 20}
        shorter, _ = train(checkpoint=file, **(options | {"step_budget": 15}))
        assert shorter.steps_run.tolist()[:2] == [15, 15]
        result, told = train(checkpoint=file, **longer)
        assert told == [15, 20]
        assert_same_result(result, train(**longer)[0])


@pytest.mark.costly
@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (22, "is of a longer training: step_budget is 23 there and 22 here; a training can be made longer"),
        (24, "ended after 23 steps, amid the 5 between two evaluations"),
    ],
)
def test_an_end_that_cannot_be_gone_to_is_told(budget, told, finished):
    before = finished.read_bytes()
    with pytest.raises(CheckpointError, match=told):
        train(checkpoint=finished, step_budget=budget)
    assert finished.read_bytes() == before


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The checkpoint of the training that most tests are about."""
    file = tmp_path_factory.mktemp("finished") / "training.npz"
    train(checkpoint=file)
    return file


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoint": 3}, "checkpoint must be the path of a file, such as 'training.npz', got 3"),
        ({"checkpoint": "."}, r"checkpoint must be a file, got the folder \."),
        ({"checkpoint_every_s": -1}, "checkpoint_every_s must be a number of seconds from 0 on, got -1"),
        ({"checkpoint_every_s": float("nan")}, "checkpoint_every_s must be a number of seconds"),
    ],
)
def test_wrong_arguments_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        rj.train(Parity(4), tanh_net, key=jax.random.key(0), **options)


# The file itself


@pytest.fixture
def start():
    """The progress of a net of few numbers, of every kind that a run can hold."""
    number = jnp.zeros((2,), jnp.int32)
    model = {"w": jnp.ones((2, 3), jnp.bfloat16), "b": jnp.ones((2, 3), jnp.float64)}
    runs = Run(
        model=model,
        optimizer_state=(jax.random.split(jax.random.PRNGKey(1)), None),
        key=jax.random.split(jax.random.key(3, impl="rbg")),
        step=number,
        step_budget=number + 9,
        solved_step=number - 1,
        nonfinite_step=number - 1,
        nonfinite_quantity=number - 1,
        score=jnp.zeros((2, 2)),
        strength=None,
        learning_rate=None,
    )
    return Progress(runs, step_budget=9, block_steps=2, snapshot_steps=(2, 4, 8))


@pytest.fixture
def later(start):
    """The same after three blocks of invented training."""

    def advance(runs):
        odd = jnp.asarray([[1 / 3, -0.0, jnp.nan], [jnp.inf, 1e-30, 2.0]])
        return replace(
            runs,
            model=jax.tree.map(lambda leaf: leaf * odd.astype(leaf.dtype), runs.model),
            key=jax.vmap(lambda key: jax.random.fold_in(key, 1))(runs.key),
            step=runs.step + 2,
            score=runs.score + 0.1,
        ), jnp.full((2, 2, 2), jnp.nan, jnp.float32)

    for _ in range(3):
        start = start.after_block(advance)
    return start


@pytest.fixture
def checkpoint(start, tmp_path):
    return Checkpoint(tmp_path / "training.npz", identity_of("program", start.runs, {"task": "adding"}))


def test_everything_comes_back_as_it_was(checkpoint, start, later):
    assert checkpoint.read(start) is start
    checkpoint.write(later)
    back = checkpoint.read(start)
    for field in fields(Progress):
        assert bytes_of(getattr(back, field.name)) == bytes_of(getattr(later, field.name)), field.name
    assert jax.tree.structure(back.runs) == jax.tree.structure(later.runs)
    assert back.runs.key.dtype == later.runs.key.dtype
    assert (back.snapshot_steps, [steps for steps, _ in back.snapshots]) == ((8,), [2, 4])


def test_it_may_be_read_by_whoever_may_read_other_files(checkpoint, later):
    checkpoint.write(later)
    other = checkpoint.path.with_name("other")
    other.write_text("")
    assert checkpoint.path.stat().st_mode == other.stat().st_mode
    assert {path.name for path in checkpoint.path.parent.iterdir()} == {"other", checkpoint.path.name}


def test_all_that_differs_is_told_in_short(checkpoint, start, later):
    checkpoint.write(later)
    identity = identity_of("other program", start.runs, {"task": "copy", "seeds": list(range(1000))})
    with pytest.raises(CheckpointError) as caught:
        Checkpoint(checkpoint.path, identity).read(start)
    told = str(caught.value).removeprefix(f"checkpoint {checkpoint.path} is of another training: ")
    assert told.startswith("seeds is None there and [0, 1, 2, 3,")
    assert "... here; task is 'adding' there and 'copy' here; delete it" in told
    assert len(told) < 250
    assert "program" not in told, "which differs with everything else"


def test_nothing_in_the_file_is_pickled(checkpoint, later):
    checkpoint.write(later)
    with np.load(checkpoint.path, allow_pickle=False) as arrays:
        assert {name: arrays[name].dtype.hasobject for name in arrays} == dict.fromkeys(arrays, False)
        assert json.loads(arrays["facts"].tobytes())["identity"]["task"] == "adding"


def cut(content):
    return content[: len(content) // 2]


def one_bit_flipped(content):
    place = content.index(np.float64(1 / 3).tobytes())
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [cut, one_bit_flipped, lambda _: b"", lambda _: b"my own notes"],
    ids=["cut", "bit", "empty", "text"],
)
def test_a_damaged_file_is_refused_and_left_alone(damage, checkpoint, start, later):
    checkpoint.write(later)
    damaged = damage(checkpoint.path.read_bytes())
    checkpoint.path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match=r"is no whole checkpoint of a training.*delete it to train"):
        checkpoint.read(start)
    assert checkpoint.path.read_bytes() == damaged


def test_an_npz_file_of_ones_own_is_refused_and_left_alone(checkpoint, start):
    np.savez(checkpoint.path, mine=np.arange(3))
    before = checkpoint.path.read_bytes()
    with pytest.raises(CheckpointError, match="is no whole checkpoint"):
        checkpoint.read(start)
    assert checkpoint.path.read_bytes() == before


def test_a_write_that_fails_leaves_the_checkpoint_before(checkpoint, start, later, monkeypatch):
    checkpoint.write(later)
    before = checkpoint.path.read_bytes()

    def full(file, **arrays):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.write(later)
    assert checkpoint.path.read_bytes() == before
    assert list(checkpoint.path.parent.iterdir()) == [checkpoint.path]
