"""Commits whose authors wrote anything at all: what is read of them is one line each, and nothing ends the reader."""

from __future__ import annotations

import subprocess

import pytest

from reconciler.sources.commit_object import MOST_COMMIT_BYTES, may_have_trailer, parse_commit
from reconciler.sources.git_command import GitError, TooMuchError
from reconciler.sources.repository import Repository

NAME = "1" * 40
TREE = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
AUTHOR = b"author Ops <ops@example.org> 7 +0000\n"
COMMITTER = b"committer Ops <ops@example.org> 8 +0000\n"
LINE_ENDS = ["\r", "\f", "\v", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


def store(repository: Repository, data: bytes) -> str:
    """Put a commit object into the repository as it is, whatever git thinks of it."""
    words = ["git", f"--git-dir={repository.path}", "hash-object", "-t", "commit", "-w", "--literally", "--stdin"]
    return subprocess.run(words, input=data, check=True, capture_output=True).stdout.decode().strip()


@pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
@pytest.mark.parametrize("place", ["subject", "author"])
def test_line_ends_of_all_kinds_are_spaces(repository: Repository, end: str, place: str) -> None:
    author = AUTHOR.replace(b"Ops", f"O{end}ps".encode()) if place == "author" else AUTHOR
    subject = f"one{end}two" if place == "subject" else "one two"
    commit = store(repository, TREE + author + COMMITTER + f"\n{subject}\n".encode())
    facts = repository.facts(commit)
    assert facts.subject == "one two"
    assert facts.author == ("O ps <ops@example.org>" if place == "author" else "Ops <ops@example.org>")
    assert repository.history(commit) == [facts]
    others = [store(repository, TREE + AUTHOR + COMMITTER + b"\n%d\n" % n) for n in range(20)]
    assert repository.facts_of([*others, commit])[commit] == facts


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        (b"", ""),
        (b"\n\n\nlate\n", "late"),
        (b"two\nlines\n\nbody", "two lines"),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        (b"a\0b\x1b[31mc", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31mc"),
        ("x\N{RIGHT-TO-LEFT OVERRIDE}y".encode(), "x\N{REPLACEMENT CHARACTER}y"),
        (b"x" * 10_000, "x" * 500),
    ],
)
def test_the_subject_is_the_first_paragraph(message: bytes, subject: str) -> None:
    assert parse_commit(NAME, TREE + AUTHOR + COMMITTER + b"\n" + message).facts.subject == subject


@pytest.mark.parametrize("encoding", [b"UTF-16", b"UTF-7", b"zlib", b"rot13", b"idna", b"no\xffsuch", b"", b"x" * 1000])
def test_any_encoding_header_is_survived(repository: Repository, encoding: bytes) -> None:
    commit = store(repository, TREE + AUTHOR + COMMITTER + b"encoding " + encoding + b"\n\nsubject\n")
    assert repository.facts(commit).subject == "subject"
    assert repository.history(commit)[0].subject == "subject"


def test_latin_is_read_as_such() -> None:
    data = TREE + AUTHOR.replace(b"Ops", b"J\xfcrgen") + COMMITTER + b"encoding ISO-8859-1\n\n\xe4\n"
    facts = parse_commit(NAME, data).facts
    assert (facts.author, facts.subject) == ("Jürgen <ops@example.org>", "ä")


@pytest.mark.parametrize(
    ("who", "time_s"),
    [
        (b"x <y> 99999999999999999999 +0000", 253_402_300_799),
        (b"x <y> -5 +0000", 0),
        (b"x <y> soon", 0),
        (b"x <y> 1" + b"0" * 5000 + b" +0000", 0),
        (b"", 0),
    ],
)
def test_times_that_are_none(who: bytes, time_s: int) -> None:
    assert parse_commit(NAME, TREE + AUTHOR + b"committer " + who + b"\n\nx").facts.time_s == time_s


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"parent " + b"1" * 40,
        b"tree nonsense\n\nx",
        TREE + b"parent x\n\nx",
        TREE + b"".join(b"parent %040d\n" % n for n in range(65)) + b"\nx",
    ],
)
def test_what_no_commit_is(data: bytes) -> None:
    with pytest.raises(GitError):
        parse_commit(NAME, data)


def test_a_huge_commit_is_not_read(repository: Repository) -> None:
    commit = store(repository, TREE + AUTHOR + COMMITTER + b"\n" + b"x" * MOST_COMMIT_BYTES)
    with pytest.raises(TooMuchError):
        repository.facts(commit)
    assert repository.facts_of([commit]) == {}


@pytest.mark.parametrize(
    ("head", "message", "may"),
    [
        (b"", b"a change\n", False),
        (b"", b"a change\n\nAllow: x\n", True),
        (b"", b"a change\n\naLLOW: x\n", True),
        (b"encoding latin1\n", b"a change\n", False),
        (b"encoding UTF-7\n", b"a change\n\n+AEE-llow: x\n", True),
        (b"gpgsig allow\n", b"a change\n", False),
    ],
)
def test_a_message_that_does_not_name_a_trailer_has_none(head: bytes, message: bytes, may: bool) -> None:
    assert may_have_trailer(TREE + AUTHOR + COMMITTER + head + b"\n" + message, "Allow") is may
