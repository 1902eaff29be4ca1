"""How a cluster's nodes are cut into places, each of which measures one case at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import UsageError


@dataclass(frozen=True)
class Share:
    """What every case of a run is given: equal for all, so that a result folder is of one kind of machine.

    Attributes:
        cpus: cores; None: all of a node, or with GPUs as many as there are to each place of it.
        gpus: whole GPUs.
    """

    cpus: int | None
    gpus: int


@dataclass(frozen=True)
class Place:
    """A share of a node.

    Attributes:
        node: Ray's name of the node.
        address: where a person finds it.
        slot: its number among the places of that node.
        cpus, gpus: its own.
    """

    node: str
    address: str
    slot: int
    cpus: int
    gpus: int


def share_of(
    nodes: Sequence[Mapping[str, Any]], backend: str | None, cpus: int | None, gpus: int | None
) -> tuple[str, Share]:
    """The backend and the share of a node that each case is given.

    Args:
        nodes: those that are alive, as `ray.nodes()` tells of them.
        backend: "cpu", "gpu", or None for gpu where a node has one.
        cpus, gpus: as asked for; None: the default.

    Raises:
        UsageError: what is asked for does not go together, or no node has it.
    """
    resources = [node["Resources"] for node in nodes]
    most = {name: max((int(each.get(name, 0)) for each in resources), default=0) for name in ("CPU", "GPU")}
    if backend is None:
        backend = "gpu" if gpus or (gpus is None and most["GPU"]) else "cpu"
    if gpus is None:
        gpus = 1 if backend == "gpu" else 0
    if cpus is not None and cpus < 1:
        raise UsageError(f"--ray-cpus must be at least 1, got {cpus}")
    if (backend == "gpu") != (gpus > 0):
        raise UsageError(f"--ray-gpus {gpus} does not go with --backend {backend}; leave one of them out")
    for option, asked, name in (("--ray-cpus", cpus or 1, "CPU"), ("--ray-gpus", gpus, "GPU")):
        if asked > most[name]:
            raise UsageError(
                f"{option} {asked}: no node of the cluster has so many {name}s; the most that one has is {most[name]}"
            )
    share = Share(cpus, gpus)
    if not any(places_on(node, share) for node in nodes):
        raise UsageError(
            f"no node of the cluster has {cpus or 1} CPUs and {gpus} GPUs at once; ask for fewer"
        )
    return backend, share


def places_on(node: Mapping[str, Any], share: Share) -> list[Place]:
    """The places of one node; none where it is dead or has too little."""
    has = node["Resources"] if node["Alive"] else {}
    cores, devices = int(has.get("CPU", 0)), int(has.get("GPU", 0))
    by_device = devices // share.gpus if share.gpus else 1
    cpus = share.cpus or max(1, cores // max(1, by_device))
    count = min(cores // cpus, by_device) if share.gpus else cores // cpus
    return [
        Place(node["NodeID"], node["NodeManagerAddress"], slot, cpus, share.gpus) for slot in range(count)
    ]
