"""A commit as git stores it, read by lengths and line feeds alone: what its author wrote can be any bytes.

Source: git-commit-tree(1), "Commit information", "Discussion"; gitformat-signature(5).
"""

from __future__ import annotations

import re

from reconciler.frozen import frozen
from reconciler.sources.git_command import GitError, checked_commit, plain_line

MOST_COMMIT_BYTES = 1024 * 1024
"""Of one commit object with its message and signature."""
_MOST_PARENTS = 64
_LONGEST_SUBJECT = 500
_LONGEST_NAME = 200
_LATEST_S = 253_402_300_799
"""The end of the year 9999: what says it is later can't be shown as a date."""
_PERSON = re.compile(rb"(?P<who>.*?) (?P<time>-?[0-9]{1,20}) [+-][0-9]{4}", re.DOTALL)
_ENCODINGS = {
    b"utf-8": "utf-8",
    b"utf8": "utf-8",
    b"iso-8859-1": "latin-1",
    b"latin1": "latin-1",
    b"latin-1": "latin-1",
}


@frozen
class CommitFacts:
    """A commit as history shows it; the time is when it was committed, in seconds since the epoch."""

    id: str
    parents: tuple[str, ...]
    author: str
    time_s: int
    subject: str


@frozen
class CommitObject:
    """A commit: its facts, and the tree that it names."""

    facts: CommitFacts
    tree: str


def parse_commit(name: str, data: bytes) -> CommitObject:
    """The commit that an object's bytes stand for. **Raises** GitError for what no commit can be."""
    head, _, message = data.partition(b"\n\n")
    tree, parents, people, encoding = "", [], dict[bytes, bytes](), b"utf-8"
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"tree" and not tree:
            tree = checked_commit(value.decode("ascii", "replace"))
        elif key == b"parent":
            parents.append(checked_commit(value.decode("ascii", "replace")))
        elif key in (b"author", b"committer"):
            people.setdefault(key, value)
        elif key == b"encoding":
            encoding = value
    if not tree or len(parents) > _MOST_PARENTS:
        raise GitError(
            f"commit {name[:12]} has no tree" if not tree else f"commit {name[:12]} has {len(parents)} parents"
        )
    codec = _ENCODINGS.get(encoding.lower(), "utf-8")
    author, _ = _person(people.get(b"author", b""), codec)
    _, time_s = _person(people.get(b"committer", b""), codec)
    return CommitObject(CommitFacts(name, tuple(parents), author, time_s, _subject(message, codec)), tree)


def may_have_trailer(data: bytes, key: str) -> bool:
    """Whether a commit's message could hold a trailer: it names it, in any case, or is in an encoding that may hide it."""
    head, _, message = data.partition(b"\n\n")
    hidden = any(line.startswith(b"encoding ") and line[9:].lower() not in _ENCODINGS for line in head.split(b"\n"))
    return hidden or key.lower().encode() in message.lower()


def _person(data: bytes, codec: str) -> tuple[str, int]:
    match = _PERSON.fullmatch(data)
    who, time_s = (match["who"], int(match["time"])) if match is not None else (data, 0)
    return plain_line(who.decode(codec, "replace"))[:_LONGEST_NAME], min(max(time_s, 0), _LATEST_S)


def _subject(message: bytes, codec: str) -> str:
    """The first paragraph as one line."""
    paragraph = message.lstrip(b"\n").partition(b"\n\n")[0][: 4 * _LONGEST_SUBJECT]
    return plain_line(paragraph.rstrip(b"\n").decode(codec, "replace"))[:_LONGEST_SUBJECT].strip()
