"""How much a source may bring, and what of it is configuration.

Source: the design of the language, "Bounds".
"""

from __future__ import annotations

import re

from reconciler.errors import Finding, InputError, Place
from reconciler.frozen import frozen

_SUFFIXES = (".yaml", ".yml")
DEEPEST = 64
"""How many directories may be inside each other: no configuration needs as many, and a loop of mounts has no end."""
_UNFIT = "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffd]"
"""What no file's name may hold: control characters, line ends of all kinds, changes of direction, what is no text.

Named one by one: what Python takes for printable changes with its version, and all members must judge alike.
"""


@frozen
class TreeBounds:
    """The most that is read of one version: files, bytes of one file, and bytes of all."""

    files: int = 5000
    file_bytes: int = 4 * 1024 * 1024
    total_bytes: int = 64 * 1024 * 1024


class TreeRefusedError(InputError):
    """A tree holds what no configuration may: nothing of it was used."""

    code = "tree-refused"


def is_configuration(path: str) -> bool:
    """Whether a file belongs to the configuration: YAML, and not hidden (editors keep half-written files so)."""
    return path.endswith(_SUFFIXES) and not any(part.startswith(".") for part in path.split("/"))


def name_finding(path: str) -> Finding | None:
    """What is wrong with the name of a file that was taken for text, if anything."""
    if (path.isascii() and path.isprintable()) or re.search(_UNFIT, path) is None:
        return None
    text = "the name of the file is not plain UTF-8, or holds control characters"
    return Finding("file-name", Place(ascii(path)), text, "rename the file")


def too_deep(path: str) -> Finding:
    """A finding for directories inside each other beyond what is allowed."""
    place = "/".join(path.split("/")[:3])
    return Finding("too-deep", Place(place), f"more than {DEEPEST} directories inside each other are here")


def size_findings(sizes: dict[str, int], bounds: TreeBounds) -> list[Finding]:
    """What is too large about files of these sizes in bytes."""
    findings = [
        Finding("file-too-large", Place(path), f"the file has {size} bytes; {bounds.file_bytes} are allowed")
        for path, size in sorted(sizes.items())
        if size > bounds.file_bytes
    ]
    if len(sizes) > bounds.files:
        findings.append(Finding("too-many-files", Place("."), f"{len(sizes)} files; {bounds.files} are allowed"))
    if (total := sum(sizes.values())) > bounds.total_bytes:
        findings.append(
            Finding("tree-too-large", Place("."), f"{total} bytes in all; {bounds.total_bytes} are allowed")
        )
    return findings


def nothing_there(place: str) -> Finding:
    """A source without a single file is taken for a mishap, because it would stop everything."""
    hint = "to remove everything, leave a file that holds only a comment"
    return Finding("empty-source", Place(place), "there is no configuration file", hint)
