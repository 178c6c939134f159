"""The blocks between fences in the pages, with the words that say what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .citations import DOCS, ROOT

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
_FENCE = re.compile(r"^```(?P<kind>[a-z]+)(?: (?P<word>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block: its language, the word after it (what file it stands for, or `part`), and where it begins."""

    kind: str
    word: str
    text: str
    place: str


def blocks(kind: str, page: Path | None = None) -> Iterator[Block]:
    """The blocks of a language, of one page or of all."""
    for path in PAGES if page is None else [page]:
        text = path.read_text()
        for match in _FENCE.finditer(text):
            if match["kind"] == kind:
                line = text.count("\n", 0, match.start()) + 1
                yield Block(kind, match["word"] or "", match["text"], f"{path.relative_to(ROOT)}:{line}")
