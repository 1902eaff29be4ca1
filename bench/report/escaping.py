"""Text from results, made harmless: for HTML, for data within a page, for the labels of plotly."""

import html
import json
import math
from typing import Any


def text(value: object) -> str:
    """For the content of an element or the value of an attribute."""
    return html.escape(str(value), quote=True)


def label(value: object) -> str:
    """For a text that plotly draws: it reads a few tags and entities in its labels, so a name must have none."""
    return html.escape(str(value), quote=False)


def data(value: Any) -> str:
    """JSON for a data block of a page: nothing in it can end the block. Numbers that are not finite are null."""
    written = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        # Five digits are more than a screen shows.
        return float(f"{value:.5g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
