"""YAML text to documents whose every value remembers its line, column and source text.

A strict subset of YAML 1.2: only `true` and `false` are booleans, only JSON's numbers are numbers, every other plain scalar is
text; no tags, no merge keys, no tabs, no duplicate keys. The parser's events are read one by one and never composed, so
neither deep nesting nor an alias bomb costs more than `limits` allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, NoReturn

from reconciler.language.text import limits
from reconciler.language.text.findings import Findings

Event = Any
"""An event of the parser: its published types leave out the anchors, and the marks that the C parser always sets."""

Kind = Literal["text", "integer", "number", "boolean", "null", "map", "list"]


class Value:
    """One value of a document: what kind it is, and where it was written (line and column count from 1).

    A scalar has its source text; a map its keys with the place of each and the values; a list its items.
    `size` counts the values below it with aliases written out. Aliases make values shared: they are never changed.
    `shift` is how many columns after its place a scalar's text begins, and None when its text is not the source's, sign by sign.
    """

    __slots__ = ("column", "items", "key_places", "kind", "line", "shift", "size", "text", "values")

    def __init__(self, kind: Kind, line: int, column: int, text: str = "") -> None:
        self.kind: Kind = kind
        self.line = line
        self.column = column
        self.text = text
        self.size = 1
        self.shift: int | None = None
        self.items: list[Value] = []
        self.values: dict[str, Value] = {}
        self.key_places: dict[str, tuple[int, int]] = {}

    def get(self, key: str) -> Value | None:
        """The value of a map's key."""
        return self.values.get(key)


def read_documents(file: str, data: bytes, findings: Findings) -> tuple[Value, ...]:
    """The documents of one file that have content; whatever is wrong goes to the findings, and the file then gives none."""
    text = _decode(file, data, findings)
    if text is None:
        return ()
    builder = _Builder(file, findings)
    sound = builder.build(text)
    return tuple(builder.documents) if sound else ()


_CONTROL = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
_ASCII_CONTROL = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
"""The same for a text of ASCII: most are, and to compile the whole takes longer than to read a small file."""
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_TEXT_TAG = "tag:yaml.org,2002:str"


def _decode(file: str, data: bytes, findings: Findings) -> str | None:
    if len(data) > limits.FILE_BYTES:
        size = f"the file has {len(data):,} bytes; at most {limits.FILE_BYTES:,} are taken"
        findings.error("file-too-large", file, (0, 0), size, "split it into several files")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        reason = f"byte 0x{data[error.start]:02x} is not UTF-8"
        findings.error("not-utf-8", file, _position(before, len(before)), reason, "save the file as UTF-8 text")
        return None
    if (found := _control(text)) is not None:
        reason = f"the character U+{ord(found[0]):04X} is not allowed"
        findings.error("control-character", file, _position(text, found.start()), reason, "is this a text file?")
        return None
    return text


def _control(text: str) -> re.Match[str] | None:
    """The first character that no text of a configuration may hold."""
    return re.search(_ASCII_CONTROL if text.isascii() else _CONTROL, text)


def _position(text: str, index: int) -> tuple[int, int]:
    ends = list(_LINE_END.finditer(text, 0, index))
    return len(ends) + 1, index - (ends[-1].end() if ends else 0) + 1


def scalar_kind(text: str, *, plain: bool) -> Kind:
    """What a scalar is by its text and by whether it was written without quotes."""
    if not plain:
        return "text"
    if text in ("true", "false"):
        return "boolean"
    if text in ("", "~", "null"):
        return "null"
    if text[0] in "-0123456789":
        if _INTEGER.match(text):
            return "integer"
        if _NUMBER.match(text) and len(text) < 400:
            return "number"
    return "text"


class _Refused(Exception):
    """The file can't be read on; the finding has been made."""


