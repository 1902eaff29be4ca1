"""What the device can do at best: matrix products, copies, and how long an empty loop iteration takes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from bench.cases.cell import Report, bare_columns, seed_key
from bench.cases.parameter import Parameter
from bench.errors import is_unsupported
from bench.machine import Environment
from bench.measuring.timing import interleaved, timing_columns
from bench.schema import CEILINGS

VERSION = 1
ONE_SEED = True
PARAMETERS = (
    Parameter(
        "largest_matrix", int, "rows of the largest square product; its own if left out", low=8, high=65_536
    ),
    Parameter("copy_megabytes", int, "of the array that is copied; its own if left out", low=1, high=65_536),
    Parameter("scan_iterations", int, "iterations of the loop", 10_000, low=10, high=10**7),
    Parameter("rounds", int, "samples of each", 5, low=3, high=1000),
    Parameter("when", str, "tells two measurements of one run apart", "first", choices=("first", "last")),
)

SINGLE_PRECISIONS = ("highest", "TF32_TF32_F32_X3", "tensorfloat32", "BF16_BF16_F32")
"""Of products of float32 numbers: as they are; as the sum of three products of factors of 10 bits of mantissa, which
holds nearly all of float32's; factors cut to 10 bits; to 7 bits, sums in float32.

JAX's own name "bfloat16" is none of them: on a GPU it means the fastest way that float32 allows, which is TF32.
"""
_MATRICES = {"cpu": (512, 1024, 2048), "gpu": (4096, 8192)}
_LARGEST_SLOW = 512
"""Numbers of 16 bits are stored, but not multiplied, by most CPUs."""
_MEGABYTES = {"cpu": 256, "gpu": 2048}


def resolved(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing depends on anything else."""
    return dict(parameters)


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Times each in interleaved rounds; rows for ceilings.csv."""
    common = bare_columns(case, environment, suite) | {"seed": case.seeds[0]}
    rows = []
    # One after the other, so that only one's arrays take memory at a time.
    for columns, call in _measurements(case, environment):
        report(f"{columns['quantity']} {columns['size']}", 0.0)
        try:
            (sample,) = interleaved({"": call}, case["rounds"], report).values()
        except (jax.errors.JaxRuntimeError, ValueError) as error:
            if is_unsupported(error):
                continue  # no such arithmetic here, so no ceiling either
            raise
        rows += [common | columns | timed for timed in timing_columns(sample)]
    return {CEILINGS.kind: rows}


def _measurements(case: Any, environment: Environment) -> Iterator[tuple[dict[str, Any], Callable[[], Any]]]:
    """The columns that tell a measurement from the others, and what to time."""
    precisions = SINGLE_PRECISIONS if environment.dtype == "float32" else ("highest",)
    for size in _sizes(case["largest_matrix"], environment.backend):
        matrix = jax.random.normal(seed_key(case.seeds[0], 0), (size, size), jnp.float32)
        for dtype, precision in (
            *((environment.dtype, each) for each in precisions),
            *((("bfloat16", "default"),) if environment.dtype == "float32" else ()),
        ):
            if dtype == "bfloat16" and environment.backend == "cpu" and size > _LARGEST_SLOW:
                continue
            factor = matrix.astype(dtype)
            yield (
                {"quantity": "matrix_product", "size": size, "dtype": dtype, "matmul_precision": precision}
                | {"flop": 2.0 * size**3, "bytes_moved": 3.0 * size**2 * factor.dtype.itemsize},
                _product(factor, precision),
            )
    numbers = (case["copy_megabytes"] or _MEGABYTES[environment.backend]) * 2**20
    numbers //= jnp.dtype(environment.dtype).itemsize
    yield (
        {"quantity": "copy", "size": numbers, "flop": 0.0}
        | {"bytes_moved": 2.0 * numbers * jnp.dtype(environment.dtype).itemsize},
        _copy(numbers, environment.dtype),
    )
    yield (
        {"quantity": "scan_iterations", "size": case["scan_iterations"], "flop": 0.0, "bytes_moved": 0.0},
        _loop(case["scan_iterations"], environment.dtype),
    )


def _sizes(largest: int | None, backend: str) -> list[int]:
    sizes = _MATRICES[backend]
    return list(sizes) if largest is None else sorted({min(size, largest) for size in sizes})


def _product(factor: jax.Array, precision: str) -> Callable[[], jax.Array]:
    @jax.jit
    def product(left: jax.Array, right: jax.Array) -> jax.Array:
        with jax.default_matmul_precision(precision):
            return left @ right

    return lambda: product(factor, factor)


def _copy(numbers: int, dtype: str) -> Callable[[], jax.Array]:
    """Reads an array and writes it in its own place, negated: a plain copy could be optimised away."""
    negate = jax.jit(jnp.negative, donate_argnums=0)
    held = [jnp.ones(numbers, dtype)]

    def call() -> jax.Array:
        held[0] = negate(held[0])
        return held[0]

    return call


def _loop(iterations: int, dtype: str) -> Callable[[], jax.Array]:
    """A loop whose body does next to nothing."""

    @jax.jit
    def loop(start: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda carry, _: (jnp.cos(carry), None), start, length=iterations)[0]

    start = jnp.zeros(8, dtype)
    return lambda: loop(start)
