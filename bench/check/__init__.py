"""Whether a result folder may be quoted: are its times sure enough, and does it hold what it claims?"""

from pathlib import Path

from bench.check import case_ids, derived, machines, noise, rows, shards
from bench.check.finding import DAMAGED, NOISY, NOTE
from bench.check.finding import Finding as Finding
from bench.comparing import comparison
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
    found += machines.of_rows(folder, frames)
    found += case_ids.recomputed(folder, frames)
    found += shards.beside(store, frames)
    if len(frames) == len(store.kinds()):
        found += derived.of_results(store)
    if "timings" in frames:
        found += noise.of_times(frames["timings"], widest_percent)
    order = (DAMAGED, NOISY, NOTE)
    return sorted(found, key=lambda finding: order.index(finding.weight))
