"""The digest of parameters, as it stands in recorded results.

Source: the scheduler's specification, part 1, section 15.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_UNDIGESTED = frozenset({"id", "crm_feature_set", "op-digest", "on_node", "on_node_uuid", "pcmk_external_ip"})


def is_digested(name: str) -> bool:
    """Whether a parameter of this name counts for digests."""
    return name not in _UNDIGESTED and not name.startswith("CRM_meta_")


def digested_texts(attributes: Mapping[str, str]) -> dict[str, str]:
    """Those of an action's attributes that its digest is made from."""
    texts = {name: value for name, value in attributes.items() if is_digested(name)}
    if attributes.get("CRM_meta_interval", "0") != "0" and "CRM_meta_timeout" in attributes:
        texts["CRM_meta_timeout"] = attributes["CRM_meta_timeout"]
    return texts


NO_PARAMETERS = "f2317cad3d54cec5d7d7aa7d0bf35cf8"
"""The digest of an action without parameters."""


def digest(texts: dict[str, str]) -> str:
    """The MD5 digest, in hexadecimal, of parameters written as an XML element with sorted attributes."""
    if not texts:
        return NO_PARAMETERS
    from hashlib import md5  # Only runs with parameters need it, and it takes its time to load.

    pairs = "".join(f' {name}="{escape(value)}"' for name, value in sorted(texts.items(), key=_byte_order))
    return md5(f" <parameters{pairs}/>\n".encode(), usedforsecurity=False).hexdigest()


def _byte_order(pair: tuple[str, str]) -> bytes:
    return pair[0].encode()


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\t": "    "}
_NEEDS_ESCAPING = re.compile(r"[^ !#-%(-;=?-~]")


def escape(value: str) -> str:
    """A value as the digest's text holds it: markup as entities, control characters as escapes.

    From the first character beyond ASCII on nothing is escaped any more.
    """
    if _NEEDS_ESCAPING.search(value) is None:
        return value
    result: list[str] = []
    for place, char in enumerate(value):
        if not char.isascii():
            return "".join(result) + value[place:]
        result.append(_escape_character(char))
    return "".join(result)


def _escape_character(char: str) -> str:
    if char in _ENTITIES:
        return _ENTITIES[char]
    if char in "\n\r":
        return "\\n" if char == "\n" else "\\r"
    return char if char.isprintable() else f"\\{ord(char):03o}"
