import jax
import numpy as np
import pytest

from rnn_jax.tasks import VariableCopy

EXAMPLES = 4_000
KEY = jax.random.key(20)
LENGTH = 12


def answered(codes):
    """What a reader who knows the rule answers at each step of one sequence."""
    shown = [code for code in codes[:10] if code < 8]
    start = codes.index(9) + 1
    return [8] * start + shown + [8] * (len(codes) - start - len(shown))


@pytest.fixture(scope="module", params=["delay", "count"])
def task(request):
    return VariableCopy(LENGTH, request.param)


@pytest.fixture(scope="module")
def batch(task):
    return task.sample(KEY, EXAMPLES)


@pytest.fixture(scope="module")
def codes(batch):
    inputs = np.asarray(batch.inputs)
    assert inputs.shape == (EXAMPLES, LENGTH + 20, 10)
    np.testing.assert_array_equal(inputs.sum(axis=2), np.ones((EXAMPLES, LENGTH + 20)))
    return inputs.argmax(axis=2)


def test_the_symbols_are_asked_for_after_the_delimiter(codes, batch):
    for code, target in zip(codes[:500].tolist(), np.asarray(batch.targets[:500]).tolist(), strict=True):
        assert target == answered(code)
    np.testing.assert_array_equal(batch.mask, np.asarray(batch.targets) < 8)


def test_what_varies_is_uniform_and_the_rest_is_fixed(task, codes, assert_uniform):
    np.testing.assert_array_equal((codes == 9).sum(axis=1), np.ones(EXAMPLES))
    delays, counts = (codes == 9).argmax(axis=1) - 10, (codes < 8).sum(axis=1)
    np.testing.assert_array_equal((codes < 8), np.arange(LENGTH + 20) < counts[:, None])
    if task.variant == "delay":
        assert set(counts) == {10}
        assert_uniform(delays, LENGTH)
    else:
        assert set(delays) == {LENGTH - 1}
        assert_uniform(counts - 1, 10)


def test_the_symbols_are_uniform_and_independent_of_what_varies(
    task, codes, assert_uniform, assert_independent
):
    varied = (codes == 9).argmax(axis=1) if task.variant == "delay" else (codes < 8).sum(axis=1)
    assert_uniform(codes[codes < 8], 8)
    for step in range(9):
        shown = codes[:, step] < 8
        assert_independent(codes[shown, step], varied[shown])
    full = codes[(codes < 8).sum(axis=1) >= 2]
    assert_uniform(8 * full[:, 0] + full[:, 1], 64)


@pytest.mark.costly
@pytest.mark.parametrize(("variant", "symbols"), [("delay", 10), ("count", 5.5)])
def test_the_baseline_knows_when_to_answer_but_not_what(variant, symbols):
    expected = symbols * np.log(8) / (LENGTH + 20)
    assert VariableCopy(LENGTH, variant).baseline(jax.random.key(1)) == pytest.approx(expected, rel=3e-3)
