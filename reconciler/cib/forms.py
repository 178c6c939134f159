"""The canonical form of a class as a JSON Schema (draft 2020-12), derived from the same type hints as the codec itself.

What the codec reads, the schema accepts, but for the bounds of size and depth, which are the reader's.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from reconciler.cib.canonical import is_left_out, tag_of

Form = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: Mapping[Any, Form] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Any: {},
}


def form_of(kind: type, name: str, title: str) -> Form:
    """The schema of a class under an id and a title, with what it uses."""
    forms = _Forms()
    reference = forms.of(kind)
    head = {"$schema": DRAFT, "$id": f"urn:reconciler:schema:1:{name}", "title": title}
    return head | reference | {"$defs": dict(sorted(forms.known.items()))}


class _Forms:
    """The classes met so far, each under its name; one that is told by `is` has a second form with it."""

    def __init__(self) -> None:
        self.known: dict[str, Form] = {}

    def of(self, hint: Any) -> Form:
        """The form of a value of a hint's type. Raises TypeError for what has no canonical form."""
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, UnionType):
            return self._union(arguments)
        if origin is tuple:
            return {"type": "array", "items": self.of(arguments[0])}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return {"enum": [member.value for member in hint]}
        if is_dataclass(hint) and isinstance(hint, type):
            return self._reference(hint, told=False)
        if hint in _PLAIN:
            return dict(_PLAIN[hint])
        raise TypeError(f"{hint} has no canonical form")

    def _union(self, arguments: tuple[Any, ...]) -> Form:
        present = [part for part in arguments if part is not NoneType]
        found = [self.of(present[0])] if len(present) == 1 else [self._reference(part, told=True) for part in present]
        found += [{"type": "null"}] if len(present) < len(arguments) else []
        return found[0] if len(found) == 1 else {"anyOf": found}

    def _reference(self, kind: type, *, told: bool) -> Form:
        name = f"{kind.__name__}-told" if told else kind.__name__
        if name not in self.known:
            self.known[name] = {}
            self.known[name] = self._object(kind, told=told)
        return {"$ref": f"#/$defs/{name}"}

    def _object(self, kind: type, *, told: bool) -> Form:
        hints = get_type_hints(kind)
        wanted = [one for one in fields(kind) if not is_left_out(kind, one.name)]
        properties = {one.name: self.of(hints[one.name]) for one in wanted}
        required = [one.name for one in wanted if one.default is MISSING and one.default_factory is MISSING]
        if told:
            properties = {"is": {"const": tag_of(kind)}} | properties
            required = ["is", *required]
        form: Form = {
            "description": (kind.__doc__ or "").partition("\n")[0],
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        }
        return form | ({"required": required} if required else {})
