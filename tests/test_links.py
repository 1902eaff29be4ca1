"""The links of the pages lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "bench/README.md", "results/README.md", "results/FINDINGS.md"]


def links(page):
    return re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text(encoding="utf-8"))


def anchors(path):
    """Of the headings, as GitHub names them."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for link in links(page):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_there_are_links_of_each_kind():
    found = [link for page in PAGES for link in links(page)]
    for kind in (r"https://", r".*\.png$", r".*\.md$", r".*\.md#.", r"#."):
        assert any(re.match(kind, link) for link in found), kind
