"""Links between the pages lead to a page and a heading, and paths that a page names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .citations import DOCS, ROOT

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]+)?\)")
_PATH = re.compile(r"`((?:tests|ci|docs|share|schemas|cluster\.d|reconciler)/[A-Za-z0-9_./-]+)`")
_OWN_TREE = ("docs/security.md",)
"""Pages whose paths are all of this repository."""


def anchors(page: Path) -> set[str]:
    """The anchors of the headings, as forges make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    dangling = []
    for target, anchor in _LINK.findall(re.sub(r"`[^`\n]*`", "", page.read_text())):
        to = (page.parent / target).resolve() if target else page
        if not to.exists() or (anchor and anchor[1:] not in anchors(to)):
            dangling.append(target + anchor)
    assert dangling == []


@pytest.mark.parametrize("name", _OWN_TREE)
def test_paths(name: str) -> None:
    assert [path for path in _PATH.findall((ROOT / name).read_text()) if not (ROOT / path).exists()] == []
