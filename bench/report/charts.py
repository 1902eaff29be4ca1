"""Charts as HTML: a figure with its switches, its data and its caption. `assets/page.js` draws it."""

from collections.abc import Sequence
from itertools import groupby

from bench.report.content import Chart, Option, Switches, View
from bench.report.escaping import data, text
from bench.report.looks import Look

_SHAPES = {
    "circle": "<circle cx='14' cy='7' r='4'/>",
    "square": "<rect x='10' y='3' width='8' height='8'/>",
    "triangle-up": "<path d='M14 2 L19 11 L9 11 Z'/>",
    "diamond": "<path d='M14 2 L19 7 L14 12 L9 7 Z'/>",
    "triangle-down": "<path d='M14 12 L19 3 L9 3 Z'/>",
    "cross": "<path d='M12 2h4v3h3v4h-3v3h-4v-3h-3v-4h3z'/>",
    "x": "<path d='M10 2l4 3.2 4-3.2 1.2 1.4-3.6 3.6 3.6 3.6-1.2 1.4-4-3.2-4 3.2-1.2-1.4 3.6-3.6-3.6-3.6z'/>",
    "star": "<path d='M14 1l1.6 4.2 4.4.2-3.4 2.8 1.1 4.3-3.7-2.4-3.7 2.4 1.1-4.3-3.4-2.8 4.4-.2z'/>",
}
_DASHES = {"solid": "", "dash": "7 3", "dashdot": "7 2 2 2", "dot": "2 3", "longdash": "11 3"}


def html_chart(chart: Chart) -> str:
    """One figure."""
    content = [
        {
            "label": view.label,
            "summary": view.summary,
            "traces": list(view.traces),
            "layout": view.layout,
        }
        for view in chart.views
    ]
    switches = "".join(
        _fieldset(chart.name, place, group, one)
        for place, view in enumerate(chart.views)
        for group, one in enumerate(view.switches)
    )
    return (
        f'<figure class="chart{" square" if chart.is_square else ""}" id="{chart.name}">'
        f"{_choice(chart)}{switches}"
        f'<div class="plot" role="img" aria-label="{text(chart.views[0].summary)}"></div>'
        '<p class="tools"><span class="shown" role="status"></span>'
        '<button type="button" data-do="fit">Fit all</button>'
        '<button type="button" data-do="reset">Reset</button>'
        '<button type="button" data-do="save">Save</button></p>'
        f"<figcaption>{text(chart.caption)}</figcaption>"
        f'<script type="application/json">{data(content)}</script>'
        "</figure>"
    )


def _choice(chart: Chart) -> str:
    """The list of views."""
    if len(chart.views) == 1:
        return ""
    groups = [
        (name, list(views)) for name, views in groupby(enumerate(chart.views), lambda each: each[1].group)
    ]
    listed = "".join(
        f'<optgroup label="{text(name)}">{_options(views)}</optgroup>' if name else _options(views)
        for name, views in groups
    )
    return (
        f'<p class="choice"><label for="{chart.name}-view">{text(chart.choose)}</label> '
        f'<select id="{chart.name}-view" autocomplete="off">{listed}</select></p>'
    )


def _options(views: Sequence[tuple[int, View]]) -> str:
    return "".join(f'<option value="{place}">{text(view.label)}</option>' for place, view in views)


def _fieldset(chart: str, view: int, group: int, switches: Switches) -> str:
    """A group of switches; that of a view that is not shown is hidden."""
    hidden = " hidden" if view else ""
    both = (
        '<button type="button" data-all="on">all</button><button type="button" data-all="off">none</button>'
        if len(switches.options) > 2
        else ""
    )
    boxes = "".join(_switch(place, option) for place, option in enumerate(switches.options))
    return (
        f'<fieldset data-view="{view}" data-group="{group}" id="{chart}-{view}-{group}"{hidden}>'
        f"<legend>{text(switches.legend)}</legend>{both}{boxes}</fieldset>"
    )


def _switch(place: int, option: Option) -> str:
    checked = " checked" if option.is_on else ""
    return (
        f'<label class="switch"><input type="checkbox" autocomplete="off" value="{place}"{checked}>'
        f"{_swatch(option.look)}<span>{text(option.label)}</span></label>"
    )


def _swatch(look: Look | None) -> str:
    """The look of a line, drawn small."""
    if look is None:
        return ""
    dash = f' stroke-dasharray="{_DASHES[look.dash]}"' if _DASHES.get(look.dash) else ""
    line = f'<path d="M1 7H27" stroke="currentColor" stroke-width="2"{dash}/>' if look.dash else ""
    mark = f'<g fill="currentColor">{_SHAPES[look.symbol]}</g>' if look.symbol else ""
    return f'<svg class="swatch" style="color: {look.colour}" viewBox="0 0 28 14" aria-hidden="true">{line}{mark}</svg>'
