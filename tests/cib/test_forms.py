"""The schema derived from a class accepts what the codec makes and reads, and nothing else."""

from __future__ import annotations

import copy
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parents[1] / "language"))
from configurations import configuration_of

from reconciler.cib import Cib
from reconciler.cib.canonical import CanonicalError, from_json, to_json
from reconciler.cli.planning import recorded, saved
from reconciler.language.schema.second import fits_schema

PUBLISHED = Path(__file__).parents[2] / "schemas"
SNAPSHOT = recorded.schema()


@pytest.mark.parametrize(("name", "form"), [("snapshot", SNAPSHOT), ("saved-plan", saved.schema())])
def test_the_published_files_are_what_the_code_uses(name: str, form: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(form)
    assert json.loads((PUBLISHED / f"{name}.json").read_text()) == form


def snapshot(seed: int) -> dict[str, Any]:
    return {"cib": to_json(Cib(configuration_of(seed))), "commit": None, "places": False}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_every_snapshot_that_is_made_fits(seed: int) -> None:
    assert fits_schema(snapshot(seed), SNAPSHOT)


def spoiled(data: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """The data with one value somewhere of another kind, or a key too many or too few."""
    data = copy.deepcopy(data)
    places: list[tuple[Any, Any]] = []

    def walk(part: Any) -> None:
        for key, below in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
            places.append((part, key))
            walk(below)

    walk(data["cib"])
    holder, key = draw.choice(places)
    wrong = draw.choice([None, 7, 1.5, True, "x", [], {}, [7], {"a": 7}, ...])
    if wrong is ...:
        del holder[key]
    else:
        holder[key] = wrong
    return data


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_codec_and_schema_take_and_refuse_the_same(seed: int) -> None:
    data = spoiled(snapshot(seed % 50), random.Random(seed))
    try:
        from_json(recorded.Snapshot, data)
    except CanonicalError:
        accepted = False
    else:
        accepted = True
    assert fits_schema(data, SNAPSHOT) == accepted, data


@pytest.mark.parametrize(
    "content", ["[1]", "{}", "{", '{"cib": 5}', '{"cib": {"colour": 1}}', '{"cib": {}, "x": 1}', "[" * 100_000]
)
def test_what_is_no_snapshot_is_refused_by_name(content: str, tmp_path: Path) -> None:
    path = tmp_path / "now.json"
    with pytest.raises(recorded.SnapshotError, match=r"now\.json"):
        recorded.read_snapshot(path, content.encode())
