"""The one form in which values travel, are stored and are compared: plain JSON, and its canonical bytes.

A value of the model becomes an object whose keys are the names of its fields; what equals its default is left out, so a new
field changes no digest of a value that does not use it. Where a field may hold several classes (a resource, a constraint, an
expression), the key `is` names the class. Reading is strict: an unknown key, a wrong type or a nesting beyond
`DEEPEST` is refused. How to convert a class is found out once; converting a value looks at nothing but the value.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from reconciler.cib.bounds import Bounds, BoundsError, parse
from reconciler.errors import ReconcilerError

DEEPEST = 64
"""How deep values may be nested: rules within rules are the only ones without an end of their own."""

LARGEST_BYTES = 256 * 1024 * 1024
LARGEST = Bounds(LARGEST_BYTES, depth=DEEPEST * 4, items=20_000_000, text=LARGEST_BYTES, number=1 << 256)
"""The most that `from_bytes` takes where its caller has no smaller bounds."""

T = TypeVar("T")
Encode = Callable[[Any], Any]
Decode = Callable[[Any, int], Any]

_LEFT_OUT = frozenset({("Configuration", "places")})
_NOTHING: Any = object()


class CanonicalError(ReconcilerError):
    """What was given is no canonical form of the wanted class; nothing of it was used."""

    code = "canonical"


def to_json(value: object) -> Any:
    """The plain form (dicts, lists, texts, numbers, booleans, None) of a value of the model, without its places."""
    return _codec(type(value)).encode(value)


def to_variant(value: object) -> Any:
    """The plain form of a value that may be of several classes: `is` names the one."""
    return _encode_variant(value)


def from_json(kind: type[T], data: object) -> T:
    """The value of class `kind` that `to_json` made `data` from.

    Raises CanonicalError when anything in it is unknown, of a wrong type or nested too deep.
    """
    return cast(T, _codec(kind).decode(data, 0))


class Variants(Generic[T]):
    """The classes that a value may be of, each told by its `is`."""

    def __init__(self, *kinds: type[T]) -> None:
        self._decode = _variant_decoder(list(kinds), " | ".join(kind.__name__ for kind in kinds))

    def from_json(self, data: object) -> T:
        """The value that `to_variant` made `data` from. Raises CanonicalError as `from_json`."""
        return cast(T, self._decode(data, 0))


def canonical_bytes(value: object) -> bytes:
    """The bytes that stand for a value: equal values have equal bytes, whatever the order in which their maps were made."""
    return plain_bytes(to_json(value))


def plain_bytes(data: object) -> bytes:
    """The canonical bytes of data that is in plain form already: sorted keys, no blanks, UTF-8."""
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "surrogatepass"
    )


def from_bytes(kind: type[T], data: bytes, bounds: Bounds = LARGEST) -> T:
    """The value whose canonical bytes these are. Raises CanonicalError as `from_json`, and when it is no JSON within the bounds."""
    try:
        plain = parse(data, bounds)
    except BoundsError as error:
        raise CanonicalError(f"read {kind.__name__}: {error}") from error
    return from_json(kind, plain)


def digest(value: object) -> str:
    """The SHA-256 of the canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


class _Codec:
    """How a class is written and read; made once a class."""

    __slots__ = ("by_name", "kind", "members", "required")

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.members: tuple[tuple[str, Any, Encode | None], ...] = ()
        self.by_name: dict[str, Decode] = {}
        self.required: tuple[str, ...] = ()

    def fill(self) -> None:
        """Find out the fields; apart from making it, because classes refer to themselves."""
        hints = get_type_hints(self.kind)
        wanted = [f for f in fields(self.kind) if not is_left_out(self.kind, f.name)]
        self.members = tuple((f.name, _default(f), _encoder(hints[f.name])) for f in wanted)
        self.by_name = {f.name: _decoder(hints[f.name], f"{self.kind.__name__}.{f.name}") for f in wanted}
        self.required = tuple(f.name for f in wanted if _default(f) is _NOTHING)

    def encode(self, value: object) -> dict[str, Any]:
        """The object for a value of exactly this class."""
        out: dict[str, Any] = {}
        for name, default, encode in self.members:
            held = getattr(value, name)
            if held is not default and held != default:
                out[name] = held if encode is None else encode(held)
        return out

    def decode(self, data: object, depth: int) -> Any:
        """The value that an object stands for."""
        if type(data) is not dict:
            raise CanonicalError(f"{self.kind.__name__}: expected an object, found {_shown(data)}")
        if depth > DEEPEST:
            raise CanonicalError(f"{self.kind.__name__}: nested deeper than {DEEPEST}")
        given: dict[str, Any] = {}
        by_name = self.by_name
        for name, part in data.items():
            decode = by_name.get(name)
            if decode is None:
                raise CanonicalError(f"{self.kind.__name__}: unknown key {_shown(name)}")
            given[name] = decode(part, depth + 1)
        for name in self.required:
            if name not in given:
                raise CanonicalError(f"{self.kind.__name__}: the key {name} is missing")
        return self.kind(**given)


@cache
def _empty_codec(kind: type) -> _Codec:
    return _Codec(kind)


def _codec(kind: type) -> _Codec:
    codec = _empty_codec(kind)
    if not codec.members and not codec.by_name:
        if not is_dataclass(kind):
            raise TypeError(f"{kind.__name__} has no canonical form")
        codec.fill()
    return codec


