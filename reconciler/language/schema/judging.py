"""Judges documents by the language's schemas, and says what is wrong at the place where it is wrong.

It knows the keywords that `schema` uses: $ref, type, enum, properties, required, additionalProperties, items, minItems, anyOf.
Tests compare its verdict with the jsonschema library's on the same documents; the library itself would double the
start-up time of every command, and knows neither places nor near names.
"""

from __future__ import annotations

from typing import Any

from reconciler.language.schema.parts import Schema
from reconciler.language.schema.sections import bundle
from reconciler.language.text.document import Kind, Value
from reconciler.language.text.findings import Findings
from reconciler.language.text.nearest import did_you_mean

_KINDS: dict[Kind, frozenset[str]] = {
    "text": frozenset({"string"}),
    "integer": frozenset({"integer", "number"}),
    "number": frozenset({"number"}),
    "boolean": frozenset({"boolean"}),
    "null": frozenset({"null"}),
    "map": frozenset({"object"}),
    "list": frozenset({"array"}),
}
_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
    "object": "a map",
    "array": "a list",
}
_BOOLEAN_LIKE = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false", "1", "0"})


def check_document(file: str, document: Value, findings: Findings) -> frozenset[int]:
    """The identities (`id`) of the maps and lists with a fault of form in them; empty when the document is one of the language.

    Every fault has become a finding.
    """
    check = _Check(file, findings)
    check.check(document, bundle(), "the file")
    return frozenset(check.unsound)


class _Check:
    """One run over one document."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.file = file
        self.findings = findings
        self.unsound: set[int] = set()
        self.definitions: dict[str, Schema] = bundle()["$defs"]

    def check(self, value: Value, schema: Schema, what: str) -> bool:
        """Whether a value fits; `what` names it in findings."""
        sound = self._fits(value, self.resolve(schema), what)
        if not sound:
            self.unsound.add(id(value))
        return sound

    def _fits(self, value: Value, schema: Schema, what: str) -> bool:
        if "anyOf" in schema:
            return self._alternatives(value, schema, what)
        if "enum" in schema:
            return self._words(value, schema["enum"], what)
        allowed = _types(schema)
        if allowed and not (allowed & _KINDS[value.kind]):
            return self._wrong_kind(value, allowed, what)
        if value.kind == "map":
            return self._map(value, schema, what)
        if value.kind == "list":
            return self._list(value, schema, what)
        return True

    def resolve(self, schema: Schema) -> Schema:
        """The schema itself, with what it refers to in its place."""
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"].rpartition("/")[2]]
        return schema

    def _alternatives(self, value: Value, schema: Schema, what: str) -> bool:
        """Judge by the alternative that takes this kind of value: there is at most one."""
        allowed: set[str] = set()
        for alternative in schema["anyOf"]:
            part = self.resolve(alternative)
            kinds = self._kinds(part)
            if kinds & _KINDS[value.kind]:
                return self.check(value, part, what)
            allowed |= kinds
        return self._wrong_kind(value, frozenset(allowed), what)

    def _kinds(self, schema: Schema) -> frozenset[str]:
        if "anyOf" in schema:
            return frozenset().union(*(self._kinds(self.resolve(part)) for part in schema["anyOf"]))
        return frozenset({"string"}) if "enum" in schema else _types(schema)

    def _words(self, value: Value, words: list[str], what: str) -> bool:
        if value.kind == "text" and value.text in words:
            return True
        hint = did_you_mean(value.text, words) if value.text else f"known here: {', '.join(words)}"
        self._error("wrong-word", value, f"{what}: {shown(value)} is not known", hint)
        return False

    def _wrong_kind(self, value: Value, allowed: frozenset[str], what: str) -> bool:
        hint = ""
        if allowed == {"boolean"} and value.text.lower() in _BOOLEAN_LIKE:
            hint = "write true" if value.text.lower() in ("yes", "on", "y", "1", "true") else "write false"
        elif "string" in allowed and value.kind in ("integer", "number", "boolean"):
            hint = f"write '{value.text}' in quotes"
        elif value.kind == "null":
            hint = "write a value, or '' for the empty text; what follows a blank and # is a comment"
        expected = _expected(allowed)
        self._error("wrong-type", value, f"{what}: expected {expected}, found {shown(value)}", hint)
        return False

    def _map(self, value: Value, schema: Schema, what: str) -> bool:
        properties: dict[str, Schema] = schema.get("properties", {})
        additional: Any = schema.get("additionalProperties", True)
        sound = True
        for key, part in value.values.items():
            known = properties.get(key, additional)
            if known is False:
                sound = self._unknown_key(value, key, properties, what)
            elif isinstance(known, dict):
                sound = self.check(part, known, key) and sound
        for key in schema.get("required", ()):
            if key not in value.values:
                self._error("missing-key", value, f"{what}: the key '{key}' is missing")
                sound = False
        return sound

    def _unknown_key(self, value: Value, key: str, properties: dict[str, Schema], what: str) -> bool:
        hint = did_you_mean(key, properties) or f"known here: {', '.join(sorted(properties))}"
        line, column = value.key_places[key]
        self.findings.error("unknown-key", self.file, (line, column), f"{what}: unknown key '{key}'", hint)
        return False

    def _list(self, value: Value, schema: Schema, what: str) -> bool:
        sound = True
        if len(value.items) < schema.get("minItems", 0):
            self._error("empty-list", value, f"{what}: the list is empty", "name at least one, or leave the key out")
            sound = False
        items: Schema | None = schema.get("items")
        if items is not None:
            for item in value.items:
                sound = self.check(item, items, what) and sound
        return sound

    def _error(self, code: str, value: Value, text: str, hint: str = "") -> None:
        self.findings.error(code, self.file, (value.line, value.column), text, hint)


def shown(value: Value) -> str:
    """A value as a finding names it."""
    if value.kind in ("map", "list"):
        return f"a {value.kind}"
    if value.kind == "null":
        return "nothing"
    text = value.text if len(value.text) <= 60 else f"{value.text[:57]}..."
    return f"'{text}'" if value.kind == "text" else f"{text}"


def _types(schema: Schema) -> frozenset[str]:
    named = schema.get("type", ())
    return frozenset({named} if isinstance(named, str) else named)


def _expected(allowed: frozenset[str]) -> str:
    names = set(allowed)
    if {"string", "number", "boolean"} <= names:
        names -= {"string", "number", "boolean", "integer"}
        return " or ".join(["a value", *(_WORDS[name] for name in sorted(names))])
    if "number" in names:
        names.discard("integer")
    return " or ".join(_WORDS[name] for name in sorted(names))
