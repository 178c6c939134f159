"""Whatever the code cites can be looked up: sections of the specification, pages of docs/, and documents listed in docs/sources.md."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from .citations import (
    DOCS,
    PAGES,
    PARTS,
    ROOT,
    SPECIFICATION,
    Text,
    headings,
    listed_documents,
    manual_page,
    module_text,
    numbered,
    rule_numbers,
    sections,
    sources,
    texts,
)

FILES = sorted(path for folder in ("reconciler", "tests") for path in (ROOT / folder).rglob("*.py"))
_FOREIGN = re.compile(r"OCF Resource Agent API 1\.1, section|RFC \d+, section")


@cache
def numbers_of(part: int) -> frozenset[str]:
    return frozenset(numbered(DOCS / PARTS[part]))


def parts_named(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"\bpart ([123])\b", text)}


def parts_meant(number: str, module: str) -> set[int]:
    """The parts that a section without one may be of: of several that the module names, those of which it names the chapter."""
    named = parts_named(module)
    if len(named) < 2:
        return named
    chapter = number.partition(".")[0]
    return {
        part for part, known in sections(module) if part is not None and known.partition(".")[0] == chapter
    } or named


def dangling_sections(text: Text, module: str) -> list[str]:
    """What is wrong with the sections that a text cites; without a part it means the one that the module names."""
    if _FOREIGN.search(text.text):
        return []
    wrong = []
    for part, number in sections(text.text):
        if part is None:
            named = parts_meant(number, module)
            if len(named) != 1:
                wrong.append(
                    f"{text}: section {number}: the module names {len(named)} parts, so say which one is meant"
                )
                continue
            (part,) = named
        if number not in numbers_of(part):
            wrong.append(f"{text}: part {part} has no section {number}")
    return wrong


def dangling_source(item: str) -> str | None:
    """What is wrong with one item after `Source:`; None when it can be looked up."""
    if item.startswith((SPECIFICATION, "part ")):
        return None if re.search(r"parts? [123]", item) else "says no part of the specification"
    for name, page in PAGES.items():
        if item.startswith(name):
            return dangling_place(item.removeprefix(name), page)
    if manual_page(item) is not None:
        return None
    known = any(item.startswith(name) for name in listed_documents())
    return None if known else "docs/sources.md does not list this document"


def dangling_place(place: str, page: str) -> str | None:
    files = sorted((DOCS / page).glob("*.md")) if (DOCS / page).is_dir() else [DOCS / page]
    if not all(file.exists() for file in files):
        return f"docs/{page} does not exist"
    titles = [title for file in files for title in headings(file)]
    for quoted in re.findall(r'"([^"]+)"', place):
        if not any(title == quoted or title.startswith((f"{quoted}:", f"{quoted} (")) for title in titles):
            return f"docs/{page} has no heading {quoted!r}"
    listed = {int(number) for number in re.findall(r"^(\d+)\. ", files[0].read_text(), re.MULTILINE)}
    missing = [number for number in rule_numbers(place) if number not in listed]
    return f"docs/{page} has no rule {missing[0]}" if missing else None


def dangling_pages(text: Text) -> list[str]:
    """What is wrong with mentions of our own pages, wherever they stand in a text."""
    wrong = []
    for name, page in PAGES.items():
        for place in re.findall(rf"{name}(?=[,.;)]|$)([^;)]*)", " ".join(text.text.split())):
            if (fault := dangling_place(place, page)) is not None:
                wrong.append(f"{text}: {name}{place}: {fault}")
    return wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_citation_leads_somewhere(path: Path) -> None:
    module = module_text(path)
    wrong: list[str] = []
    for text in texts(path):
        wrong += dangling_sections(text, module) + dangling_pages(text)
        for item in sources(text.text):
            if (fault := dangling_source(item)) is not None:
                wrong.append(f"{text}: {item}: {fault}")
    assert wrong == []


DANGLING = [
    pytest.param("Source: the scheduler's specification, part 2, section 99.1.", "99.1", id="no such section"),
    pytest.param("Source: the scheduler's specification, part 2, sections 6 and 98.", "98", id="the second of two"),
    pytest.param("Source: the scheduler's specification, part 1, appendix Q.", "Q", id="no such appendix"),
    pytest.param("Of two parts: part 1, section 3; part 3, section 77.", "77", id="of the second part"),
    pytest.param("What follows (part 2, section 6.99).", "6.99", id="in a sentence"),
]


@pytest.mark.parametrize(("docstring", "number"), DANGLING)
def test_a_section_that_is_not_there_is_found(docstring: str, number: str) -> None:
    (fault,) = dangling_sections(Text("some.py", 1, docstring), docstring)
    assert f"has no section {number}" in fault


def test_a_section_without_a_part_is_one_of_the_part_that_the_module_names() -> None:
    module = "Source: the scheduler's specification, part 2, section 6."
    assert dangling_sections(Text("some.py", 9, "Applied newest first (section 6.4)."), module) == []
    assert len(dangling_sections(Text("some.py", 9, "Applied newest first (section 6.94)."), module)) == 1


TWO_PARTS = "Source: the scheduler's specification, part 1, section 3; part 2, section 6."
AMBIGUOUS = "Source: the scheduler's specification, part 1, section 6; part 2, section 6.1."


def test_of_two_parts_the_one_is_meant_of_which_the_module_names_the_chapter() -> None:
    assert dangling_sections(Text("some.py", 9, "Applied newest first (section 6.4)."), TWO_PARTS) == []
    (fault,) = dangling_sections(Text("some.py", 9, "See section 6.99."), TWO_PARTS)
    assert "part 2 has no section 6.99" in fault


@pytest.mark.parametrize("module", ["", AMBIGUOUS])
def test_a_section_without_a_part_needs_a_module_that_names_one(module: str) -> None:
    (fault,) = dangling_sections(Text("some.py", 9, "See section 6."), module)
    assert "say which one" in fault


UNKNOWN = [
    pytest.param("A Book That Nobody Listed", "does not list this document", id="a document"),
    pytest.param("page(9)", "does not list this document", id="a manual page of no section"),
    pytest.param('the design of the cluster, "No Such Heading"', "has no heading", id="a heading of ours"),
    pytest.param("the design of the cluster, safety rule 99", "has no rule 99", id="a safety rule"),
    pytest.param("the scheduler's specification", "says no part", id="the specification as a whole"),
]


@pytest.mark.parametrize(("item", "fault"), UNKNOWN)
def test_a_source_that_nobody_can_look_up_is_found(item: str, fault: str) -> None:
    assert fault in (dangling_source(item) or "")


def test_a_page_of_ours_is_looked_up_wherever_it_is_named() -> None:
    (fault,) = dangling_pages(Text("some.py", 1, 'Rules (the design of the cluster, "No Such Heading"): none.'))
    assert "has no heading 'No Such Heading'" in fault


def test_sources_are_read_item_by_item_over_lines() -> None:
    text = "What it is.\n\nSource: proc(5);\n    the design of the cluster, safety rule 8.\n\nMore; of it."
    assert list(sources(text)) == ["proc(5)", "the design of the cluster, safety rule 8"]


LINKS = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
PAGES_WRITTEN = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES_WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_to_files(page: Path) -> None:
    missing = [target for target in LINKS.findall(page.read_text()) if not (page.parent / target).exists()]
    assert missing == []
