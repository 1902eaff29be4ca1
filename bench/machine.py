"""What the harness runs on: the environment of a result, and the facts kept beside it."""

import datetime
import hashlib
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.privacy import argument, without_names

_PACKAGES = ("jax", "jaxlib", "numpy", "optax", "pandas", "rnn-jax-bench")
BASE_SEED = 2026
"""From which, with a case's seed, all of its random draws come."""
_CHANGE_RESULTS = (
    "JAX_CPU_ENABLE_ASYNC_DISPATCH",
    "JAX_DEFAULT_PRNG_IMPL",
    "JAX_DISABLE_JIT",
    "JAX_DISABLE_MOST_OPTIMIZATIONS",
    "JAX_OPTIMIZATION_LEVEL",
    "JAX_RANDOM_SEED_OFFSET",
    "JAX_THREEFRY_PARTITIONABLE",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
)
"""Settings of the environment of which numbers or all times depend, so that a folder holds results of one of each."""
_PLACES = ("_ADDRESS", "_DIR", "_PATH", "_IP", "_BIND")
BACKENDS = ("cpu", "gpu")
DTYPES = ("float32", "float64")


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


def environment(dtype: str) -> Environment:
    """The environment of this process."""
    import jax

    from rnn_jax.devices import usable_cores

    device = jax.devices()[0]
    backend = "cpu" if device.platform == "cpu" else "gpu"
    device_kind = _cpu_model() if backend == "cpu" else device.device_kind
    name = _slug(device_kind) + (f"-{usable_cores()}-cores" if backend == "cpu" else "")
    return Environment(name, backend, device_kind, jax.__version__, dtype)


def describe(current: Environment, command: list[str]) -> dict[str, Any]:
    """The content of `machine.json`: identity, which must match to go on in a folder, and the rest."""
    import jax

    from rnn_jax.devices import usable_cores

    identity = asdict(current) | {
        "cores": usable_cores(),
        "device_count": jax.device_count(),
        "operating_system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "packages": packages(),
        "xla_flags": without_names(os.environ.get("XLA_FLAGS", "")),
    }
    # Only where they are set: else the folders of those who set none would be of another machine.
    if settings := {name: os.environ[name] for name in _CHANGE_RESULTS if os.environ.get(name)}:
        identity["settings"] = {name: without_names(value) for name, value in settings.items()}
    volatile = provenance(command) | {
        "driver": _driver(),
        "kernel": platform.release(),
        "memory_bytes": _memory_bytes(),
        "settings": _settings(),
    }
    return {"identity": identity, "volatile": volatile}


def provenance(command: list[str]) -> dict[str, Any]:
    """The part of the facts that is of the code and the command, whatever machine measures."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": None
        if (status := _git("status", "--porcelain", "-uno")) is None
        else bool(status),
        "base_seed": BASE_SEED,
        "command": shlex.join(["rnn-bench", *map(argument, command)]),
    }


def environment_of(facts: Mapping[str, Any]) -> Environment:
    """The environment of the process that these facts describe."""
    return Environment(**{each.name: facts["identity"][each.name] for each in fields(Environment)})


def packages() -> dict[str, str | None]:
    """The installed versions of what can change a result, by name; None of what is not installed."""
    return {name: _installed(name) for name in _PACKAGES}


def finished(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts with the time of day, now."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {**facts, "volatile": {**facts["volatile"], "finished_utc": now}}


def identity_hash(facts: Mapping[str, Any]) -> str:
    """A short hash of the identity."""
    return hashlib.sha256(json.dumps(facts["identity"], sort_keys=True).encode()).hexdigest()[:8]


def differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    """Where two identities differ, a line each."""
    keys = sorted({*left["identity"], *right["identity"]})
    pairs = ((key, left["identity"].get(key), right["identity"].get(key)) for key in keys)
    return [f"{key}: {one!r} and {other!r}" for key, one, other in pairs if one != other]


def _settings() -> dict[str, str]:
    """What else is set for JAX and XLA: it changes times at most."""
    ours = (name for name in sorted(os.environ) if name.startswith(("JAX_", "XLA_")))
    told = (name for name in ours if name not in (*_CHANGE_RESULTS, "XLA_FLAGS"))
    return {name: without_names(os.environ[name]) for name in told if not name.endswith(_PLACES)}


def _slug(text: str) -> str:
    text = re.sub(r"\((r|tm)\)|processor|@.*$", " ", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    if models:
        return models[0]
    if sys.platform == "darwin":
        told = _output("sysctl", "-n", "machdep.cpu.brand_string")
        if told:
            return told
    return platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """What git says of the repository that this file is of; None where it merely lies within another one."""
    here = ("git", "-C", str(Path(__file__).parent))
    if _output(*here, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    return _output(*here, *arguments)


def _driver() -> str | None:
    return _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
