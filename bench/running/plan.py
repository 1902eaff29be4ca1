"""What a result folder is meant to hold: the file `suite.json`, written when a run begins."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.machine import Environment
    from bench.suite import Suite

FILE = "suite.json"


@dataclass(frozen=True)
class Planned:
    """One case of a plan.

    Attributes:
        case_id, match_id: as in the result files.
        kind: "gradient_norms", "task_accuracy", ...
        label: what a person calls it.
        estimate_s: seconds that the suite's file says of this case alone, or None.
    """

    case_id: str
    match_id: str
    kind: str
    label: str
    estimate_s: float | None = None


@dataclass(frozen=True)
class Plan:
    """The cases of a suite on one machine.

    Attributes:
        suite: its name.
        cases: in the suite's order.
        estimate_s: seconds that the suite's file says of all of them together, or None.
        estimate_on: on what.
    """

    suite: str
    cases: tuple[Planned, ...]
    estimate_s: float | None = None
    estimate_on: str = ""


def plan_of(suite: "Suite", environment: "Environment", estimate_s: float | None) -> Plan:
    """The plan of a suite in a run's environment; `estimate_s` where the suite's own holds for these cases."""
    cases = tuple(
        Planned(case.case_id(environment), case.match_id(), case.kind, suite.label(case), case.estimate_s)
        for case in suite.cases
    )
    return Plan(suite.name, cases, estimate_s, suite.estimate_on)


def text_of(plan: Plan) -> str:
    """The content of `suite.json`: a line a case."""
    head = {key: value for key, value in asdict(plan).items() if key != "cases"}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    cases = ",\n".join(f"    {json.dumps(asdict(case))}" for case in plan.cases)
    return "\n".join(["{", *lines, '  "cases": [', cases, "  ]", "}"]) + "\n"


def read(folder: Path) -> Plan | None:
    """The plan that a folder keeps; None where it keeps none that can be read."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        cases = tuple(_planned(case) for case in content["cases"])
        return Plan(
            str(content["suite"]), cases, _seconds(content["estimate_s"]), str(content["estimate_on"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _planned(case: Mapping[str, Any]) -> Planned:
    texts = {name: str(case[name]) for name in ("case_id", "match_id", "kind", "label")}
    return Planned(**texts, estimate_s=_seconds(case["estimate_s"]))


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)
