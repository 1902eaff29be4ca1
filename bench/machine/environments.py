"""What the rows of one run have in common."""

import re
from dataclasses import asdict, dataclass

from bench.machine.system import cpu_model

BASE_SEED = 2026
"""From which, with a case's seed, all of its random draws come."""


@dataclass(frozen=True)
class Environment:
    """What the rows of one run have in common.

    Attributes:
        machine: a name made from the device, for example "amd-epyc-2-cores".
        backend: "cpu" or "gpu".
        device_kind: as JAX names the device.
        jax_version: as installed.
        dtype: "float32" or "float64".
        matmul_precision: of every product that is measured.
    """

    machine: str
    backend: str
    device_kind: str
    jax_version: str
    dtype: str
    matmul_precision: str = "highest"

    def configuration(self) -> dict[str, str]:
        """The part that tells one case from the same case elsewhere."""
        return {name: getattr(self, name) for name in ("machine", "backend", "dtype", "matmul_precision")}

    def columns(self) -> dict[str, str]:
        """As columns of a result row."""
        return asdict(self)


def environment(dtype: str) -> Environment:
    """The environment of this process."""
    import jax

    from rnn_jax.devices import usable_cores

    device = jax.devices()[0]
    backend = "cpu" if device.platform == "cpu" else "gpu"
    device_kind = cpu_model() if backend == "cpu" else device.device_kind
    name = _slug(device_kind) + (f"-{usable_cores()}-cores" if backend == "cpu" else "")
    return Environment(name, backend, device_kind, jax.__version__, dtype)


def _slug(text: str) -> str:
    text = re.sub(r"\((r|tm)\)|processor|@.*$", " ", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")
