import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.remedies import REMEDIES, create

NAMES = {
    "none",
    "clip_by_norm",
    "clip_by_value",
    "clip_per_step",
    "adaptive_clipping",
    "pascanu_omega",
    "gradient_flossing",
    "orthogonal_initialization",
    "identity_initialization",
    "chrono_initialization",
    "forget_bias",
    "layer_norm",
    "leaky",
    "skip",
    "truncated_bptt",
}
CELLS = ("elman_tanh", "lstm", "gru")
UNFIT = {
    ("chrono_initialization", "elman_tanh"): "needs a cell with a forget gate; Elman has none",
    ("forget_bias", "elman_tanh"): "needs a cell with a forget gate; Elman has none",
}


def test_the_names_that_files_and_suites_rely_on_are_there():
    assert set(REMEDIES) >= NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_name_and_a_strength_make_the_remedy_that_says_so(name):
    family = REMEDIES[name]
    assert (create(name).name, create(name).strength) == (name, family.strength)
    if name == "none":
        return
    assert family.create().strength == family.strength  # the functions' own defaults are no others
    half = 50.0 if name in ("skip", "truncated_bptt", "chrono_initialization") else 0.5
    assert create(name, half).strength == half
    assert family.meaning
    assert family.reference
    assert (family.create.__doc__ or "").strip()


def test_what_clips_says_so():
    assert [name for name in REMEDIES if REMEDIES[name].clips] == [
        "clip_by_norm",
        "clip_by_value",
        "clip_per_step",
    ]


def test_a_wrong_name_or_strength_is_named():
    with pytest.raises(ValueError, match=r"remedy must be one of none, clip_by_norm, .* got 'clip'"):
        create("clip")
    with pytest.raises(ValueError, match=r"remedy none has no strength, got 1.0"):
        create("none", 1.0)


def train(name, remedy):
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return rj.train(
            rj.tasks.Adding(10),
            lambda key: rj.cells.create(name, 2, 4, key=key, dtype=jnp.float32),
            key=jax.random.key(0),
            seeds=1,
            batch_size=4,
            remedy=remedy,
            step_budget=4,
            evaluate_every=4,
        )


@pytest.mark.parametrize(("remedy", "cell"), UNFIT)
def test_a_cell_that_cannot_take_a_remedy_is_refused_before_training(remedy, cell):
    with pytest.raises(ValueError, match=UNFIT[remedy, cell]):
        train(cell, create(remedy))


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("remedy", sorted(NAMES))
def test_every_remedy_trains_every_cell_that_it_fits(remedy, cell):
    if (remedy, cell) in UNFIT:
        return
    result = train(cell, create(remedy))
    assert result.steps_run.tolist() == [4]
    assert np.isfinite(result.loss).all()
    assert np.isfinite(result.final_loss).all()


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("elman_tanh", ["leaky", "pascanu_omega", "truncated_bptt", "adaptive_clipping"]),
        ("lstm", ["chrono_initialization", "layer_norm", "skip", "clip_per_step", "clip_by_norm"]),
        pytest.param("gru", sorted(NAMES), marks=pytest.mark.slow),
        pytest.param("lstm", sorted(NAMES), marks=pytest.mark.slow),
    ],
)
def test_several_remedies_at_once_train_a_cell(cell, names):
    result = train(cell, rj.remedies.combine(*[create(name) for name in names]))
    assert result.steps_run.tolist() == [4]
    assert np.isfinite(result.loss).all()
    assert np.isfinite(result.final_loss).all()


def test_several_remedies_are_named_in_one_text_each_with_its_strength():
    both = create("layer_norm + clip_by_norm(0.123456789)")
    assert both.name == "layer_norm(1)+clip_by_norm(0.123456789)"
    assert [(part.name, part.strength) for part in both.parts] == [
        ("layer_norm", 1.0),
        ("clip_by_norm", 0.123456789),
    ]
    assert create(both.name).name == both.name  # what a CSV file says can be read again
    assert create("clip_by_norm(2)").strength == 2.0


def test_the_same_words_are_the_same_object_so_that_programs_are_shared():
    assert create("clip_by_norm", 1.0) is create("clip_by_norm", 1.0)
    assert create("clip_by_norm", 1.0) is not create("clip_by_norm", 2.0)


@pytest.mark.parametrize(
    ("name", "strength", "told"),
    [
        ("layer_norm+clip", None, "remedy must be one of none, .* got 'clip'"),
        ("layer_norm+", None, "remedy must be such as 'layer_norm.clip_by_norm.0.5.', got 'layer_norm.'"),
        ("clip_by_norm(much)", None, "the strength in 'clip_by_norm.much.' must be a number, got 'much'"),
        ("clip_by_norm(-1)", None, "threshold must be positive"),
        ("layer_norm+clip_by_norm", 2.0, "strengths stand in brackets"),
    ],
)
def test_a_text_of_several_that_cannot_be_read_is_told(name, strength, told):
    with pytest.raises(ValueError, match=told):
        create(name, strength)


@pytest.mark.parametrize("strength", [1e6, 1e-7, 0.5, 123456789.0])
def test_the_name_of_several_makes_them_again(strength):
    name = (create("layer_norm") + create("clip_by_value", strength)).name
    assert create(name).name == name
    assert [part.strength for part in create(name).parts] == [1.0, strength]
