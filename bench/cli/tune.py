"""`rnn-bench tune`."""

import warnings
from typing import Annotated

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.show import print_rows, say
from bench.errors import UsageError

_SIZES = "16,32,64,128,256,512"
_LENGTHS = {"cpu": "1024", "gpu": "1024,16384,131072"}


def tune(
    sizes: Annotated[str, typer.Option(help="State sizes, separated by commas.")] = _SIZES,
    lengths: Annotated[
        str | None,
        typer.Option(help=f"Sequence lengths. Default: {_LENGTHS['gpu']}; cpu: {_LENGTHS['cpu']}."),
    ] = None,
    rounds: Annotated[int, typer.Option(help="Timed calls of each count of blocks, in turn.")] = 5,
    backend: Annotated[str | None, typer.Option(help="cpu or gpu. Default: what JAX finds.")] = None,
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    as_json: AsJson = False,
) -> None:
    """Measure into how many blocks a chain's time is best cut on this device, and keep it for later chains.

    The table goes to $XDG_CACHE_HOME/rnn_jax/blocks.json, or below ~/.cache.
    """
    from bench.machine import configure, environment

    configure(backend, dtype)
    chosen = lengths or _LENGTHS[environment(dtype).backend]
    cases = [
        (size, length) for size in _whole("--sizes", sizes, 1) for length in _whole("--lengths", chosen, 2)
    ]
    if rounds < 1:
        raise UsageError(f"--rounds must be at least 1, got {rounds}")
    import rnn_jax as rj
    from rnn_jax.jacobian import block_table

    rows, lost = [], ""
    for size, length in cases:
        say(f"{size} units, {length} steps", error=as_json)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            made = rj.tune_blocks(size, length, dtype=dtype, rounds=rounds)
        for each in told:
            if "cannot be written" in str(each.message):
                lost = str(each.message)
            else:
                warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        best_s = min(made.blocked_s)
        rows.append(
            {
                "state_size": size,
                "length": length,
                "best_blocks": made.block_count,
                "blocked_s": best_s,
                "sequential_s": made.sequential_s,
                "ratio": made.sequential_s / best_s if made.sequential_s else float("nan"),
                "tried": {
                    str(count): seconds
                    for count, seconds in zip(made.block_counts, made.blocked_s, strict=True)
                },
                "longest_compile_s": made.compile_s,
            }
        )
    if as_json:
        device = {"device_kind": block_table.device_kind(), "dtype": dtype}
        print_document("tune", device | {"chains": rows, "kept_in": None if lost else block_table.path()})
        _require_kept(lost)
        return
    shown = [{name.replace("_", " "): value for name, value in row.items()} for row in rows]
    for row in shown:
        row["tried"] = ", ".join(f"{count}: {seconds:.3g}" for count, seconds in row["tried"].items())
    print_rows(shown, f"Blocks on {block_table.device_kind()}, {dtype} (tried is blocks: seconds)")
    _require_kept(lost)
    say(f"kept in {block_table.path()}")


def _require_kept(lost: str) -> None:
    """Raises UsageError with what was said of a table that could not be written."""
    if lost:
        raise UsageError(f"not kept: {lost}")


def _whole(option: str, text: str, least: int) -> list[int]:
    try:
        numbers = [int(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < least:
        raise UsageError(f"{option} must be whole numbers of at least {least}, such as 64,128, got {text!r}")
    return numbers
