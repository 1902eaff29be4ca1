"""The whole page: sections, styles and scripts in one file that asks nothing of a network."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from bench.errors import UsageError, making
from bench.report.charts import html_chart
from bench.report.content import Chart, Claims, Commands, Part, Section, Table
from bench.report.escaping import text
from bench.report.looks import DARK, LIGHT, palette
from bench.report.results import Results
from bench.report.sections import SECTIONS
from bench.report.tables import html_table
from bench.report.verdicts import html_claims

MOST_BYTES = 8_000_000
"""What a mail takes everywhere."""


def page(results: Results) -> str:
    """The report as HTML: the same results and the same plotly give the same text.

    Raises:
        UsageError: plotly is not installed.
    """
    plotly = _plotly()
    script = _asset("page.js")
    sections = [_made(make, results) for make in SECTIONS]
    style = Template(_asset("page.css")).substitute(light=palette(LIGHT), dark=palette(DARK))
    machines = sorted({str(folder.facts["identity"].get("machine", "?")) for folder in results.folders})
    names = ", ".join(folder.label for folder in results.folders)
    return Template(_asset("page.html")).substitute(
        # A script runs only where it is one of these two: what results say can never be one.
        hashes=f"{_hash(plotly)} {_hash(script)}",
        title=text(f"How far does the gradient reach? {', '.join(machines)}"),
        style=style,
        lead=text(
            "Exact Jacobian chains of recurrent nets, training that needs them, and what both cost, measured on "
            f"{', '.join(machines)}. Every chart has its numbers in a table."
        ),
        nav="".join(f'<li><a href="#{each.name}">{text(each.title)}</a></li>' for each in sections),
        sections="\n".join(_html(section) for section in sections),
        footer=text(f"Written by rnn-bench report from {names}. Charts: plotly.js, MIT licence."),
        plotly=plotly,
        script=script,
    )


def _made(make: Callable[[Results], Section], results: Results) -> Section:
    kinds = dict.fromkeys(kind for folder in results.folders for kind in folder.store.kinds())
    folders = Path(", ".join(str(folder.store.folder) for folder in results.folders))
    with making(f"section {make.__name__}", folders, *kinds):
        return make(results)


def _html(section: Section) -> str:
    body = _parts(section.name, section.parts)
    if not section.parts:
        body = (
            f'<p class="absent">Not measured here. <code>{text(section.measured_by)}</code> measures it.</p>'
        )
    return (
        f'<section id="{section.name}" aria-labelledby="{section.name}-title">'
        f'<h2 id="{section.name}-title">{text(section.title)}</h2>'
        f'<p class="question">{text(section.question)}</p>{body}</section>'
    )


def _parts(name: str, parts: Sequence[Part]) -> str:
    return "".join(_part(part, f"{name}-{place}") for place, part in enumerate(parts))


def _part(part: Part, name: str) -> str:
    if isinstance(part, Chart):
        return html_chart(part)
    if isinstance(part, Table):
        return html_table(part, name)
    if isinstance(part, Claims):
        return html_claims(part)
    if isinstance(part, Commands):
        return f"<pre><code>{text(chr(10).join(part.lines))}</code></pre>"
    return f"<p>{text(part.text)}</p>"


def _asset(name: str) -> str:
    return files("bench.report").joinpath("assets", name).read_text(encoding="utf-8").strip()


def _hash(script: str) -> str:
    """As a Content-Security-Policy names a script: with the line ends that the page puts about it."""
    digest = hashlib.sha256(f"\n{script}\n".encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _plotly() -> str:
    """plotly.js, from the Python package: imported here only, for a machine that only measures has no use for it."""
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError as error:
        raise UsageError("report draws with plotly, which is not installed: pip install plotly") from error
    # A parser of HTML reads other line ends as this one, and the hash is of what it reads.
    return get_plotlyjs().replace("\r\n", "\n").replace("\r", "\n").strip()
