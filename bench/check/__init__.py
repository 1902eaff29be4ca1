"""Whether a result folder may be quoted: are its times sure enough, and does it hold what it claims?"""

from pathlib import Path

from bench.check import case_ids, derived, machines, noise, rows, shards
from bench.check.finding import DAMAGED, NOISY, NOTE
from bench.check.finding import Finding as Finding
from bench.comparing import comparison
from bench.running import plan
from bench.running.status import plan_to_keep
from bench.store import Store


def checked(folder: Path, widest_percent: float = noise.WIDEST_PERCENT) -> list[Finding]:
    """Everything that is to be said of one folder, damage first; notes are no faults.

    Args:
        folder: a result folder, or one that keeps a comparison.
        widest_percent: the width of a median's 95% interval over the median from which it is too noisy.

    Raises:
        UsageError: it is neither.
    """
    if comparison.is_comparison(folder):
        return derived.of_comparison(folder)
    store = Store(folder)
    store.refuse_without_results()
    frames, found = rows.readable(store)
    found += rows.of_each_file(frames)
    found += rows.of_each_case(frames, set(store.kinds()) - frames.keys(), _kinds_of_cases(folder))
    found += machines.of_rows(folder, frames)
    found += case_ids.recomputed(folder, frames)
    found += shards.beside(store, frames)
    if len(frames) == len(store.kinds()):
        found += derived.of_results(store)
    if "timings" in frames:
        found += noise.of_times(frames["timings"], widest_percent)
    order = (DAMAGED, NOISY, NOTE)
    return sorted(found, key=lambda finding: order.index(finding.weight))


def _kinds_of_cases(folder: Path) -> dict[str, str]:
    """The kinds of the cases that a folder is meant to hold, by id, as far as it says which these are."""
    planned = plan.read(folder) or plan_to_keep(folder)
    return {case.case_id: case.kind for case in planned.cases} if planned else {}
