"""The sections of a report, one subject a file, in the order of the page."""

from collections.abc import Callable

from bench.report.content import Section
from bench.report.results import Results
from bench.report.sections.accuracy import accuracy
from bench.report.sections.claims import claims
from bench.report.sections.comparisons import comparisons
from bench.report.sections.decay import decay
from bench.report.sections.further import further
from bench.report.sections.machines import machines
from bench.report.sections.pairs import pairs
from bench.report.sections.remedies import remedies
from bench.report.sections.reproduce import reproduce
from bench.report.sections.spectra import spectra
from bench.report.sections.targets import targets

SECTIONS: tuple[Callable[[Results], Section], ...] = (
    claims,
    decay,
    pairs,
    spectra,
    accuracy,
    remedies,
    targets,
    comparisons,
    further,
    machines,
    reproduce,
)
