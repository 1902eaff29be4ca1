"""The devices that a computation is shared out among."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

Devices = Sequence[jax.Device]


def mesh_of(devices: Any, axis: str) -> Mesh:
    """The devices in a row, under the name of what is shared out among them.

    Raises:
        ValueError: `devices` is no sequence of devices, is empty, names one twice, or mixes kinds.
    """
    mend = "pass for example jax.devices()"
    if isinstance(devices, str) or not isinstance(devices, Sequence | np.ndarray):
        raise ValueError(f"devices must be a sequence of JAX devices, got {devices!r}; {mend}")
    for device in devices:
        if not isinstance(device, jax.Device):
            raise ValueError(f"devices must hold JAX devices only, got {device!r}; {mend}")
    if not len(devices):
        raise ValueError(f"devices must name at least one device, got an empty sequence; {mend}")
    if len(set(devices)) < len(devices):
        raise ValueError(f"devices must all differ, got {list(devices)}")
    platforms = sorted({device.platform for device in devices})
    if len(platforms) > 1:
        raise ValueError(f"devices must be of one platform, got {' and '.join(platforms)}")
    return Mesh(np.asarray(devices), (axis,))


def platform_of(mesh: Mesh) -> str:
    """What its devices are: "cpu", "gpu"."""
    return mesh.devices.flat[0].platform


def default_device() -> Any:
    """The device that JAX computes on unless told otherwise: that of `jax.default_device`, where it is set."""
    chosen = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    if chosen is None:
        return jax.local_devices()[0]
    return jax.local_devices(backend=chosen)[0] if isinstance(chosen, str) else chosen


def default_platform() -> str:
    """What that device is: "cpu", "gpu"."""
    chosen = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    return jax.default_backend() if chosen is None else default_device().platform


def computing_on(mesh: Mesh | None) -> AbstractContextManager:
    """Where the mesh is of another kind than JAX's default device: one of its devices is the default meanwhile.

    How a program is best written, and on a CPU what it must not do at once, depends on where it runs.
    """
    if mesh is None or platform_of(mesh) == default_platform():
        return nullcontext()
    return jax.default_device(mesh.devices.flat[0])


def usable_cores() -> int:
    """How many of the machine's cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