class _Builder:
    """Builds values from events, without recursion."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.file = file
        self.findings = findings
        self.documents: list[Value] = []
        self._open: list[Value] = []
        self._keys: list[str | None] = []
        self._anchors: dict[str, Value] = {}
        self._open_anchors: list[str | None] = []
        self._spans: list[tuple[int, int]] = []
        self._sound = True
        self._count = 0

    def build(self, text: str) -> bool:
        """Read everything; whether nothing was wrong."""
        import yaml

        tabs = "\t" in text
        try:
            for event in yaml.parse(text, Loader=yaml.CSafeLoader):
                self._take(event)
                if tabs:
                    self._note_span(event)
        except yaml.MarkedYAMLError as error:
            self._syntax_error(error, text)
        except _Refused:
            self._sound = False
        if tabs and self._sound:
            self._check_tabs(text)
        return self._sound

    def _take(self, event: Event) -> None:
        kind = type(event).__name__
        if kind == "ScalarEvent":
            self._scalar(event)
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            self._start(event, "map" if kind == "MappingStartEvent" else "list")
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._end()
        elif kind == "AliasEvent":
            self._alias(event)
        elif kind == "DocumentStartEvent":
            self._new_document(event)

    def _note_span(self, event: Event) -> None:
        if type(event).__name__ == "ScalarEvent":
            self._spans.append((event.start_mark.index, event.end_mark.index))

    def _new_document(self, event: Event) -> None:
        self._anchors.clear()
        self._count += 1
        if self._count > limits.DOCUMENTS:
            self._refuse("too-many-documents", event, f"more than {limits.DOCUMENTS:,} documents in one file")

    def _scalar(self, event: Event) -> None:
        plain = event.style is None or event.style == ""
        mark = event.start_mark
        if event.tag is not None and event.tag not in ("!", _TEXT_TAG):
            self._fault("tag", event, f"the tag {event.tag} is not allowed", "write plain YAML without tags")
        if not plain and (found := _control(event.value)) is not None:
            self._fault("control-character", event, f"the character U+{ord(found[0]):04X} is not allowed in a text")
        kind = scalar_kind(event.value, plain=plain and event.tag is None)
        value = Value(kind, mark.line + 1, mark.column + 1, event.value)
        value.shift = _shift(event, plain)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        if self._open and self._open[-1].kind == "map" and self._keys[-1] is None:
            self._key(event, value, plain)
        else:
            self._put(value, event)

    def _key(self, event: Event, value: Value, plain: bool) -> None:
        key = value.text
        if plain and key == "<<":
            self._refuse("merge-key", event, "the merge key << is not allowed", "write the keys out, or use a template")
        if plain and key in ("", "~"):
            self._fault("empty-key", event, "a key is empty", "name it, or quote it if it means the empty text")
        parent = self._open[-1]
        self._keys[-1] = key
        first = parent.key_places.get(key)
        if first is not None:
            known = f"the first one is at {first[0]}:{first[1]}"
            self._fault("duplicate-key", event, f"the key '{key}' is given twice; {known}", "keep one of the two")
        else:
            parent.key_places[key] = (value.line, value.column)

    def _start(self, event: Event, kind: Kind) -> None:
        if event.tag is not None and event.tag != "!":
            self._fault("tag", event, f"the tag {event.tag} is not allowed", "write plain YAML without tags")
        if self._open and self._open[-1].kind == "map" and self._keys[-1] is None:
            self._refuse("key-type", event, "a key must be a text", "quote it if it begins with a bracket")
        if len(self._open) >= limits.DEPTH:
            self._refuse("too-deep", event, f"nested deeper than {limits.DEPTH} levels")
        mark = event.start_mark
        self._open.append(Value(kind, mark.line + 1, mark.column + 1))
        self._keys.append(None)
        self._open_anchors.append(event.anchor)
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)

    def _end(self) -> None:
        value = self._open.pop()
        self._keys.pop()
        anchor = self._open_anchors.pop()
        if anchor is not None:
            self._anchors[anchor] = value
        self._put(value, None)

    def _alias(self, event: Event) -> None:
        value = self._anchors.get(event.anchor)
        if value is None:
            self._refuse("undefined-alias", event, f"nothing complete before this is named &{event.anchor}")
        if self._open and self._open[-1].kind == "map" and self._keys[-1] is None:
            self._refuse("key-type", event, "an alias can't be a key", "write the key out")
        self._put(value, event)

    def _put(self, value: Value, event: Event | None) -> None:
        if not self._open:
            if value.kind != "null":
                self.documents.append(value)
            return
        parent = self._open[-1]
        parent.size += value.size
        if parent.size > limits.NODES:
            place = (value.line, value.column) if event is None else _mark(event)
            self._refuse_at(
                "too-many-values", place, f"more than {limits.NODES:,} values once the aliases are written out"
            )
        if parent.kind == "list":
            parent.items.append(value)
            return
        key = self._keys[-1]
        self._keys[-1] = None
        if key is not None and key not in parent.values:
            parent.values[key] = value

    def _fault(self, code: str, event: Event, text: str, hint: str = "") -> None:
        self._sound = False
        self.findings.error(code, self.file, _mark(event), text, hint)

    def _refuse(self, code: str, event: Event, text: str, hint: str = "") -> NoReturn:
        self._refuse_at(code, _mark(event), text, hint)

    def _refuse_at(self, code: str, place: tuple[int, int], text: str, hint: str = "") -> NoReturn:
        self.findings.error(code, self.file, place, text, hint)
        raise _Refused

    def _syntax_error(self, error: Any, text: str) -> None:
        self._sound = False
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        lines = text.splitlines()
        line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
        if "\t" in line[: mark.column + 1 if mark is not None else 0]:
            self._tab(place[0], line.index("\t") + 1)
            return
        problem = error.problem or "the text is no YAML"
        context = f" ({error.context})" if error.context else ""
        self.findings.error("yaml-syntax", self.file, place, f"{problem}{context}")

    def _check_tabs(self, text: str) -> None:
        """Refuse the first tab outside of scalars and comments: editors disagree on its width, and so on the structure."""
        for index in _outside(text, self._spans):
            line, column = _position(text, index)
            before = text[index - column + 1 : index]
            if not re.search(r"(?:^|\s)#", before):
                self._tab(line, column)
                self._sound = False
                return

    def _tab(self, line: int, column: int) -> None:
        self.findings.error("tab", self.file, (line, column), "a tab between values", "indent and separate with blanks")


def _outside(text: str, spans: list[tuple[int, int]]) -> Iterator[int]:
    """The indexes of tabs that no span covers; spans come in order and do not overlap."""
    place = 0
    index = text.find("\t")
    while index >= 0:
        while place < len(spans) and spans[place][1] <= index:
            place += 1
        if place >= len(spans) or index < spans[place][0]:
            yield index
        index = text.find("\t", index + 1)


def _shift(event: Event, plain: bool) -> int | None:
    start, end = event.start_mark, event.end_mark
    quotes = 0 if plain else 2
    same = start.line == end.line and end.column - start.column == len(event.value) + quotes
    return quotes // 2 if same else None


def _mark(event: Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1
