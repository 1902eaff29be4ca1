"""Every derived table that no other section shows."""

from bench.report.content import Section, Table
from bench.report.results import Results
from bench.report.sections.remedies import TABLE as REMEDIES
from bench.report.sections.targets import TABLES as TARGETS

_TITLES = {
    "timing_summary": "Run times, and how sure they are",
    "chain_cost": "What a chain costs beside the bare loop of matrix products",
    "chain_scaling": "How the time of a chain grows",
    "exactness_summary": "Distance of a chain from jacrev of the unrolled net",
    "peers": "Beside other libraries",
    "data_shares": "Drawing a batch beside the training step that it is for",
    "device_scaling": "Over several devices",
    "factorizations": "Factorizations of a spectrum",
    "ceilings": "What the device can do at best",
    "roofline": "Share of the device's ceiling",
    "precision_summary": "A chain's deviation from float64",
}
_SHOWN_ELSEWHERE = {"claims", "decay_summary", "accuracy_summary", "theory", REMEDIES, *TARGETS}


def further(results: Results) -> Section:
    """Costs, exactness, rivals: a table each, folded away."""
    names = dict.fromkeys(
        name for folder in results.folders for name in folder.tables if name not in _SHOWN_ELSEWHERE
    )
    return Section(
        "further",
        "What it costs, and how exact it is",
        "All other tables that the results give.",
        [
            Table(f"{_TITLES.get(name, name.replace('_', ' '))}: {folder.label}", table)
            for name in names
            for folder, table in results.with_table(name)
        ],
        "rnn-bench run quick --only kind=timings",
    )
