"""The schemas of node.yaml and of properties say what their readers take: the same keys, the same words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from reconciler.daemon import config as node_config
from reconciler.daemon.config_schema import schema as node_schema
from reconciler.errors import InputError
from reconciler.language.reading.expectations import _KEYS, read_expectations
from reconciler.language.schema.expectations import schema as properties_schema

EVERYTHING = """\
node: n1
path: cluster.d
state: state
run: run
socket: api.sock
fabric: {kind: embedded}
sources:
  site: {git: "https://git.example.org/site.git"}
  local: {directory: files}
proposals: {}
agents: {}
validate: {}
secrets: {commands: {db: [/bin/true]}}
api: {read: {}, write: {}}
log: {}
"""


def keys_of_the_reader(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Every key that the reader asks for, by what it is a key of."""
    asked: dict[str, set[str]] = {}
    real = node_config._Section.done

    def done(section: Any) -> None:
        asked.setdefault(section.what, set()).update(section.known)
        real(section)

    monkeypatch.setattr(node_config._Section, "done", done)
    node_config.parse_config("node.yaml", EVERYTHING.encode())
    return asked


def keys_of_the_schema(schema: dict[str, Any], what: str) -> Iterator[tuple[str, set[str]]]:
    if "properties" in schema:
        yield what, set(schema["properties"])
        for key, part in schema["properties"].items():
            yield from keys_of_the_schema(part, key)
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        for choice in more.get("anyOf", [more]):
            name = "site" if "git" in choice.get("properties", {}) else "local"
            yield from keys_of_the_schema(choice, name)


def test_node_yaml_has_the_keys_that_its_reader_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = keys_of_the_reader(monkeypatch)
    told = dict(keys_of_the_schema(node_schema(), "the configuration"))
    assert set(told) <= set(asked)
    for what, keys in told.items():
        assert keys == asked[what], what


FAULTS = [
    "surprise: 1",
    "log: {level: loud}",
    "agents: {limit: 0}",
    "agents: {cgroups: maybe}",
    "sources: {a: {git: x, branch: y, colour: red}}",
    "sources: {a: {poll: 30s}}",
    "api: {read: {users: [root]}}",
    "fabric: {kind: carrier-pigeon}",
]


@pytest.mark.parametrize("text", FAULTS)
def test_what_the_reader_of_node_yaml_refuses_its_schema_refuses(text: str) -> None:
    with pytest.raises(InputError):
        node_config.parse_config("node.yaml", text.encode())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), node_schema())


def test_what_the_reader_of_node_yaml_takes_its_schema_takes() -> None:
    jsonschema.validate(yaml.safe_load(EVERYTHING), node_schema())


def test_properties_have_the_claims_that_their_reader_takes() -> None:
    claims = properties_schema()["properties"]["properties"]["additionalProperties"]["anyOf"]
    told = {claim["required"][0]: set(claim["properties"]) - {claim["required"][0]} for claim in claims}
    assert told == {claim: set(others) for claim, others in _KEYS.items()}


CLAIMS = [
    pytest.param("{survives: 1}", True, id="a count"),
    pytest.param("{survives: 3}", False, id="more losses than are simulated"),
    pytest.param("{survives: 2, resources: [web]}", True, id="of some resources"),
    pytest.param("{apart: [a]}", False, id="nobody to be apart from"),
    pytest.param("{together: [a, b]}", True, id="two that belong together"),
    pytest.param("{never-stops: [web]}", False, id="no failure named"),
    pytest.param("{never-stops: [web], when-fails: cache}", True, id="a failure named"),
    pytest.param("{at-most-nodes: 2}", False, id="no resources named"),
    pytest.param("{survives: 1, apart: [a, b]}", False, id="two claims at once"),
]


@pytest.mark.parametrize(("claim", "good"), CLAIMS)
def test_reader_and_schema_of_properties_agree(claim: str, good: bool) -> None:
    text = f"properties: {{one: {claim}}}"
    _, findings = read_expectations({"tests/one.yaml": text.encode()})
    assert (not findings) is good
    errors = list(jsonschema.Draft202012Validator(properties_schema()).iter_errors(yaml.safe_load(text)))
    assert (not errors) is good, json.dumps([error.message for error in errors])
