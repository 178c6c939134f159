"""The schemas: valid, published as they are used, and our judge agrees with the library's."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parent))
from configurations import configuration_of
from planted import CLEAN, planted
from test_faults_of_constraints import FAULTS as OF_CONSTRAINTS
from test_faults_of_fencing import FAULTS as OF_FENCING
from test_faults_of_names import FAULTS as OF_NAMES
from test_faults_of_values import FAULTS as OF_VALUES

from reconciler.daemon.config import parse_config
from reconciler.errors import InputError
from reconciler.language import load
from reconciler.language.reading.expectations import read_expectations
from reconciler.language.schema.judging import check_document
from reconciler.language.schema.second import fits
from reconciler.language.schema.sections import SECTIONS, bundle, published
from reconciler.language.text.document import read_documents
from reconciler.language.text.findings import Findings
from reconciler.language.writing.files import to_text

OTHERS = {"node.json", "tests.json", "saved-plan.json", "snapshot.json"}
PUBLISHED = Path(__file__).parents[2] / "schemas"
LIBRARY = Draft202012Validator(bundle())


def verdicts(text: str) -> tuple[bool, bool] | None:
    """Whether we, and whether the library, find the form of a text right; None when it is no YAML of ours."""
    findings = Findings()
    documents = read_documents("a.yaml", text.encode(), findings)
    if not documents:
        return None
    [document] = documents
    ours = not check_document("a.yaml", document, findings)
    return ours, fits(document)


def test_every_published_schema_is_one() -> None:
    for schema in published().values():
        Draft202012Validator.check_schema(schema)


def test_the_files_are_what_the_code_uses() -> None:
    """Those of the language; the others are held against their readers elsewhere."""
    files = {path.name: json.loads(path.read_text()) for path in PUBLISHED.glob("*.json")}
    assert {name: files[name] for name in files.keys() - OTHERS} == published()


def test_every_section_has_its_file_and_every_key_its_description() -> None:
    assert set(published()) == {"cluster.json", *(f"section-{name}.json" for name in SECTIONS)}
    said = ("description", "$ref", "anyOf")
    assert [path for path, schema in _properties(bundle(), "") if not any(name in schema for name in said)] == []


def _properties(schema: Any, path: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    if isinstance(schema, list):
        schema = dict(enumerate(schema))
    if isinstance(schema, dict):
        for key, part in schema.items():
            if key == "properties":
                found.extend((f"{path}/{name}", below) for name, below in part.items())
            found.extend(_properties(part, f"{path}/{key}"))
    return found


@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.integers(0, 2**32))
def test_what_is_emitted_fits(seed: int) -> None:
    text = to_text(configuration_of(seed))
    if text:
        assert verdicts(text) == (True, True)


FAULTS = OF_NAMES | OF_VALUES | OF_CONSTRAINTS | OF_FENCING


@pytest.mark.parametrize("name", FAULTS)
def test_the_library_agrees_on_planted_faults(name: str) -> None:
    text, _ = planted(FAULTS[name][1])
    if "duplicate-key" not in FAULTS[name][0]:
        both = verdicts(text)
        assert both is not None
        assert both[0] == both[1]


@settings(max_examples=400, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.integers(0, 2**32))
def test_the_library_agrees_on_broken_documents(seed: int) -> None:
    rng = random.Random(seed)
    data = yaml.safe_load(CLEAN if seed % 2 else to_text(configuration_of(seed)) or "{}")
    for _ in range(rng.randint(1, 3)):
        _break(data, rng)
    text = json.dumps(data, default=str, ensure_ascii=False)
    if data:
        both = verdicts(text)
        assume(both is not None)  # JSON takes a few signs as they are that YAML wants escaped.
        assert both is not None
        assert both[0] == both[1], text


def _break(data: Any, rng: random.Random) -> None:
    """Replace, remove or add one value somewhere."""
    at = data
    for _ in range(rng.randint(0, 5)):
        below = [
            part for part in (at.values() if isinstance(at, dict) else at) if isinstance(part, dict | list) and part
        ]
        if not below:
            break
        at = rng.choice(below)
    odd = rng.choice([None, True, 7, 1.5, "text", [], {}, ["a"], [1], {"a": 1}, "true", [[]], "Mandatory", "docker"])
    keys = list(at) if isinstance(at, dict) else list(range(len(at)))
    if not keys or (isinstance(at, dict) and rng.random() < 0.3):
        if isinstance(at, dict):
            at[rng.choice(["agent", "meta", "score", "zzz", "rules", "values", "type"])] = odd
        return
    key = rng.choice(keys)
    if rng.random() < 0.2:
        del at[key]
    else:
        at[key] = odd


@pytest.mark.parametrize(("text", "sound"), [("tags: {a: [b]}\n", False), ("tags: {a: b}\n", True)])
def test_when_the_two_judges_disagree_nothing_is_accepted(
    text: str, sound: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = frozenset() if sound else frozenset({0})
    monkeypatch.setattr("reconciler.language.reading.files.check_document", lambda *_: wrong)
    found = load({"a.yaml": text.encode()}, twice=True)
    assert found.configuration is None
    assert "judges-disagree" in {finding.code for finding in found.findings}


@pytest.mark.parametrize("index", ["1", "1.0", "1e0", "'1'", "true"])
def test_both_judges_have_the_same_idea_of_a_whole_number(index: str) -> None:
    text = f"fencing: {{levels: [{{index: {index}, target: n, devices: [d]}}]}}\n"
    assert "judges-disagree" not in {finding.code for finding in load({"a.yaml": text.encode()}, twice=True).findings}


def test_properties_and_node_files_are_judged_twice_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = {"p.yaml": b"properties: {any: {survives: 1}}\n"}
    node = b"node: n1\n"
    assert read_expectations(properties)[1] == ()
    assert parse_config("node.yaml", node, twice=True).node == "n1"
    monkeypatch.setattr("reconciler.language.reading.expectations.fits_schema", lambda *_: False)
    monkeypatch.setattr("reconciler.language.schema.second.fits_schema", lambda *_: False)
    assert [finding.code for finding in read_expectations(properties)[1]] == ["judges-disagree"]
    with pytest.raises(InputError, match="judges-disagree"):
        parse_config("node.yaml", node, twice=True)
