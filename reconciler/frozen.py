"""Frozen values: classes whose instances are told by their fields, and never change.

`@frozen` means what `@dataclass(frozen=True, slots=True)` means, and type checkers take it for that. It exists because a command must start
quickly: a dataclass compiles six functions when its class is made, here one is compiled when the first instance is.
`benchmarks/start.py` shows the difference. Fields are annotated attributes; defaults and `field(...)` work as in `dataclasses`,
as do `replace`, pickling and `match`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform, overload

__all__ = ["FrozenValueError", "field", "frozen", "replace"]

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import field, replace
else:

    def field(*, default=..., default_factory=None, compare=True, repr=True, metadata=None):
        """Say more of a field than its default."""
        return _Field(default, default_factory, compare, repr, metadata)

    def replace(value, /, **changes):
        """The value with other fields; the rest is as it was. Raises TypeError for a field that it does not have."""
        cls = type(value)
        read, places = _READERS.get(cls) or _reader(cls)
        parts = [*read(value)]
        for name, part in changes.items():
            if name not in places:
                raise TypeError(f"{cls.__name__} has no field {name!r}")
            parts[places[name]] = part
        return cls(*parts)


_READERS: dict[type, tuple[Callable[[Any], Sequence[Any]], Mapping[str, int]]] = {}
"""By class: what gives all fields of an instance in their order, and the place of each."""


def _reader(cls: Any) -> tuple[Callable[[Any], Sequence[Any]], Mapping[str, int]]:
    names = cls.__match_args__
    # An attrgetter of one name gives the bare value.
    read = attrgetter(*names) if len(names) > 1 else (lambda value: [getattr(value, name) for name in names])
    _READERS[cls] = read, {name: place for place, name in enumerate(names)}
    return _READERS[cls]


_NOTHING: Mapping[str, Any] = {}


class _Field:
    """What a class body says of one field; `...` and None mean that there is no default."""

    __slots__ = ("compare", "default", "factory", "metadata", "repr")

    def __init__(
        self,
        default: object,
        factory: Callable[[], object] | None,
        compare: bool,
        repr: bool,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.default = default
        self.factory = factory
        self.compare = compare
        self.repr = repr
        self.metadata: Mapping[str, Any] = metadata or _NOTHING


class _DataclassFields:
    """What `dataclasses` asks a class for, made when it asks: its own functions (`fields`, `replace`) work on frozen values too."""

    def __get__(self, instance: object, cls: Any) -> dict[str, Any]:
        import dataclasses

        made: dict[str, Any] = {}
        for name, one in cls.__frozen_fields__.items():
            default: Any = dataclasses.MISSING if one.default is ... else one.default
            factory: Any = one.factory or dataclasses.MISSING
            extra = {"default_factory": factory} if one.factory else {"default": default}
            plain: Any = dataclasses.field(compare=one.compare, repr=one.repr, metadata=one.metadata, **extra)
            plain.name, plain.type = name, cls.__annotations__[name]
            plain._field_type = dataclasses._FIELD  # type: ignore[attr-defined]  # How dataclasses knows a field.
            made[name] = plain
        cls.__dataclass_fields__ = made
        return made


class _Signature:
    """The signature of the constructor, for `help` and whoever inspects the class."""

    def __get__(self, instance: object, cls: Any) -> Any:
        import inspect

        _compile_init(cls)
        whole = inspect.signature(cls.__init__)
        cls.__signature__ = whole.replace(parameters=list(whole.parameters.values())[1:])
        return cls.__signature__


class FrozenValueError(AttributeError):
    """Somebody tried to change a value."""


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T], /) -> type[T]: ...


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(*, order: bool = False) -> Callable[[type[T]], type[T]]: ...


def frozen(cls: type[T] | None = None, /, *, order: bool = False) -> type[T] | Callable[[type[T]], type[T]]:
    """Make the class one of frozen values; with `order` they compare like tuples of their fields."""
    if cls is None:
        return lambda one: _freeze(one, order)
    return _freeze(cls, order)


def _freeze(cls: type[T], order: bool) -> type[T]:
    namespace = dict(cls.__dict__)
    fields: dict[str, _Field] = {}
    for name in namespace.get("__annotations__", {}):
        default = namespace.pop(name, ...)
        fields[name] = default if isinstance(default, _Field) else _Field(default, None, True, True)
    compared = tuple(name for name, one in fields.items() if one.compare)
    namespace.pop("__dict__", None)
    namespace.pop("__weakref__", None)
    namespace |= {
        "__slots__": tuple(fields),
        "__match_args__": tuple(fields),
        "__frozen_fields__": fields,
        "__compared__": compared,
        "__dataclass_fields__": _DataclassFields(),
        "__signature__": _Signature(),
        "__qualname__": cls.__qualname__,
        "__init__": _first_init,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
        "__getstate__": _get_state,
        "__setstate__": _set_state,
    }
    namespace.setdefault("__repr__", _repr)
    namespace.setdefault("__eq__", _eq)
    namespace.setdefault("__hash__", _hash)
    if order:
        namespace |= {"__lt__": _lt, "__le__": _le, "__gt__": _gt, "__ge__": _ge}
    make: Any = type(cls)
    made: type[T] = make(cls.__name__, cls.__bases__, namespace)
    return made


def _first_init(self: Any, /, *args: Any, **kwargs: Any) -> None:
    """Compile the class's own constructor, and let it make this first instance."""
    _compile_init(type(self))
    self.__init__(*args, **kwargs)


