"""Expectations written in YAML, read strictly and with places, like the configuration itself.

properties:
  any-node: {survives: 1}                                      # every service survives the loss of any one node
  site: {survives: 2, resources: [website]}
  replicas: {apart: [db-a, db-b]}
  address: {together: [website, cluster-ip]}
  cache: {never-stops: [website], when-fails: cache}
  narrow: {at-most-nodes: 2, resources: [batch]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.errors import Finding, Place
from reconciler.language.schema.expectations import schema
from reconciler.language.schema.second import fits_schema, hold_against, plain
from reconciler.language.text.document import Value, read_documents
from reconciler.language.text.findings import Findings
from reconciler.language.text.nearest import did_you_mean
from reconciler.model.expectation import Apart, AtMost, Claim, Expectation, NeverStops, Survives, Together

_KEYS: Mapping[str, tuple[str, ...]] = {
    "survives": ("resources",),
    "apart": (),
    "together": (),
    "never-stops": ("when-fails",),
    "at-most-nodes": ("resources",),
}
"""The key that says what is claimed, with the other keys that the claim may have."""


def read_expectations(files: Mapping[str, bytes]) -> tuple[tuple[Expectation, ...], tuple[Finding, ...]]:
    """The expectations of the files in path order, and everything that is wrong with them.

    What is read without a fault is held against the published schema by the jsonschema library: `judges-disagree` is a fault of ours.
    """
    findings = Findings()
    found: dict[str, Expectation] = {}
    for file in sorted(files):
        for document in read_documents(file, files[file], findings):
            before = findings.errors
            for expectation in _document(file, document, findings):
                earlier = found.setdefault(expectation.name, expectation)
                if earlier is not expectation:
                    place = expectation.place
                    text = f"property '{expectation.name}' is defined twice, first at {earlier.place}"
                    findings.error("duplicate-name", file, (place.line, place.column), text)
            if findings.errors == before:
                agreed = fits_schema(plain(document), schema())
                hold_against(file, document, True, agreed, findings)
    return tuple(found.values()), findings.sorted()


def _document(file: str, document: Value, findings: Findings) -> Iterator[Expectation]:
    properties = _map_of(document).get("properties")
    for key in _map_of(document):
        if key != "properties":
            hint = did_you_mean(key, ["properties"])
            findings.error("unknown-key", file, document.key_places[key], f"unknown key '{key}'", hint)
    if properties is None or properties.kind != "map":
        where = document if properties is None else properties
        findings.error("wrong-type", file, (where.line, where.column), "a mapping 'properties' is expected here")
        return
    for name, value in properties.values.items():
        place = Place(file, *properties.key_places[name])
        if (claim := _claim(file, value, findings)) is not None:
            yield Expectation(name, claim, place)


def _map_of(value: Value) -> Mapping[str, Value]:
    return value.values if value.kind == "map" else {}


def _claim(file: str, value: Value, findings: Findings) -> Claim | None:
    keys = _map_of(value)
    kinds = [key for key in keys if key in _KEYS]
    if len(kinds) != 1:
        text = "exactly one of survives, apart, together, never-stops, at-most-nodes is expected"
        findings.error("wrong-property", file, (value.line, value.column), text)
        return None
    kind = kinds[0]
    for key in keys:
        if key != kind and key not in _KEYS[kind]:
            hint = did_you_mean(key, _KEYS[kind])
            findings.error("unknown-key", file, value.key_places[key], f"unknown key '{key}' beside {kind}", hint)
            return None
    return _build(file, kind, value, findings)


def _build(file: str, kind: str, value: Value, findings: Findings) -> Claim | None:
    main = value.values[kind]
    if kind in ("apart", "together", "never-stops"):
        names = _names(file, main, findings, least=1 if kind == "never-stops" else 2)
        if names is None:
            return None
        if kind == "never-stops":
            failing = value.values.get("when-fails")
            if failing is None or failing.kind != "text":
                findings.error(
                    "missing-key", file, (value.line, value.column), "never-stops needs when-fails: RESOURCE"
                )
                return None
            return NeverStops(names, failing.text)
        return Apart(names) if kind == "apart" else Together(names)
    count = _count(file, kind, main, findings)
    resources = value.values.get("resources")
    names = None if resources is None else _names(file, resources, findings, least=1)
    if count is None or (resources is not None and names is None):
        return None
    if kind == "survives":
        return Survives(count, names)
    if names is None:
        findings.error("missing-key", file, (value.line, value.column), "at-most-nodes needs resources: [RESOURCE, …]")
        return None
    return AtMost(count, names)


def _count(file: str, kind: str, value: Value, findings: Findings) -> int | None:
    most = 2 if kind == "survives" else 1_000
    if value.kind != "integer" or not 1 <= int(value.text) <= most:
        text = f"{kind} takes a number of nodes from 1 to {most}, not '{value.text}'"
        findings.error("out-of-range", file, (value.line, value.column), text)
        return None
    return int(value.text)


def _names(file: str, value: Value, findings: Findings, *, least: int) -> tuple[str, ...] | None:
    items = value.items if value.kind == "list" else []
    if len(items) < least or any(item.kind != "text" for item in items):
        text = f"a list of at least {least} resource name{'s' if least > 1 else ''} is expected here"
        findings.error("wrong-type", file, (value.line, value.column), text)
        return None
    return tuple(item.text for item in items)
