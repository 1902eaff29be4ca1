"""Whether the workers of a cluster are one kind of machine, with this code: otherwise their rows cannot share a result folder."""

from collections.abc import Mapping
from typing import Any

from bench import machine
from bench.cluster.places import Place
from bench.errors import UsageError
from bench.running.installation import unlike

Answer = Mapping[str, Any]
"""What `Worker.described` gives."""


def agreed(answers: Mapping[Place, Answer], here: Mapping[str, str]) -> Mapping[str, Any]:
    """The facts that are true of all workers.

    Args:
        answers: what each says of where it runs.
        here: the installation of the process that collects the results.

    Raises:
        UsageError: one cannot measure, has other code or packages, or they are not alike.
    """
    for place, answer in answers.items():
        problem = why_unfit(answer, here)
        if problem:
            raise UsageError(f"the node at {place.address} cannot take part: {problem}")
    kinds: dict[str, tuple[Place, Answer]] = {}
    for place, answer in answers.items():
        kinds.setdefault(machine.identity_hash(answer["facts"]), (place, answer))
    (first, model), *others = kinds.values()
    for place, answer in others:
        differing = "; ".join(machine.differences(model["facts"], answer["facts"]))
        raise UsageError(
            "the nodes of the cluster are not alike, and a result folder is of one kind of machine. "
            f"At {first.address} and at {place.address}: {differing}. "
            "Start Ray on nodes of one kind, or, where only cores differ, give each case as many with --ray-cpus"
        )
    return model["facts"]


def why_unfit(answer: Answer, here: Mapping[str, str]) -> str:
    """Why no case is to be given to this worker, or nothing."""
    if "error" in answer:
        return answer["error"]
    differs = unlike(answer["installation"], here)
    return f"another installation: {differs}; install the same on every node" if differs else ""


def why_left_out(answer: Answer, here: Mapping[str, str], facts: Mapping[str, Any]) -> str:
    """Why a worker that came later is not to be given cases of a run on such machines, or nothing."""
    problem = why_unfit(answer, here)
    if problem:
        return problem
    differs = "; ".join(machine.differences(facts, answer["facts"]))
    return f"another kind of machine than those of this run: {differs}" if differs else ""
