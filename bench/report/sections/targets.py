"""Published numbers and figures to be reached, beside what was measured."""

from bench.report.content import Section, Table
from bench.report.results import Results

TABLES = {"targets": "Published numbers, and ours", "gpu_targets": "To be reached on a GPU"}


def targets(results: Results) -> Section:
    """The tables of targets that the results have."""
    return Section(
        "targets",
        "Targets",
        "Are published numbers met?",
        [
            Table(f"{title}: {folder.label}", table, is_open=True)
            for name, title in TABLES.items()
            for folder, table in results.with_table(name)
        ],
        "rnn-bench run targets-cpu",
    )
