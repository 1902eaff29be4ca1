"""How to go over independent examples, sequences or seeds."""

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec

from rnn_jax.devices import default_platform, platform_of


def over_examples(function: Callable[[Any], Any], examples: Any, platform: str | None = None) -> Any:
    """Applies a function to each of a batch of examples, whose leaves lead with the batch axis.

    On a CPU one follows the other: products of a batch of small matrices are slow there. On an
    accelerator all go together, by `jax.vmap`. `platform` says on which it runs; JAX's default if None.
    """
    if (platform or default_platform()) == "cpu":
        return jax.lax.map(function, examples)
    return jax.vmap(function)(examples)


def one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that holds a factorisation, for programs in which several of them may run at once.

    On a CPU `jax.vmap` then applies it to one example after the other. jaxlib 0.10 factorises a batch on the threads
    of its pool and waits for them on one of these threads: as many batches at once as there are cores wait for
    ever. It cannot be differentiated backwards.
    """
    return jax.custom_batching.sequential_vmap(function) if default_platform() == "cpu" else function


def over_devices(function: Callable[[Any], Any], mesh: Mesh) -> Callable[[Any], Any]:
    """`over_examples`, each device with as many of the examples, which it goes over on its own.

    Args:
        function: of one example.
        mesh: devices in a row; their number must divide the number of examples.
    """
    shared = PartitionSpec(*mesh.axis_names)
    return jax.shard_map(
        lambda examples: over_examples(function, examples, platform_of(mesh)),
        mesh=mesh,
        in_specs=shared,
        out_specs=shared,
        # A cell's loop may begin with constants, which are no device's own, and end with what is one's.
        check_vma=False,
    )
