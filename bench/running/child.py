"""A process that measures cases for another one: `python -m bench.running.child BACKEND DTYPE`.

It reads cases from its input, one a line, stores the shard of each, and says on its output how it goes on. Asked to
describe where it runs, it says that. It ends with its input: also where whoever started it was killed.
"""

import json
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from bench.errors import UsageError, failure_of


def main(backend: str, dtype: str, debug: bool) -> None:
    """Measures what is asked for until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    say = _own_output()
    tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()

    from bench import machine

    machine.configure(backend, dtype, shares_device=True)
    while True:
        task = json.loads(tasks.get())
        say(_described(dtype, task["describe"]) if "describe" in task else _measured(task, say, debug))


def _described(dtype: str, packages: list[str]) -> dict[str, Any]:
    from bench import machine
    from bench.running.installation import installation

    facts = machine.describe(machine.environment(dtype), [])
    return {"facts": facts, "installation": installation(packages)}


def _measured(task: dict[str, Any], say: Any, debug: bool) -> dict[str, Any]:
    from bench.cases import measure
    from bench.machine import Environment
    from bench.running import parts
    from bench.store import Store
    from bench.store.checkpoints import Checkpoints
    from bench.suite.case import Case

    case = Case(**task["case"] | {"seeds": tuple(task["case"]["seeds"])})
    environment = Environment(**task["environment"])

    store, case_id = Store(Path(task["folder"])), case.case_id(environment)
    checkpoints = Checkpoints(
        store.checkpoints(case_id), task["checkpoint_every_s"], lambda line: say({"note": line})
    )

    def report(what: str, fraction: float) -> None:
        say({"within": [what, fraction]})

    try:
        rows = measure(case, environment, task["suite"], report, checkpoints)
        if task.get("process") is None:
            store.write(case_id, rows)
        else:
            parts.keep(store, case, case_id, task["process"], rows)
    except UsageError as error:  # the disk is full: that is the run's failure, not the case's
        return {"status": "unwritable", "error": str(error)}
    except Exception as error:
        if debug:
            traceback.print_exc()
        status, line = failure_of(error)
        return {"status": status, "error": line}
    return {"status": "done"}


def _own_output() -> Any:
    """Writes JSON lines to what was standard output; what libraries print there goes to standard error."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=output, flush=True)

    return say


def _read(tasks: "queue.SimpleQueue[str]") -> None:
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--debug" in sys.argv[3:])