def _compile_init(cls: Any) -> None:
    fields: dict[str, _Field] = cls.__frozen_fields__
    parameters, lines, scope = [], [], {}
    for name, one in fields.items():
        scope[f"_set_{name}"] = cls.__dict__[name].__set__
        value = name
        if one.factory is not None:
            scope["_missing"], scope[f"_make_{name}"] = _MISSING, one.factory
            parameters.append(f"{name}=_missing")
            value = f"_make_{name}() if {name} is _missing else {name}"
        elif one.default is not ...:
            scope[f"_default_{name}"] = one.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        lines.append(f"    _set_{name}(self, {value})")
    check = "\n    self.__post_init__()" if hasattr(cls, "__post_init__") else ""
    text = f"def __init__(self, {', '.join(parameters)}):\n" + ("\n".join(lines) or "    pass") + check
    exec(text, scope)
    cls.__init__ = scope["__init__"]


_MISSING = object()


def _key(cls: Any) -> Callable[[Any], Any]:
    """A function that gives the compared fields of an instance, made once for each class."""
    names = cls.__compared__
    if "__key__" not in cls.__dict__:
        cls.__key__ = attrgetter(*names) if names else (lambda value: ())
    key: Callable[[Any], Any] = cls.__dict__["__key__"]
    return key


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    key = _key(type(self))
    return key(self) == key(other)


def _hash(self: Any) -> int:
    return hash((type(self).__name__, _key(type(self))(self)))


def _repr(self: Any) -> str:
    shown = ", ".join(
        f"{name}={getattr(self, name)!r}" for name, one in type(self).__frozen_fields__.items() if one.repr
    )
    return f"{type(self).__qualname__}({shown})"


def _lt(self: Any, other: Any) -> Any:
    return _key(type(self))(self) < _key(type(self))(other) if type(other) is type(self) else NotImplemented


def _le(self: Any, other: Any) -> Any:
    return _key(type(self))(self) <= _key(type(self))(other) if type(other) is type(self) else NotImplemented


def _gt(self: Any, other: Any) -> Any:
    return _key(type(self))(self) > _key(type(self))(other) if type(other) is type(self) else NotImplemented


def _ge(self: Any, other: Any) -> Any:
    return _key(type(self))(self) >= _key(type(self))(other) if type(other) is type(self) else NotImplemented


def _refuse(self: Any, name: str, value: object = None) -> None:
    raise FrozenValueError(f"{type(self).__name__} never changes: can't set or delete {name!r}")


def _get_state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__match_args__]


def _set_state(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__match_args__, state, strict=True):
        object.__setattr__(self, name, value)
