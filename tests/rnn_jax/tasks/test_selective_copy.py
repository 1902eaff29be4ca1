import jax
import numpy as np
import pytest

from rnn_jax.tasks import SelectiveCopy

EXAMPLES = 6_000
KEY = jax.random.key(20)
LENGTH = 24
PATTERNS = {"mamba": (16, 14), "denoise": (10, 8)}


@pytest.fixture(scope="module", params=PATTERNS)
def task(request):
    return SelectiveCopy(LENGTH, request.param)


@pytest.fixture(scope="module")
def batch(task):
    return task.sample(KEY, EXAMPLES)


@pytest.fixture(scope="module")
def codes(task, batch):
    count, kinds = PATTERNS[task.variant]
    inputs = np.asarray(batch.inputs)
    assert inputs.shape == (EXAMPLES, LENGTH + count, kinds + 2)
    np.testing.assert_array_equal(inputs.sum(axis=2), np.ones(inputs.shape[:2]))
    return inputs.argmax(axis=2)


def test_the_answer_is_the_symbols_in_their_order(task, batch, codes):
    count, kinds = PATTERNS[task.variant]
    shown = codes[:, :LENGTH]
    assert shown.max() <= kinds
    expected = [[code for code in row if code] for row in shown.tolist()]
    targets = np.asarray(batch.targets)
    np.testing.assert_array_equal(targets[:, -count:], expected)
    assert targets[:, :-count].sum() == 0
    assert targets.shape[1] == (count if task.variant == "mamba" else LENGTH + count)
    np.testing.assert_array_equal(batch.mask, targets > 0)


def test_the_markers_follow_the_symbols(task, codes):
    count, kinds = PATTERNS[task.variant]
    asking = [kinds + 1] * count if task.variant == "mamba" else [kinds + 1] + [0] * (count - 1)
    np.testing.assert_array_equal(codes[:, LENGTH:], np.tile(asking, (EXAMPLES, 1)))


def test_every_place_is_as_likely_and_so_is_every_pair_of_places(task, codes):
    count, _ = PATTERNS[task.variant]
    taken = codes[:, :LENGTH] > 0
    share = count / LENGTH
    deviation = np.sqrt(share * (1 - share) / EXAMPLES)
    assert np.abs(taken.mean(axis=0) - share).max() < 4 * deviation
    both = taken[:, 0] & taken[:, -1], taken[:, 5] & taken[:, 6]
    expected = share * (count - 1) / (LENGTH - 1)
    for pair in both:
        assert abs(pair.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / EXAMPLES)


def test_the_symbols_are_uniform_independent_of_each_other_and_of_their_places(
    task, batch, codes, assert_uniform, assert_independent
):
    count, kinds = PATTERNS[task.variant]
    symbols = np.asarray(batch.targets)[:, -count:] - 1
    for column in symbols.T:
        assert_uniform(column, kinds, 1e-4)
    assert_uniform(kinds * symbols[:, 0] + symbols[:, -1], kinds**2)
    places = np.nonzero(codes[:, :LENGTH])[1].reshape(-1, count)
    for place, symbol in zip(places.T, symbols.T, strict=True):
        assert_independent(place, symbol)


@pytest.mark.costly
@pytest.mark.parametrize(
    ("variant", "expected"), [("mamba", np.log(14)), ("denoise", 10 * np.log(8) / (LENGTH + 10))]
)
def test_the_baseline_is_a_uniform_guess_of_each_symbol(variant, expected):
    assert SelectiveCopy(LENGTH, variant).baseline(jax.random.key(1)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("variant", "shortest"), [("mamba", 16), ("denoise", 10)])
def test_there_is_room_for_all_symbols(variant, shortest):
    assert (np.asarray(SelectiveCopy(shortest, variant).sample(KEY, 3).inputs[:, :shortest, 0]) == 0).all()
    with pytest.raises(ValueError, match=f"length of selective_copy must be at least {shortest}"):
        SelectiveCopy(shortest - 1, variant)
