"""Verdicts, and claims with theirs, as HTML."""

from bench.report.content import Finding, Findings
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


def html_findings(findings: Findings) -> str:
    """A list, an item a claim."""
    return f'<ul class="findings">{"".join(_item(each) for each in findings.findings)}</ul>'


def _item(finding: Finding) -> str:
    return (
        f'<li>{html_verdict(finding.verdict)}<div><p class="claim">{text(finding.claim)}</p>'
        f"<p>{text(finding.number)}</p><p><code>{text(finding.command)}</code></p></div></li>"
    )
