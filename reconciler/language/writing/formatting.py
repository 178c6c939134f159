"""Formats a file: canonical order of keys, canonical quoting and indentation; comments stay, and so does the meaning.

Names that the operator chose keep their order, values in brackets stay in brackets while they fit on a line.
What was formatted is read again and compared: a text that would mean anything else, or lack a comment, is never given.
"""

from __future__ import annotations

from reconciler.language.schema.parts import Schema
from reconciler.language.schema.sections import bundle
from reconciler.language.text.document import Value, read_documents, scalar_kind
from reconciler.language.text.findings import Findings
from reconciler.language.text.layout import FormatError, Item, Piece, comments_of, read_layout
from reconciler.language.writing.yaml_text import WIDTH, literal_lines, scalar


def format_file(file: str, data: bytes, findings: Findings) -> str | None:
    """The canonical text; None (with findings) when the file can't be read. Raises FormatError when something could not be kept."""
    before = findings.errors
    documents = read_documents(file, data, findings)
    if findings.errors > before:
        return None
    text = data.decode("utf-8-sig").replace("\r\n", "\n")
    layout = read_layout(text)
    if layout is None:
        return text
    lines = list(layout.head)
    body = _Printer().map_lines(layout.root, "", bundle())
    if lines:
        lines.append("")
    lines.extend(body[1:] if body and not body[0] else body)
    lines.extend(layout.tail)
    formatted = "".join(f"{line}\n" for line in lines)
    _check_kept(file, text, documents, formatted)
    return formatted


def _check_kept(file: str, text: str, documents: tuple[Value, ...], formatted: str) -> None:
    again = Findings()
    result = read_documents(file, formatted.encode(), again)
    if again.failed or [_plain(one) for one in result] != [_plain(one) for one in documents]:
        raise FormatError(f"format {file}: the result would not mean the same")
    if comments_of(formatted) != comments_of(text):
        raise FormatError(f"format {file}: a comment stands where it can't be kept")


def _plain(value: Value) -> object:
    """What a value means: kinds and texts, without the order of keys."""
    if value.kind == "map":
        return {key: _plain(part) for key, part in value.values.items()}
    if value.kind == "list":
        return [_plain(item) for item in value.items]
    return value.kind, value.text


