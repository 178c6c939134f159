"""Making a commit from files with one git process.

Source: git-fast-import(1), "Input format".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from reconciler.sources.git_command import GitError

_IDENTITY = re.compile(r"[^<>\n\0]* <[^<>\n\0]*>")


class People(NamedTuple):
    """Whose word a commit is, and who had it made, both as `Name <address>`."""

    author: str
    committer: str


def import_stream(
    files: Mapping[str, bytes], message: str, reference: str, parent: str | None, path: str, people: People, time_s: int
) -> bytes:
    """The commands that make one commit and print its id. **Raises** GitError for what git could not hold."""
    checked_people(people)
    text = message_bytes(message)
    lines = [
        b"commit %s\nmark :1\n" % reference.encode(),
        b"author %s %d +0000\ncommitter %s %d +0000\n"
        % (people.author.encode(), time_s, people.committer.encode(), time_s),
        b"data %d\n%s\n" % (len(text), text),
    ]
    if parent is not None:
        lines.append(b"from %s\n" % parent.encode())
    lines.append(b"D %s\n" % _quoted(path) if path else b"deleteall\n")
    for name, content in sorted(files.items()):
        full = _quoted(f"{path}/{checked_name(name)}" if path else checked_name(name))
        lines.append(b"M 100644 inline %s\ndata %d\n%s\n" % (full, len(content), content))
    # A commit without a parent starts its reference anew: "from" would else default to what the reference points at.
    start = b"reset %s\n\n" % reference.encode() if parent is None else b""
    return start + b"".join(lines) + b"\nget-mark :1\ndone\n"


def checked_people(people: People) -> None:
    """**Raises** GitError for who can't be named in a commit."""
    for one in people:
        if not _IDENTITY.fullmatch(one):
            raise GitError(f"'{one[:80]}' is no author: expected 'Name <address>'")


def message_bytes(message: str) -> bytes:
    """A commit's message as it is stored."""
    return message.replace("\0", "").encode("utf-8", "replace")


def checked_name(name: str) -> str:
    """A file's path inside a repository. **Raises** GitError."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts) or "\0" in name:
        raise GitError(f"'{name[:200]}' is no path of a file inside a repository")
    return name


def _quoted(path: str) -> bytes:
    """A path as fast-import reads it whatever its characters are."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return b'"%s"' % escaped.encode("utf-8", "surrogateescape")
