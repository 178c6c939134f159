"""A YAML document as it is laid out: values with the comments and blank lines around them.

Made from the parser's events, so that nothing of the text is guessed: what is neither a value, its syntax, nor a comment is blank.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.errors import ReconcilerError


class FormatError(ReconcilerError):
    """The file can't be formatted without losing something; it was left as it is."""

    code = "format"


class Piece:
    """One value: `kind` is scalar, map or list; `flow` tells that it was written in brackets.

    `tail` are comments after the last entry that are indented as the entries are, and so belong to this value.
    """

    __slots__ = ("column", "end", "entries", "flow", "kind", "line", "plain", "start", "tail", "text")

    def __init__(self, kind: str, event: Any) -> None:
        self.kind = kind
        self.start: int = event.start_mark.index
        self.end: int = event.end_mark.index
        self.line: int = event.start_mark.line
        self.column: int = event.start_mark.column
        self.text: str = getattr(event, "value", "")
        self.plain: bool = kind == "scalar" and not event.style
        self.flow: bool = bool(getattr(event, "flow_style", False))
        self.entries: list[Item] = []
        self.tail: list[str] = []


class Item:
    """A pair of a map, or an item of a list (then without key), with the comments that belong to it."""

    __slots__ = ("after", "before", "blank", "column", "key", "line", "value")

    def __init__(self, key: Piece | None, value: Piece) -> None:
        self.key = key
        self.value = value
        self.line = value.line if key is None else key.line
        self.column = value.column if key is None else key.column
        self.before: list[str] = []
        self.after: list[str] = []
        self.blank = False

    def walk(self) -> Iterator[Item]:
        """This entry and all below it, in the order written."""
        yield self
        for entry in self.value.entries:
            yield from entry.walk()


class Layout:
    """One document: its root, the comments that head the file, and those after the last value."""

    __slots__ = ("head", "root", "tail")

    def __init__(self, root: Piece) -> None:
        self.root = root
        self.head: list[str] = []
        self.tail: list[str] = []

    def entries(self) -> Iterator[Item]:
        """All entries in the order written."""
        for entry in self.root.entries:
            yield from entry.walk()


def read_layout(text: str) -> Layout | None:
    """The layout of a text with one document that is a map; None when it holds no values at all.

    Raises FormatError for what can't be kept: several documents, anchors, tags, directives, a document that is no map.
    """
    root, spans = _build(text)
    if root is None:
        return None
    if root.kind != "map":
        raise FormatError("format the file: it holds no map")
    layout = Layout(root)
    _attach(layout, text, spans)
    return layout


def comments_of(text: str) -> list[str]:
    """Every comment of a text, sorted."""
    _, spans = _build(text)
    return sorted(comment for _, _, comment, _ in _comments(text, spans))


def _build(text: str) -> tuple[Piece | None, list[tuple[int, int]]]:
    import yaml

    stack: list[tuple[Piece, Piece | None]] = []
    spans: list[tuple[int, int]] = []
    roots: list[Piece] = []
    event: Any
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        name = type(event).__name__
        _refuse_unkept(name, event)
        if name == "ScalarEvent":
            spans.append(_span(text, event))
            _put(stack, roots, Piece("scalar", event))
        elif name in ("MappingStartEvent", "SequenceStartEvent"):
            stack.append((Piece("map" if name == "MappingStartEvent" else "list", event), None))
        elif name in ("MappingEndEvent", "SequenceEndEvent"):
            node, _ = stack.pop()
            node.end = event.end_mark.index
            _put(stack, roots, node)
    if len(roots) > 1:
        raise FormatError("format the file: it holds several documents")
    return (roots[0] if roots else None), spans


def _refuse_unkept(name: str, event: Any) -> None:
    line = event.start_mark.line + 1
    if name == "AliasEvent" or getattr(event, "anchor", None):
        raise FormatError(f"format the file: line {line} has an anchor or alias, which formatting would write out")
    if getattr(event, "tag", None) and event.tag != "!":
        raise FormatError(f"format the file: line {line} has a tag")
    if name == "DocumentStartEvent" and (event.version or event.tags):
        raise FormatError(f"format the file: line {line} has a directive")