class _Printer:
    """Prints nodes with their comments."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = bundle()["$defs"]

    def map_lines(self, node: Piece, indent: str, schema: Schema | None) -> list[str]:
        """The lines of a map in block form."""
        lines: list[str] = []
        schema = self._resolved(schema, node)
        for entry in self._ordered(node, schema):
            assert entry.key is not None
            head = f"{indent}{scalar(entry.key.text)}:"
            lines.extend(self._entry_lines(entry, head, indent, self._below(schema, entry.key.text)))
        lines.extend(f"{indent}{comment}" for comment in node.tail)
        return lines

    def _entry_lines(self, entry: Item, head: str, indent: str, schema: Schema | None) -> list[str]:
        after = list(entry.after)
        body = self._value_lines(entry.value, head, indent, schema, after)
        if len(after) == 1:
            body[0] = f"{body[0]}  {after.pop()}"
        return [*([""] if entry.blank else []), *(f"{indent}{comment}" for comment in (*entry.before, *after)), *body]

    def _value_lines(self, value: Piece, head: str, indent: str, schema: Schema | None, after: list[str]) -> list[str]:
        """The lines of a value; comments inside brackets that stay on one line are added to `after`."""
        if value.kind == "scalar":
            literal = None if value.plain else literal_lines(head, value.text, indent)
            return literal or [f"{head} {_scalar(value)}".rstrip()]
        flow = self._flow(value, schema, after)
        if flow is not None and len(head) + len(flow) + 1 <= WIDTH:
            return [f"{head} {flow}"]
        below = f"{indent}  "
        lines = self.map_lines(value, below, schema) if value.kind == "map" else self._list_lines(value, below, schema)
        return [head, *lines] if lines else [f"{head} {'{}' if value.kind == 'map' else '[]'}"]

    def _list_lines(self, node: Piece, indent: str, schema: Schema | None) -> list[str]:
        lines: list[str] = []
        items = self._items(schema, node)
        for entry in node.entries:
            value = entry.value
            after = list(entry.after)
            flow = _scalar(value) if value.kind == "scalar" else self._flow(value, items, after)
            if flow is not None and (
                value.kind == "scalar" or len(indent) + len(flow) + 2 <= WIDTH or not value.entries
            ):
                body = [f"{indent}- {flow}"]
            else:
                after = list(entry.after)
                body = self._nested(value, indent, items, entry)
            if len(after) == 1:
                body[0] = f"{body[0]}  {after.pop()}"
            lines.extend([""] if entry.blank else [])
            lines.extend(f"{indent}{comment}" for comment in (*entry.before, *after))
            lines.extend(body)
        lines.extend(f"{indent}{comment}" for comment in node.tail)
        return lines

    def _nested(self, value: Piece, indent: str, schema: Schema | None, entry: Item) -> list[str]:
        """An item that is itself a map or list in block form: its first line follows the dash."""
        below = f"{indent}  "
        first = value.entries[0]
        if value.kind == "map":
            first = self._ordered(value, self._resolved(schema, value))[0]
        entry.before.extend(first.before)
        first.before, first.blank = [], False
        lines = self.map_lines(value, below, schema) if value.kind == "map" else self._list_lines(value, below, schema)
        while lines[0].lstrip().startswith("#"):
            entry.before.append(lines.pop(0).strip())
        return [f"{indent}- {lines[0].removeprefix(below)}", *lines[1:]]

    def _flow(self, node: Piece, schema: Schema | None, after: list[str]) -> str | None:
        """Brackets on one line; None when the value was not in brackets, or has comments of its own inside."""
        if node.kind == "scalar":
            return _scalar(node)
        if not node.flow and node.entries:
            return None
        schema = self._resolved(schema, node)
        inner: list[str] = []
        parts: list[str] = []
        for entry in self._ordered(node, schema) if node.kind == "map" else node.entries:
            below = self._below(schema, entry.key.text) if entry.key is not None else self._items(schema, node)
            shown = self._flow(entry.value, below, inner)
            if shown is None or entry.before or "\n" in shown:
                return None
            inner.extend(entry.after)
            parts.append(shown if entry.key is None else f"{scalar(entry.key.text)}: {shown}")
        if len(inner) > 1:
            return None
        after.extend(inner)
        return f"{{{', '.join(parts)}}}" if node.kind == "map" else f"[{', '.join(parts)}]"

    def _ordered(self, node: Piece, schema: Schema | None) -> list[Item]:
        """The entries of a map: in canonical order where the language names the keys, else as written."""
        entries = {entry.key.text: entry for entry in node.entries if entry.key is not None}
        if schema is None or "properties" not in schema or schema.get("additionalProperties") is not False:
            return list(entries.values())
        known = [entries.pop(key) for key in schema["properties"] if key in entries]
        return [*known, *entries.values()]

    def _resolved(self, schema: Schema | None, node: Piece) -> Schema | None:
        """The schema that judges this node: behind references and alternatives."""
        while schema is not None and "$ref" in schema:
            schema = self.definitions[schema["$ref"].rpartition("/")[2]]
        if schema is None or "anyOf" not in schema:
            return schema
        wanted = {"map": "object", "list": "array"}.get(node.kind)
        found = (self._resolved(part, node) for part in schema["anyOf"])
        return next((part for part in found if part is not None and part.get("type") == wanted), None)

    def _below(self, schema: Schema | None, key: str) -> Schema | None:
        if schema is None:
            return None
        known = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
        return known if isinstance(known, dict) else None

    def _items(self, schema: Schema | None, node: Piece) -> Schema | None:
        resolved = self._resolved(schema, node)
        return None if resolved is None else resolved.get("items")


def _scalar(node: Piece) -> str:
    """A scalar as it is written: numbers, booleans and nothing as they were, texts in canonical quotes."""
    if node.plain and scalar_kind(node.text, plain=True) != "text":
        return node.text
    return scalar(node.text)
