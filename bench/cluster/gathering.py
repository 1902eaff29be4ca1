"""From the options of `rnn-bench run --ray` to a crew that is ready, and the facts of what it measures on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench import machine
from bench.cluster.crew import Assignment, Crew
from bench.cluster.engine import Engine, Ray
from bench.cluster.places import share_of
from bench.machine import Environment


@dataclass(frozen=True)
class Gathered:
    """A crew that was surveyed.

    Attributes:
        crew: its workers.
        environment: what they measure on.
        facts: the content of `machine.json`.
        summary: for a person, what was found.
    """

    crew: Crew
    environment: Environment
    facts: Mapping[str, Any]
    summary: str


def gathered(
    address: str,
    job: Assignment,
    note: Callable[[str], None],
    *,
    cpus: int | None = None,
    gpus: int | None = None,
    command: Sequence[str] = (),
    engine: Engine | None = None,
) -> Gathered:
    """Connects to a cluster and starts a worker at each of its places.

    Args:
        address: HOST:PORT of its head, or "auto".
        job: what workers are told; a backend of None is gpu where a node has one.
        note: told in a line what happens to nodes meanwhile.
        cpus, gpus: what a case is given; None: all cores of a node, and a GPU with its part of them.
        command: what the user wrote, without the program's name.
        engine: Ray, unless a test has another.

    Raises:
        UsageError: Ray or the cluster is not there, has too little, or its nodes are not fit or not alike.
    """
    engine = Ray(address, job.debug) if engine is None else engine
    nodes = [node for node in engine.nodes() if node["Alive"]]
    backend, share = share_of(nodes, job.backend, cpus, gpus)
    crew = Crew(engine, share, replace(job, backend=backend), note)
    try:
        facts = crew.survey()
    except BaseException:
        crew.close()
        raise
    places = list(crew.idle)
    each = f"{places[0].cpus} cores" + (f" and {places[0].gpus} GPUs" if share.gpus else "")
    summary = f"{len(places)} workers on {len({place.node for place in places})} nodes, {each} a case"
    # An address would name a computer of the user's.
    plain = [argument.replace(address, "ADDRESS") if address != "auto" else argument for argument in command]
    volatile = facts["volatile"] | machine.provenance(plain) | {"cluster": summary}
    facts = {"identity": facts["identity"], "volatile": volatile}
    return Gathered(crew, machine.environment_of(facts), facts, summary)