def _span(text: str, event: Any) -> tuple[int, int]:
    """Where a scalar is; of a block scalar the header line is left out, because a comment may stand there."""
    start, end = event.start_mark.index, event.end_mark.index
    if event.style in ("|", ">"):
        first = text.find("\n", start)
        return (first if 0 <= first < end else end), end
    return start, end


def _put(stack: list[tuple[Piece, Piece | None]], roots: list[Piece], node: Piece) -> None:
    if not stack:
        if node.kind != "scalar" or node.text or not node.plain:
            roots.append(node)
        return
    parent, key = stack[-1]
    if parent.kind == "list":
        parent.entries.append(Item(None, node))
    elif key is None:
        stack[-1] = (parent, node)
    else:
        parent.entries.append(Item(key, node))
        stack[-1] = (parent, None)


def _comments(text: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int, str, bool]]:
    """Line, index, text and whether it stands alone, of each comment."""
    place = 0
    index = text.find("#")
    while index >= 0:
        while place < len(spans) and spans[place][1] <= index:
            place += 1
        inside = place < len(spans) and spans[place][0] <= index
        if not inside and (index == 0 or text[index - 1].isspace()):
            end = text.find("\n", index)
            end = len(text) if end < 0 else end
            start = text.rfind("\n", 0, index) + 1
            yield text.count("\n", 0, index), index, text[index:end].rstrip(), not text[start:index].strip()
            index = end
        index = text.find("#", index + 1)


def _attach(layout: Layout, text: str, spans: list[tuple[int, int]]) -> None:
    """Give every comment to an entry: alone, to the next one; behind a value, to the last that begins on the line or before.

    One that stands deeper than what follows belongs to the end of what it is indented like.
    """
    entries = list(layout.entries())
    lines = text.split("\n")
    holders = list(_holders(layout.root, lines))
    header = _header_lines(lines)
    found = list(_comments(text, spans))
    alone = {line for line, _, _, own in found if own}
    for line, index, comment, own in found:
        if own and line < header:
            layout.head.append(comment)
        elif own:
            following = next((entry for entry in entries if entry.line > line), None)
            column = index - (text.rfind("\n", 0, index) + 1)
            holder = _holder(holders, line, column, following)
            if holder is not None:
                holder.tail.append(comment)
            else:
                (layout.tail if following is None else following.before).append(comment)
        else:
            before = [entry for entry in entries if entry.line <= line]
            (before[-1].after if before else layout.head).append(comment)
    seen: set[int] = set()
    for entry in entries:
        first = entry.line
        while first - 1 in alone and first - 1 >= header:
            first -= 1
        entry.blank = entry.line not in seen and first > 0 and not lines[first - 1].strip() and first - 1 >= header
        seen.add(entry.line)


Holder = tuple[int, int, Piece]
"""The line and column of an entry in block form, with the value that holds it."""


def _holders(piece: Piece, lines: list[str]) -> Iterator[Holder]:
    for entry in () if piece.flow else piece.entries:
        dash = lines[entry.line].find("-") if piece.kind == "list" else -1
        yield entry.line, dash if 0 <= dash < entry.column else entry.column, piece
        yield from _holders(entry.value, lines)


def _holder(holders: list[Holder], line: int, column: int, following: Item | None) -> Piece | None:
    """The value at whose end a comment stands; None where it belongs to what follows, or to the end of the file."""
    least = 0 if following is None else following.column
    if column <= least:
        return None
    before = [(at, holder) for entry_line, at, holder in holders if entry_line < line]
    for at, holder in reversed(before):
        if at <= column:
            return holder if at > least or (following is None and at > 0) else None
    return None


def _header_lines(lines: list[str]) -> int:
    """How many lines at the top are comments apart from the first value: a blank line follows, or they are for editors."""
    count = 0
    while count < len(lines) and lines[count].startswith("#"):
        count += 1
    if 0 < count < len(lines) and not lines[count].strip():
        return count
    return 1 if count and "yaml-language-server" in lines[0] else 0
