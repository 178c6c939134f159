"""What requests say, read: each value is what it has to be, or the request is refused with what is wrong about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.analysis.guards import pattern_fault
from reconciler.daemon.device_record import MOST_DEVICES
from reconciler.daemon.http import ApiError
from reconciler.errors import Finding, InputError, Place
from reconciler.sources.bounds import TreeBounds, is_configuration

_LONGEST_MESSAGE = 10_000
_LONGEST_NAME = 255
_MOST_ALLOWED, _LONGEST_ALLOWED = 1000, 500
_OPERATOR = re.compile(r"[^\n\0]{1,200}")
_AUTHOR = re.compile(r"[^<>\n\0]{1,200} <[^<>\s]{1,200}>")


def files_of(given: object) -> dict[str, bytes]:
    """The files of a proposal. Raises InputError with everything that is wrong about their names and sizes."""
    if not isinstance(given, dict) or not all(isinstance(text, str) for text in given.values()):
        raise ApiError(400, "bad-request", "files must be an object of texts")
    bounds = TreeBounds()
    files = {name: text.encode() for name, text in given.items()}
    findings = [_bad_name(name) for name in sorted(files) if not _is_good_name(name)]
    findings += [
        Finding("file-too-large", Place(name), f"the file has {len(data)} bytes; {bounds.file_bytes} are allowed")
        for name, data in sorted(files.items())
        if len(data) > bounds.file_bytes
    ]
    if len(files) > bounds.files:
        findings.append(Finding("too-many-files", Place(""), f"{len(files)} files; {bounds.files} are allowed"))
    if findings:
        raise InputError(tuple(findings))
    return files


def _is_good_name(name: str) -> bool:
    parts = name.split("/")
    safe = all(part not in ("", ".", "..") and part.isprintable() and "\\" not in part for part in parts)
    return safe and len(name) <= 1024 and is_configuration(name)


def _bad_name(name: str) -> Finding:
    text = "not a relative path of a YAML file"
    return Finding("bad-path", Place(name[:200]), text, "give paths such as web.yaml or sites/web.yaml")


def author_of(body: Mapping[str, Any]) -> str | None:
    """Who proposes it, if that is told."""
    author = text_of(body, "author", "") or None
    if author is not None and not (_AUTHOR.fullmatch(author) and author.isprintable()):
        raise ApiError(400, "bad-request", "author must read 'Name <address>'")
    return author


def allowed_of(body: Mapping[str, Any]) -> frozenset[str]:
    given = body.get("allow") or []
    if not isinstance(given, list) or len(given) > _MOST_ALLOWED or not all(isinstance(word, str) for word in given):
        raise ApiError(400, "bad-request", f"allow must be a list of at most {_MOST_ALLOWED} texts")
    for word in given:
        fault = None if word == "rewrite" else pattern_fault(word)
        if fault is not None or len(word) > _LONGEST_ALLOWED:
            raise ApiError(400, "bad-request", f"allow: {fault or 'a pattern is too long'}")
    return frozenset(given)


def flag_of(body: Mapping[str, Any], key: str) -> bool:
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise ApiError(400, "bad-request", f"{key} must be true or false")
    return value


def text_of(body: Mapping[str, Any], key: str, default: str) -> str:
    value = body.get(key, default)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > _LONGEST_MESSAGE or "\0" in value:
        text = f"{key} must be a text of at most {_LONGEST_MESSAGE} characters, none of them NUL"
        raise ApiError(400, "bad-request", text)
    return value


def names_of(body: Mapping[str, Any], key: str) -> list[str]:
    """Names that a request lists; none where it lists nothing."""
    given = body.get(key) or []
    few = isinstance(given, list) and len(given) <= MOST_DEVICES
    if not few or not all(isinstance(one, str) and len(one) <= _LONGEST_NAME for one in given):
        raise ApiError(400, "bad-request", f"{key} must be a list of at most {MOST_DEVICES} names")
    return sorted(set(given))


def operator_of(body: Mapping[str, Any]) -> str:
    """Who asks for it, as the history will say."""
    operator = text_of(body, "operator", "")
    if not _OPERATOR.fullmatch(operator):
        raise ApiError(400, "bad-operator", "operator: who asks for it, in at most 200 characters of one line")
    return operator


def number_in(text: str, most: int) -> int:
    # int() refuses more than 4,300 digits by a ValueError.
    if len(text) > len(str(most)) or not text.isdecimal() or not 1 <= int(text) <= most:
        raise ApiError(400, "bad-request", f"limit must be a number from 1 to {most}")
    return int(text)
