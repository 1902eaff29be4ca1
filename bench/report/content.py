"""What a report is made of: sections of charts, tables and lines of text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.report.looks import Look


@dataclass(frozen=True)
class Option:
    """One thing to switch on and off.

    Attributes:
        label: its name, as it came from the results: not yet escaped.
        look: how the traces that it switches are drawn; None where it has no look of its own.
        is_on: whether it is on when the page opens.
    """

    label: str
    look: Look | None = None
    is_on: bool = True


@dataclass(frozen=True)
class Switches:
    """A group of switches, such as all cells."""

    legend: str
    options: Sequence[Option]


@dataclass(frozen=True)
class View:
    """One state of a chart: what is drawn when it is chosen.

    Attributes:
        label: its name in the list of views.
        traces: of plotly. A trace whose `meta` is a list of places, one a group of switches, is drawn
            where the options at all of these places are on; one without is always drawn.
        layout: of plotly, beyond what all charts share.
        summary: what it shows in a sentence or two, for those who do not see it.
        switches: groups of them.
        group: views of one group stand together in the list.
    """

    label: str
    traces: Sequence[dict[str, Any]]
    layout: dict[str, Any]
    summary: str
    switches: Sequence[Switches] = ()
    group: str = ""


@dataclass(frozen=True)
class Chart:
    """A picture with one view or several.

    Attributes:
        name: a word, unique in the page.
        caption: what is drawn, from what, and what was left out.
        choose: what the list of views is called.
        is_square: whether it is about as high as wide.
    """

    name: str
    caption: str
    views: Sequence[View]
    choose: str = "Show"
    is_square: bool = False


@dataclass(frozen=True)
class Table:
    """A table of results.

    Attributes:
        caption: what it holds.
        is_open: whether it shows when the page opens; else it folds out.
    """

    caption: str
    frame: pd.DataFrame
    is_open: bool = False


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Claim:
    """A claim and what became of it.

    Attributes:
        verdict: as the derived tables have it.
        number: what says so.
        command: what measures it again.
    """

    claim: str
    verdict: str
    number: str
    command: str


@dataclass(frozen=True)
class Claims:
    """Claims one below the other: a table of long texts is not legible on a phone."""

    claims: Sequence[Claim]


@dataclass(frozen=True)
class Commands:
    """Lines for a terminal."""

    lines: Sequence[str]


Part = Chart | Table | Text | Claims | Commands


@dataclass(frozen=True)
class Section:
    """One subject.

    Attributes:
        name: a word, unique in the page: its address.
        question: what it answers, in a sentence.
        parts: what it shows; none where the results have nothing on it.
        measured_by: the command that measures what is missing.
    """

    name: str
    title: str
    question: str
    parts: Sequence[Part]
    measured_by: str = ""
