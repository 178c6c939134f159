"""The forms in which messages travel, as a table for each protocol: `ci/forms` writes that of the present one.

A table has every kind of message with its fields, their types and defaults, all classes that stand in them, the head of a message, and an
encoded example of each kind. Members of two versions of the program are in one view only where the forms of its protocol are the same in
both, so a table that was released never changes.
"""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from reconciler.cib.canonical import is_left_out, tag_of, to_json
from reconciler.controller.envelope import PROTOCOL, Chunk, Envelope, seal
from reconciler.controller.messages import GraceOver, Message
from reconciler.controller.shared import Shared
from reconciler.model.cluster import Configuration

FORMS = Path(__file__).parent / "forms"
WITHIN: Mapping[tuple[str, str], type] = {("State", "shared"): Shared, ("Compiled", "configuration"): Configuration}
"""Fields that hold the plain form of a class, which is read by itself."""
WHAT_TO_DO = f"""
Members of the version before would refuse such messages, or read something else in them, and take these for messages of their own protocol.

1. Raise PROTOCOL in reconciler/controller/envelope.py to {PROTOCOL + 1}, and say in docs/cluster.md ("Versions") what is new in it.
2. In a view of protocol {PROTOCOL} still send the form of that one. Where that can't be, raise OLDEST, too: then no member of the version
   before is in a view with this one, and an upgrade takes the cluster down.
3. Where it is the Configuration, raise COMPILER in reconciler/controller/messages.py as well.
4. Run ci/forms, and commit the table that it writes (tests/controller/forms). The tables of released protocols never change.

Only a form that no release ever had may be changed as it is: remove its table, and run ci/forms.
"""

Table = dict[str, Any]


def table() -> Table:
    """The forms as this version has them."""
    kinds = {tag_of(kind): kind for kind in (*get_args(Message), Chunk)}
    return {
        "protocol": PROTOCOL,
        "head": sorted(json.loads(seal(Envelope("", "", "", GraceOver("n1"))))),
        "kinds": {tag: kind.__name__ for tag, kind in sorted(kinds.items())},
        "classes": {kind.__name__: _class(kind) for kind in _classes(kinds.values())},
        "examples": {tag: _example_of(kind) for tag, kind in sorted(kinds.items())},
    }


def path_of(protocol: int) -> Path:
    """Where the table of a protocol is kept."""
    return FORMS / f"protocol-{protocol}.json"


def text_of(made: Table) -> str:
    """A table as it is kept: one line for each class and example, so that a change is seen where it is."""
    lines = ["{"]
    for name in ("protocol", "head", "kinds"):
        lines.append(f'"{name}": {json.dumps(made[name])},')
    for name, last in (("classes", False), ("examples", True)):
        entries = ",\n".join(f"  {json.dumps(one)}: {json.dumps(form)}" for one, form in made[name].items())
        lines.append(f'"{name}": {{\n{entries}\n}}{"" if last else ","}')
    return "\n".join([*lines, "}", ""])


def differences(known: Table, made: Table) -> Iterator[str]:
    """What is otherwise in the table that was made than in the one that is known, a line each."""
    for part in ("head", "kinds", "classes", "examples"):
        before, after = known[part], made[part]
        if isinstance(before, list):
            before, after = dict.fromkeys(before), dict.fromkeys(after)
        for name in sorted(before.keys() | after.keys()):
            if name not in after:
                yield f"{part}: {name} is gone"
            elif name not in before:
                yield f"{part}: {name} is new"
            elif before[name] != after[name]:
                yield f"{part}: {name} was {json.dumps(before[name])}, and is {json.dumps(after[name])}"


def examples() -> dict[str, Message | Chunk]:
    """A message of each kind, with something in every field."""
    return {tag_of(kind): _value(kind, 0) for kind in (*get_args(Message), Chunk)}


def main() -> int:
    """Write the table of the present protocol. One that is there is not written over; 1 when it would be another."""
    made, path = table(), path_of(PROTOCOL)
    if not path.exists():
        path.write_text(text_of(made))
        print(f"wrote {path}")
        return 0
    changed = list(differences(json.loads(path.read_text()), made))
    if changed:
        print(f"the forms of protocol {PROTOCOL} have changed:", *changed, WHAT_TO_DO, sep="\n", file=sys.stderr)
    return 1 if changed else 0


def _classes(roots: Any) -> list[type]:
    """All classes that stand in values of these, by name; each name is that of one class."""
    found: dict[str, type] = {}
    waiting = [*roots, *WITHIN.values()]
    while waiting:
        kind = waiting.pop()
        if kind.__name__ in found:
            assert found[kind.__name__] is kind, f"two classes are called {kind.__name__}"
            continue
        found[kind.__name__] = kind
        if not issubclass(kind, enum.Enum):
            waiting += [one for hint in _hints(kind).values() for one in _within(hint)]
    return [found[name] for name in sorted(found)]


def _within(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, enum.Enum)):
        yield hint
    for part in get_args(hint):
        yield from _within(part)


def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind) if not is_left_out(kind, one.name)}


def _class(kind: type) -> Any:
    if issubclass(kind, enum.Enum):
        return [member.value for member in kind]
    members = {one.name: one for one in fields(kind)}
    return {name: _member(kind, members[name], hint) for name, hint in _hints(kind).items()}


def _member(kind: type, member: Field[Any], hint: Any) -> Any:
    within = WITHIN.get((kind.__name__, member.name))
    shown = f"plain form of {within.__name__}" if within else _shown(hint)
    default = _default(member)
    return [shown] if default is MISSING else [shown, _plain(default)]


def _default(member: Field[Any]) -> Any:
    return member.default_factory() if member.default_factory is not MISSING else member.default


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _shown(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " | ".join(_shown(part) for part in parts)
    if origin is tuple:
        more = "any number" if parts[-1] is Ellipsis else str(len(parts))
        return f"list of {more}: {_shown(parts[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"map of {_shown(parts[1])}"
    return "none" if hint is NoneType else getattr(hint, "__name__", str(hint))


def _example_of(kind: type) -> str:
    value: Any = _value(kind, 0)
    return seal(Envelope("cluster", "view", "n1", value)).decode()


def _value(hint: Any, depth: int) -> Any:
    """Some value of a type, other than the defaults; deep down, where types hold themselves, empty ones."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _value(parts[0], depth)
    if origin is tuple:
        length = 1 if parts[-1] is Ellipsis else len(parts)
        return () if depth > 6 and parts[-1] is Ellipsis else tuple(_value(parts[0], depth) for _ in range(length))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {} if depth > 6 else {"key": _value(parts[1], depth)}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return list(hint)[-1]
    if isinstance(hint, type) and is_dataclass(hint):
        return hint(**{name: _inner(hint, name, part, depth + 1) for name, part in _hints(hint).items()})
    return {str: "text", int: 7, bool: True, float: 1.5, Any: {}}[hint]


def _inner(kind: type, name: str, hint: Any, depth: int) -> Any:
    within = WITHIN.get((kind.__name__, name))
    if within is not None:
        return to_json(_value(within, depth))
    if kind is Chunk and name == "place":
        return 0
    value = _value(hint, depth)
    return not value if hint is bool and _is_true(kind, name) else value


def _is_true(kind: type, name: str) -> bool:
    return any(member.name == name and member.default is True for member in fields(kind))
