"""Configurations that are hostile in what they say, not in how they are written: valid ones with values swapped and names mixed.

What changes bytes at random is refused by the reader nearly always. These keep their form, so that most get as far as being decided.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import yaml

from reconciler.errors import ReconcilerError
from reconciler.interop.reading.cib import read_cib
from reconciler.interop.tidying import without_ids
from reconciler.language import load
from reconciler.language.writing import files

from .inputs import PATTERNS, WORDS, corpus

Shape = dict[str, Any]
Place = tuple[Any, Any]
"""A mapping or list, and the key or index of what is meant in it."""

SCORES = ("INFINITY", "-INFINITY", 0, 1, -1, 999_999, -1_000_000, "red", 100)
DURATIONS = ("0", "1s", "30s", "20min", "10h", "PT1H", "1ms", "25d")
NUMBERS = (0, 1, 2, 3, 17, 999, 1000, -1)
ROLES = ("Started", "Stopped", "Promoted", "Unpromoted")


def skeletons() -> list[Shape]:
    """The valid configurations that are changed: our own sites, and every situation of the golden cases as the language writes it."""
    shapes = [yaml.safe_load(text) for text in corpus("ci/site/cluster.d", ".yaml")]
    found = [{key: value for shape in shapes for key, value in shape.items()}]
    for data in corpus("tests/golden", ".xml"):
        try:
            written = files.to_text(without_ids(read_cib(data).configuration))
        except ReconcilerError:
            continue  # A golden case of what is refused.
        shape = _typed(yaml.load(written, Loader=yaml.BaseLoader))
        if isinstance(shape, dict):
            found.append(shape)
    return [shape for shape in found if load({"site.yaml": json.dumps(shape).encode()}).configuration is not None]


def reshaped(shapes: list[Shape], dice: random.Random) -> bytes:
    """One of them after one to six changes of what it says."""
    shape = copy.deepcopy(dice.choice(shapes))
    for _ in range(dice.choice((1, 1, 2, 3, 6))):
        _change(shape, dice)
    return json.dumps(shape).encode()


def _change(shape: Shape, dice: random.Random) -> None:
    places = list(_places(shape))
    leaves = [(inside, key) for inside, key in places if not isinstance(inside[key], dict | list)]
    inside, key = dice.choice(leaves or places)
    match dice.randrange(16):
        case 0 | 1 | 2 | 3:
            inside[key] = _another(inside[key], leaves, dice)
        case 4 | 5:
            _rename_reference(shape, leaves, dice)
        case 6 | 7:
            _double(shape, dice)
        case 8:
            _drop(*dice.choice(places))
        case 9:
            other = dice.choice([one for one in leaves if one[1] == key] or leaves)
            inside[key], other[0][other[1]] = other[0][other[1]], inside[key]
        case 10 | 11 | 12 | 13 | 14:
            _constrain(shape, dice)
        case _:
            inside[key] = dice.choice((*WORDS, *PATTERNS))


def _another(value: Any, leaves: list[Place], dice: random.Random) -> Any:
    """A value that may stand where this one does."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return dice.choice((*NUMBERS, *SCORES))
    for kind in (SCORES, DURATIONS, ROLES):
        if value in kind or (kind is DURATIONS and str(value)[:1].isdigit()):
            return dice.choice(kind)
    return value if dice.random() < 0.9 else dice.choice([inside[key] for inside, key in leaves])


def _rename_reference(shape: Shape, leaves: list[Place], dice: random.Random) -> None:
    """Let something refer to another resource or node than it did."""
    known = (_names(shape), _nodes(shape))
    referring = [(inside, key, names) for inside, key in leaves for names in known if inside[key] in names]
    if referring:
        inside, key, names = dice.choice(referring)
        inside[key] = dice.choice(names)


def _double(shape: Shape, dice: random.Random) -> None:
    """Have a part of a section twice, under another name."""
    sections = [part for part in shape.values() if isinstance(part, dict) and part]
    section = dice.choice(sections)
    name = dice.choice(sorted(section, key=str))
    if isinstance(section[name], dict):
        section[f"{name}-{dice.randrange(3)}"] = copy.deepcopy(section[name])


def _constrain(shape: Shape, dice: random.Random) -> None:
    """Put a constraint between any two."""
    names = _names(shape)
    constraints = shape.setdefault("constraints", {})
    if not names or not isinstance(constraints, dict):
        return
    one, other = dice.choice(names), dice.choice(names)
    kind, said = dice.choice(
        (
            ("orders", {"first": one, "then": other, "kind": dice.choice(("Mandatory", "Optional", "Serialize"))}),
            ("colocations", {"resource": one, "with": other, "score": dice.choice(SCORES)}),
            ("locations", {"resource": one, "node": dice.choice(_nodes(shape)), "score": dice.choice(SCORES)}),
        )
    )
    section = constraints.setdefault(kind, {})
    if isinstance(section, dict):
        section[f"x{dice.randrange(1000)}"] = said


def _drop(inside: Any, key: Any) -> None:
    if len(inside) > 1:
        del inside[key]


def _names(shape: Shape) -> list[str]:
    """What constraints may name."""
    sections = [shape.get(name) for name in ("primitives", "groups", "clones", "bundles", "tags")]
    return sorted(str(name) for section in sections if isinstance(section, dict) for name in section)


def _nodes(shape: Shape) -> list[str]:
    nodes = shape.get("nodes")
    return sorted(map(str, nodes)) if isinstance(nodes, dict) and nodes else ["n1"]


def _places(value: Any) -> Iterator[Place]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in list(items):
        yield value, key
        yield from _places(part)


def _typed(value: Any) -> Any:
    """What was read as texts, with the truth values and numbers that they are."""
    match value:
        case dict():
            return {key: _typed(part) for key, part in value.items()}
        case list():
            return [_typed(part) for part in value]
        case "true" | "false":
            return value == "true"
        case str() if value.lstrip("-").isdecimal() and len(value) < 18:
            return int(value)
    return value
