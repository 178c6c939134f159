"""Plain data to YAML text that every YAML reader takes for the same.

Data are maps, lists, texts, and `Plain` for a text that may stand without quotes whatever it looks like (a number, true).
Whatever YAML 1.1 or 1.2 would take for something else is quoted. Small maps and lists stand on one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from reconciler.language.text.document import scalar_kind


class Plain(str):
    """A text that needs no quotes when it is a whole number or a boolean."""

    __slots__ = ()


Data: TypeAlias = "str | Mapping[str, Data] | Sequence[Data]"

WIDTH = 110
"""How long a line may be that holds a whole map or list."""

_LONGEST_KEY = 200
"""YAML takes a key on the line of its value only up to 1,024 signs."""

_SAFE = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+@%=;:*()<>|^$~!& -]*\Z")
_UNSAFE = re.compile(r":(?![A-Za-z0-9_./-])|\s#|\s\Z|  ")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_DECEIVING = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null|nan|inf)\Z")
_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}(?:/[0-9]+)?\Z|[0-9]+(?:ms|us|s|sec|m|min|h|hr)\Z|[0-9]+%\Z|-INFINITY\Z")
_LITERAL = re.compile(
    r"(?:[!-~\xa1-\u0fff][ -~\xa1-\u0fff]*[!-~\xa1-\u0fff]?\n)+[!-~\xa1-\u0fff][ -~\xa1-\u0fff]*[!-~\xa1-\u0fff]?\n?\Z"
)
_UNPRINTABLE = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")


def to_yaml(data: Mapping[str, Data]) -> str:
    """The text of a map, ending with a line end."""
    return "".join(f"{line}\n" for line in _map_lines(data, ""))


def _map_lines(data: Mapping[str, Data], indent: str) -> list[str]:
    lines: list[str] = []
    for key, value in data.items():
        text = scalar(key)
        if len(text) > _LONGEST_KEY:
            lines.append(f"{indent}? {text}")
            text = ""
        lines.extend(_entry_lines(f"{indent}{text}:", value, indent))
    return lines


def _entry_lines(head: str, value: Data, indent: str) -> list[str]:
    if isinstance(value, str):
        return literal_lines(head, value, indent) or [f"{head} {scalar(value)}"]
    flow = _flow(value)
    if flow is not None and (not value or len(head) + len(flow) + 1 <= WIDTH):
        return [f"{head} {flow}"]
    if isinstance(value, Mapping):
        return [head, *_map_lines(value, f"{indent}  ")]
    return [head, *_list_lines(value, f"{indent}  ")]


def literal_lines(head: str, value: str, indent: str) -> list[str] | None:
    """The lines of a text of several lines in literal form; None when it has to be quoted, or has one line."""
    if not _LITERAL.match(value):
        return None
    mark = "|" if value.endswith("\n") else "|-"
    return [f"{head} {mark}", *(f"{indent}  {line}" for line in value.removesuffix("\n").split("\n"))]


def _list_lines(data: Sequence[Data], indent: str) -> list[str]:
    lines: list[str] = []
    for item in data:
        if isinstance(item, str):
            lines.append(f"{indent}- {scalar(item)}")
            continue
        flow = _flow(item)
        if flow is not None and (not item or len(indent) + len(flow) + 2 <= WIDTH):
            lines.append(f"{indent}- {flow}")
            continue
        below = f"{indent}  "
        inner = _map_lines(item, below) if isinstance(item, Mapping) else _list_lines(item, below)
        lines.append(f"{indent}- {inner[0].removeprefix(below)}")
        lines.extend(inner[1:])
    return lines


def _flow(data: Data) -> str | None:
    """A map or list of scalars on one line; None when it holds more than scalars, or anything long."""
    if isinstance(data, str):
        return None
    if isinstance(data, Mapping):
        if not all(isinstance(value, str) and "\n" not in value for value in data.values()):
            return None
        if any(len(key) > _LONGEST_KEY for key in data):
            return None
        parts = [f"{scalar(key)}: {scalar(str_of(value))}" for key, value in data.items()]
        return f"{{{', '.join(parts)}}}"
    if not all(isinstance(value, str) and "\n" not in value for value in data):
        return None
    return f"[{', '.join(scalar(str_of(value)) for value in data)}]"


def str_of(value: Data) -> str:
    """A scalar as it is; `Plain` stays what it is."""
    assert isinstance(value, str)
    return value


def scalar(text: str) -> str:
    """A text as a YAML scalar that is read back as the same text, and as a text unless it is `Plain`."""
    if isinstance(text, Plain) and (_INTEGER.match(text) or text in ("true", "false")):
        return str(text)
    if _ADDRESS.match(text) and scalar_kind(text, plain=True) == "text":
        return text
    if _SAFE.match(text) and not _UNSAFE.search(text) and not _DECEIVING.match(text):
        return text
    if text.isprintable() and not _UNPRINTABLE.search(text):
        return "'" + text.replace("'", "''") + "'"
    escaped = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)
