"""Finding citations in the code, and places in the pages that they point at."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PARTS = {
    1: "scheduler/1-inputs-and-state.md",
    2: "scheduler/2-placement.md",
    3: "scheduler/3-actions-and-graph.md",
}
PAGES = {
    "the design of the cluster": "cluster.md",
    "the design of the language": "language.md",
    "the design of the command line": "command-line.md",
    "the reference": "reference",
    "the threat model": "security.md",
}
"""Our own pages by the names under which they are cited (docs/sources.md says the same)."""

SPECIFICATION = "the scheduler's specification"
_HEADING = re.compile(r"#{1,6} (?P<title>.+)")
_NUMBER = re.compile(r"(?P<number>\d+(?:\.\d+)*)[. ]")
_APPENDIX = re.compile(r"(?:Appendix )?(?P<letter>[A-Z](?:\.\d+)?)[. ]")
_WORDS = r"(?:sections?|appendix|appendices)"
_ONE = r"(?:\d+(?:\.\d+)*|[A-Z](?:\.\d+)?(?![a-z]))"
_LIST = rf"{_ONE}(?:(?:, (?:and )?| and | to ){_ONE}(?![\w']))*"
_GROUP = re.compile(rf"{_WORDS}\s+{_LIST}")
_PART = re.compile(r"\bpart (?P<part>[123])\b")
_MAN_PAGE = re.compile(r"[\w.-]+\([1-8]\)")
_RULES = re.compile(r"rules? (?P<numbers>\d+(?:(?:, | and )\d+)*)")


@dataclass(frozen=True)
class Text:
    """A docstring or comment of a file, as one line."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def texts(path: Path) -> Iterator[Text]:
    """The docstrings (also those of fields) and comments of a Python file; comments in lines of their own stand together."""
    source = path.read_text()
    name = str(path.relative_to(ROOT))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield Text(name, node.lineno, node.value.value)
    block: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            if block and line != last + 1:
                yield Text(name, first, "\n".join(block))
                block = []
            if not block:
                first = line
            block.append(token.string.lstrip("# "))
            last = line
    if block:
        yield Text(name, first, "\n".join(block))


def module_text(path: Path) -> str:
    """The docstring of the module."""
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def sources(text: str) -> Iterator[str]:
    """What stands after `Source:` (or `**Source**:`), item by item; it ends with its paragraph."""
    for match in re.finditer(r"\*{0,2}Source\*{0,2}:\s+(?P<rest>.+?)(?:\n\s*\n|\Z)", text, re.DOTALL):
        rest = " ".join(match["rest"].split()).rstrip(".")
        yield from (item.strip() for item in re.split(r"; (?=[A-Z]|the |part |observation |[\w.-]+\(\d\))", rest))


def headings(page: Path) -> list[str]:
    """The titles of a page, those inside fences apart."""
    found: list[str] = []
    fenced = False
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and (match := _HEADING.match(line)) is not None:
            found.append(match["title"].strip())
    return found


def numbered(page: Path) -> set[str]:
    """The numbers of a page's sections, and the letters of its appendices."""
    found: set[str] = set()
    for title in headings(page):
        match = _NUMBER.match(title) or _APPENDIX.match(title)
        if match is not None:
            found.add(match[1])
    return found


def sections(text: str) -> Iterator[tuple[int | None, str]]:
    """The sections that a text cites, each with the part that is named before it in the text, if one is.

    A part counts until the end of its sentence or parenthesis, or until another document is named.
    """
    flat = " ".join(text.split())
    for sentence in re.split(r"(?<=[.)])\s+(?=[A-Z(])|; (?!(?:part|the scheduler))", flat):
        marks = sorted(
            [(match.start(), "part", match) for match in _PART.finditer(sentence)]
            + [(match.start(), "group", match) for match in _GROUP.finditer(sentence)]
        )
        part: int | None = None
        for _, kind, match in marks:
            if kind == "part":
                part = int(match["part"])
            else:
                yield from ((part, number) for number in re.findall(_ONE, match[0].partition(" ")[2]))


def rule_numbers(text: str) -> list[int]:
    """The numbers in "rules 1, 3 and 7"."""
    return [int(number) for match in _RULES.finditer(text) for number in re.findall(r"\d+", match["numbers"])]


def listed_documents() -> list[str]:
    """The names under which documents are cited, from docs/sources.md."""
    return re.findall(r"^\| (?!cited as|---)([^|]+?) \|", (DOCS / "sources.md").read_text(), re.MULTILINE)


def manual_page(item: str) -> str | None:
    """The manual page that an item begins with."""
    match = _MAN_PAGE.match(item)
    return None if match is None else match[0]
