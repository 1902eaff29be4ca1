"""A case: one measurement of a suite, and the hashes that say which cases are the same."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import rnn_jax as rj
from bench.cases import KINDS
from bench.cases.parameter import combined_names
from bench.machine import Environment


@dataclass(frozen=True)
class Case:
    """One measurement: a kind and a value for each of its parameters.

    Attributes:
        kind: "gradient_norms", "task_accuracy", ...
        parameters: every parameter of the kind, defaults filled in.
        seeds: the seeds it is measured for.
        dtype: what it is measured in, whatever the rest of the run is; None: as the run.
        process: "shared": with others, one after the other; "fresh": in a process of its own, so that
            the most memory that the process took is the case's.
        estimate_s: seconds it is expected to take, or None.
        needs: a package without which it is left out of a run, or None.
    """

    kind: str
    parameters: Mapping[str, Any]
    seeds: tuple[int, ...]
    dtype: str | None = None
    process: str = "shared"
    estimate_s: float | None = None
    needs: str | None = None

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter's value; the default where the kind has no such parameter."""
        return self.parameters.get(name, default)

    @property
    def processes(self) -> int:
        """In how many fresh processes, one after the other, it is measured; a case of one may share it with others."""
        return int(self.parameters.get("processes", 1))

    def own(self, environment: Environment) -> Environment:
        """The environment of a run with the case's own dtype."""
        return environment if self.dtype is None else replace(environment, dtype=self.dtype)

    def case_id(self, environment: Environment) -> str:
        """Hash of the configuration, the seeds, the code's version, and what it runs on."""
        fresh = {} if self.process == "shared" else {"process": self.process}
        return _hash(self._configuration() | self.own(environment).configuration() | fresh)

    def match_id(self, version: int | None = None) -> str:
        """The same without what it runs on and how often: what `compare` joins on.

        Args:
            version: of the measuring code; as it is now if None.
        """
        left_out = ("method", "implementation", "processes")
        configuration = self._configuration() | ({} if version is None else {"version": version})
        return _hash({k: v for k, v in configuration.items() if k not in left_out})

    def difference(self) -> str:
        """A key that is equal for two cases only where they are the same case, named twice."""
        return _hash(self._configuration() | {"dtype": self.dtype, "process": self.process})

    def _configuration(self) -> dict[str, Any]:
        kind = KINDS[self.kind]
        silent = {each.name: each.default for each in kind.PARAMETERS if each.later}
        identity = {
            name: value
            for name, value in self.parameters.items()
            if name not in silent or value != silent[name]
        }
        identity |= {"kind": self.kind, "seeds": list(self.seeds), "version": kind.VERSION}
        return identity | _versions(self.parameters)


def _versions(parameters: Mapping[str, Any]) -> dict[str, int]:
    """The versions of the remedies and the task, where they changed meaning: so only their cases are measured again."""
    remedy, task = parameters.get("remedy"), parameters.get("task")
    versions = {
        f"version of {name}": rj.remedies.REMEDIES[name].version for name in combined_names(remedy or "none")
    }
    if task is not None:
        versions[f"version of {task}"] = getattr(rj.tasks.TASKS[task], "draws_version", 1)
    return {name: version for name, version in versions.items() if version > 1}


def _hash(configuration: Mapping[str, Any]) -> str:
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