def _default(member: Field[Any]) -> Any:
    if member.default is not MISSING:
        return member.default
    return member.default_factory() if member.default_factory is not MISSING else _NOTHING


def _encoder(hint: Any) -> Encode | None:
    """What turns a value of a hint's type into plain form; None when it is plain already."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        present = [part for part in arguments if part is not NoneType]
        if len(present) == 1:
            return _nullable_encoder(_encoder(present[0]))
        return _encode_variant
    if origin is tuple:
        return _tuple_encoder(arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _map_encoder(_encoder(arguments[1]))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _encode_enum
    return _encode_member if is_dataclass(hint) else None


def _encode_member(value: Any) -> Any:
    return _codec(type(value)).encode(value)


def _encode_variant(value: Any) -> Any:
    kind = type(value)
    out = {"is": tag_of(kind)}
    out.update(_codec(kind).encode(value))
    return out


def _encode_enum(value: enum.Enum) -> Any:
    return value.value


def _nullable_encoder(encode: Encode | None) -> Encode | None:
    return None if encode is None else lambda value: None if value is None else encode(value)


def _tuple_encoder(arguments: tuple[Any, ...]) -> Encode:
    encode = _encoder(arguments[0])
    if encode is None:
        return list
    return lambda value: [encode(part) for part in value]


def _map_encoder(encode: Encode | None) -> Encode:
    if encode is None:
        return dict
    return lambda value: {name: encode(part) for name, part in value.items()}


def _decoder(hint: Any, where: str) -> Decode:
    """What turns plain data into a value of a hint's type, or refuses it naming `where`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        present = [part for part in arguments if part is not NoneType]
        inner = _decoder(present[0], where) if len(present) == 1 else _variant_decoder(present, where)
        return _nullable_decoder(inner) if len(present) < len(arguments) else inner
    if origin is tuple:
        length = None if arguments[-1] is Ellipsis else len(arguments)
        return _tuple_decoder(_decoder(arguments[0], where), where, length)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _map_decoder(_decoder(arguments[1], where), where)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _enum_decoder(hint, where)
    if is_dataclass(hint):
        return lambda data, depth: _codec(cast(type, hint)).decode(data, depth)
    if hint is float:
        return _float_decoder(where)
    if hint in (str, bool, int):
        return _plain_decoder(hint, where)
    if hint is Any:
        return lambda data, depth: data
    raise TypeError(f"{where}: {hint} has no canonical form")


def _plain_decoder(kind: type, where: str) -> Decode:
    def decode(data: Any, depth: int) -> Any:
        if type(data) is not kind:
            raise CanonicalError(f"{where}: expected {kind.__name__}, found {_shown(data)}")
        return data

    return decode


def _float_decoder(where: str) -> Decode:
    """A whole number is one, too: whoever wrote `10` meant it."""

    def decode(data: Any, depth: int) -> Any:
        if type(data) not in (int, float):
            raise CanonicalError(f"{where}: expected float, found {_shown(data)}")
        return float(data)

    return decode


def _nullable_decoder(decode: Decode) -> Decode:
    return lambda data, depth: None if data is None else decode(data, depth)


def _enum_decoder(kind: type[enum.Enum], where: str) -> Decode:
    known = {member.value: member for member in kind}

    def decode(data: Any, depth: int) -> Any:
        if not isinstance(data, str | int) or isinstance(data, bool) or data not in known:
            raise CanonicalError(f"{where}: {_shown(data)} is no {kind.__name__}")
        return known[data]

    return decode


def _tuple_decoder(part: Decode, where: str, length: int | None) -> Decode:
    """Of so many parts alike, or of any number."""

    def decode(data: Any, depth: int) -> Any:
        if type(data) is not list:
            raise CanonicalError(f"{where}: expected a list, found {_shown(data)}")
        if length is not None and len(data) != length:
            raise CanonicalError(f"{where}: expected {length} parts, found {len(data)}")
        return tuple([part(item, depth) for item in data])

    return decode


def _map_decoder(part: Decode, where: str) -> Decode:
    def decode(data: Any, depth: int) -> Any:
        if type(data) is not dict:
            raise CanonicalError(f"{where}: expected an object, found {_shown(data)}")
        return {name: part(item, depth) for name, item in data.items()}

    return decode


def _variant_decoder(kinds: list[type], where: str) -> Decode:
    known = {tag_of(kind): kind for kind in kinds}

    def decode(data: Any, depth: int) -> Any:
        if type(data) is not dict:
            raise CanonicalError(f"{where}: expected an object, found {_shown(data)}")
        tag = data.get("is")
        kind = known.get(tag) if isinstance(tag, str) else None
        if kind is None:
            raise CanonicalError(f"{where}: is: expected one of {', '.join(sorted(known))}, found {_shown(tag)}")
        return _codec(kind).decode({name: item for name, item in data.items() if name != "is"}, depth)

    return decode


def tag_of(kind: type) -> str:
    """What `is` says for a class."""
    return kind.__name__.lower()


def is_left_out(kind: type, field: str) -> bool:
    """Whether a field is no part of the canonical form."""
    return (kind.__name__, field) in _LEFT_OUT


def _shown(data: object) -> str:
    text = repr(data)
    return text if len(text) <= 60 else f"{text[:57]}..."
