"""The facts that are kept beside results in `machine.json`: what must match to go on in a folder, and the rest."""

import datetime
import hashlib
import json
import os
import platform
import shlex
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from bench.machine.environments import BASE_SEED, Environment
from bench.machine.system import driver, git, installed, memory_bytes
from bench.privacy import argument, without_names

THIS = "rnn-jax-bench"
"""This package's own name."""
_PACKAGES = ("jax", "jaxlib", "numpy", "optax", "pandas", THIS)
CHANGE_RESULTS = (
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
    if settings := {name: os.environ[name] for name in CHANGE_RESULTS if os.environ.get(name)}:
        identity["settings"] = {name: without_names(value) for name, value in settings.items()}
    volatile = provenance(command) | {
        "driver": driver(),
        "kernel": platform.release(),
        "memory_bytes": memory_bytes(),
        "settings": _settings(),
    }
    return {"identity": identity, "volatile": volatile}


def provenance(command: list[str]) -> dict[str, Any]:
    """The part of the facts that is of the code and the command, whatever machine measures."""
    return {
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": None
        if (status := git("status", "--porcelain", "-uno")) is None
        else bool(status),
        "base_seed": BASE_SEED,
        "command": shlex.join(["rnn-bench", *map(argument, command)]),
    }


def environment_of(facts: Mapping[str, Any]) -> Environment:
    """The environment of the process that these facts describe."""
    return Environment(**{each.name: facts["identity"][each.name] for each in fields(Environment)})


def packages() -> dict[str, str | None]:
    """The installed versions of what can change a result, by name; None of what is not installed."""
    return {name: installed(name) for name in _PACKAGES}


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
    named = (name for name in ours if name not in (*CHANGE_RESULTS, "XLA_FLAGS"))
    return {name: without_names(os.environ[name]) for name in named if not name.endswith(_PLACES)}
