"""Which device, dtype and simulated devices this process works with."""

import os

from bench.errors import UsageError

BACKENDS = ("cpu", "gpu")
DTYPES = ("float32", "float64")


def configure(
    backend: str | None, dtype: str, simulated_devices: int | None = None, *, shares_device: bool = False
) -> None:
    """Chooses the backend and the dtype of this process; called once, before JAX is first used.

    Args:
        backend: "cpu", "gpu", which has the CPU beside it, or None for what JAX finds.
        dtype: "float32" or "float64".
        simulated_devices: as how many devices the CPU shall appear, in processes that this one starts too;
            as one if None.
        shares_device: True where other processes use the same accelerator: then this one takes memory as it
            needs it, where JAX otherwise takes most of it at once.

    Raises:
        UsageError: the backend or dtype is unknown, the backend is not there, or devices are to be
            simulated on another than the CPU.
    """
    if simulated_devices is not None and backend != "cpu":
        raise UsageError("--simulated-devices is of the CPU; add --backend cpu, or leave it out")
    if simulated_devices is not None and not 1 <= simulated_devices <= 256:
        raise UsageError(f"--simulated-devices must be a number from 1 to 256, got {simulated_devices}")
    if dtype not in DTYPES:
        raise UsageError(f"--dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    if backend is not None and backend not in BACKENDS:
        raise UsageError(f"--backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    if shares_device:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax

    jax.config.update("jax_enable_x64", dtype == "float64")
    if simulated_devices is not None:
        jax.config.update("jax_num_cpu_devices", simulated_devices)
        os.environ["JAX_NUM_CPU_DEVICES"] = str(simulated_devices)
    if backend is not None:
        jax.config.update("jax_platforms", {"cpu": "cpu", "gpu": "cuda,cpu"}[backend])
    missing = f"--backend {backend}: JAX finds no such device here; leave --backend out to use what there is"
    try:
        platform = jax.devices()[0].platform
    except (RuntimeError, AssertionError) as error:  # the latter where JAX has no CUDA plugin
        raise UsageError(missing) from error
    if backend == "gpu" and platform == "cpu":  # of a list of platforms JAX takes what there is
        raise UsageError(missing)
