"""Verdicts, and claims with theirs, as HTML."""

from bench.report.content import Claim, Claims
from bench.report.escaping import text

_MARKS = {
    "holds": ("good", "✓"),
    "met": ("good", "✓"),
    "solved": ("good", "✓"),
    "agrees": ("good", "✓"),
    "in part": ("fair", "◐"),
    "better_than_baseline": ("fair", "◐"),
    "fails": ("bad", "✗"),
    "missed": ("bad", "✗"),
    "diverged": ("bad", "✗"),
    "at_baseline": ("bad", "✗"),
}
"""Beside its colour a verdict has a mark."""


def html_verdict(verdict: str) -> str:
    """A verdict with its mark; one that is not known stands as it is."""
    if verdict not in _MARKS:
        return text(verdict)
    kind, mark = _MARKS[verdict]
    return f'<span class="verdict {kind}"><span aria-hidden="true">{mark}</span> {text(verdict)}</span>'


def html_claims(claims: Claims) -> str:
    """A list, an item a claim."""
    return f'<ul class="claims">{"".join(_item(each) for each in claims.claims)}</ul>'


def _item(claim: Claim) -> str:
    return (
        f'<li>{html_verdict(claim.verdict)}<div><p class="claim">{text(claim.claim)}</p>'
        f"<p>{text(claim.number)}</p><p><code>{text(claim.command)}</code></p></div></li>"
    )
