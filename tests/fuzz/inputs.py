"""Hostile inputs of each kind, drawn from a seed: by changing good ones, and by making nonsense that has the right form."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOKENS = (
    *(
        "&a ",
        "*a",
        "<<: ",
        "!!python/object:os.system ",
        "? ",
        "[" * 40,
        "{" * 40,
        "]",
        "}",
        "- ",
        ": ",
        "# ",
        "|\n",
        ">-\n",
        "---\n",
    ),
    *(
        "...\n",
        "%YAML 1.1\n",
        "\t",
        "\r",
        "\n\n",
        "\x00",
        "\x0b",
        "\x0c",
        "\x1b[31m",
        "\x1c",
        "\x85",
        "\u2028",
        "\u202e",
        "\ufeff",
    ),
    *(
        "\U0010ffff",
        "é",
        ".inf",
        "1e999",
        "-0",
        "0x10",
        "9" * 400,
        "-9223372036854775809",
        "INFINITY",
        "-INFINITY",
        "true",
        "null",
    ),
    *(
        "PT1S",
        "1:30",
        "10s",
        "-1",
        "2024-02-30",
        "^(a+)+$",
        "(" * 500,
        "[[:alpha:]",
        "\\",
        '"',
        "'",
        "../../etc/passwd",
        "/dev/zero",
    ),
    *(
        "<!DOCTYPE x [<!ENTITY a 'b'>]>",
        "&#0;",
        "&lt;",
        "<![CDATA[",
        "-->",
        "<x/>",
        "xmlns:a='b'",
        "encoding='UTF-16'",
        "\ud7ff",
    ),
)
WORDS = (
    "a",
    "b",
    "web",
    "db-1",
    "x" * 200,
    "é",
    "a b",
    "",
    "-",
    ".",
    "0",
    "true",
    "#uname",
    "INFINITY",
    "a:0",
    "*",
    "ä\u0301",
)
PATTERNS = (
    "^(a+)+$",
    "(a|a)*b",
    "(.*)*",
    "^r",
    "r[0-9]+",
    "((((((((((a*)*)*)*)*)*)*)*)*)*)*",
    "(?<x>a)\\1",
    "[",
    "(" * 5000,
    "a{1,9999}",
    "",
)


def corpus(folder: str, *endings: str) -> list[bytes]:
    """The contents of the files below a folder of the project with one of these endings, in a fixed order."""
    return [
        path.read_bytes()
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and path.name.endswith(endings)
    ]


def changed(data: bytes, dice: random.Random) -> bytes:
    """A good input after some changes."""
    for _ in range(dice.choice((1, 1, 2, 3, 8, 30))):
        at, size = dice.randrange(len(data) + 1), dice.choice((1, 1, 4, 20, 100))
        token = dice.choice(TOKENS).encode()
        match dice.randrange(7):
            case 0:
                data = data[:at] + token + data[at:]
            case 1:
                data = data[:at] + token + data[at + len(token) :]
            case 2:
                data = data[:at] + data[at + size :]
            case 3:
                data = data[:at] + data[at : at + size] * dice.choice((2, 3, 50)) + data[at + size :]
            case 4:
                data = data[:at] + dice.randbytes(size) + data[at + size :]
            case 5:
                other = dice.randrange(len(data) + 1)
                data = data[:at] + data[other : other + size] + data[at:]
            case _:
                lines = data.split(b"\n")
                lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines))
                data = b"\n".join(lines)
    return data[: 512 * 1024]


def nonsense(dice: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    match dice.randrange(9 if depth < 5 else 6):
        case 0:
            return dice.choice((None, True, False))
        case 1:
            return dice.choice((0, 1, -1, 2**31, 2**63, -(2**64), 10**30, 1.5, 1e300, -0.0))
        case 2 | 3:
            return dice.choice((*WORDS, *TOKENS))
        case 4 | 5:
            return "".join(
                chr(dice.choice((dice.randrange(128), dice.randrange(0xD7FF), 0x2028)))
                for _ in range(dice.randrange(12))
            )
        case 6:
            return [nonsense(dice, depth + 1) for _ in range(dice.randrange(4))]
        case _:
            return {str(nonsense(dice, 9)): nonsense(dice, depth + 1) for _ in range(dice.randrange(4))}


def graph(dice: random.Random, agent: str = "ocf:test:Quiet", *, keep: str | None = None) -> bytes:
    """A configuration whose constraints are drawn at random; `keep` is a resource that is there as it was."""
    count = dice.choice((2, 5, 12, 26, 60, 150))
    names = [f"r{number}" for number in range(count)]
    stopped = {"meta": {"target-role": "Stopped"}}
    sections: dict[str, Any] = {
        "cluster": {"name": "fuzz", "options": {"fencing-enabled": False, **_options(dice)}},
        "primitives": {name: {"agent": agent, **stopped} for name in names},
        "constraints": {"locations": {}, "colocations": {}, "orders": {}},
    }
    together = _collectives(sections, names, dice)
    links = dice.choice((1, 2, 3, count // 4 + 1))
    for number, name in enumerate(together):
        for step in range(1, links + 1):
            other = together[(number + step) % len(together)] if dice.random() < 0.8 else dice.choice(together)
            _constrain(sections["constraints"], f"{number}-{step}", name, other, dice)
    if keep is not None:
        sections["primitives"][keep] = {"agent": agent}
    if dice.random() < 0.3:
        sections["tags"] = {f"t{n}": [f"t{n + 1}", f"t{n + 2}"] for n in range(dice.choice((2, 24)))} | {
            "t24": names[:1],
            "t25": names[:1],
        }
    return json.dumps(sections).encode()


def _options(dice: random.Random) -> dict[str, Any]:
    options = {
        "stop-all-resources": False,
        "symmetric-cluster": dice.random() < 0.9,
        "placement-strategy": dice.choice(("default", "balanced")),
    }
    return dict(dice.sample(sorted(options.items()), dice.randrange(len(options))))


def _collectives(sections: dict[str, Any], names: list[str], dice: random.Random) -> list[str]:
    """Put some resources into groups and clones; the names to constrain."""
    names = list(names)
    if dice.random() < 0.4 and len(names) > 5:
        sections["groups"] = {"g": {"members": names[:3]}}
        names = ["g", *names[3:]]
    if dice.random() < 0.4:
        most = dice.choice((1, 2, 50, 1000, 100_000_000))
        sections["clones"] = {
            "c": {"resource": names.pop(), "meta": {"clone-max": most, "clone-node-max": dice.choice((1, most))}}
        }
        names.append("c")
    return names


def _constrain(constraints: dict[str, Any], name: str, one: str, other: str, dice: random.Random) -> None:
    score = dice.choice(("INFINITY", "-INFINITY", 100, -5, 0))
    match dice.randrange(4):
        case 0 | 1:
            constraints["colocations"][f"c{name}"] = {"resource": one, "with": other, "score": score}
        case 2:
            kind = dice.choice(("Mandatory", "Optional", "Serialize"))
            constraints["orders"][f"o{name}"] = {"first": one, "then": other, "kind": kind}
        case _:
            place: dict[str, Any] = {"node": dice.choice(("n1", "n2")), "score": score}
            target = {"pattern": dice.choice(PATTERNS)} if dice.random() < 0.4 else {"resource": one}
            constraints["locations"][f"l{name}"] = {**target, **place}


def request(dice: random.Random) -> bytes:
    """An HTTP request that is none, or whose body says nonsense."""
    posts = ("proposals", "rollback", "sources/fetch", "refresh", "resources/a/cleanup")
    keys = ("files", "commit", "message", "author", "base", "base_version", "allow", "to", "source", "resource", "x")
    if dice.random() < 0.25:
        path = dice.choice(
            (
                "status",
                "history?limit=" + dice.choice(WORDS + TOKENS),
                "files?commit=" + dice.choice(WORDS),
                "events?follow=0&since=" + dice.choice(WORDS),
            )
        )
        return (
            changed(f"GET /v1/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode("utf-8", "replace"), dice)
            if dice.random() < 0.5
            else f"GET /v1/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode("utf-8", "replace")
        )
    body: Any = {key: nonsense(dice) for key in dice.sample(keys, dice.randrange(4))}
    if dice.random() < 0.3:
        body = {
            "files": {
                dice.choice(("a.yaml", "b/c.yml", "../a.yaml", "a\u2028.yaml", "x" * 300 + ".yaml")): nonsense(dice, 9)
            }
        }
    content = json.dumps(body).encode()
    if dice.random() < 0.4:
        content = changed(content, dice)
    length = len(content) if dice.random() < 0.9 else dice.choice((0, 1, 10**9, -1))
    return f"POST /v1/{dice.choice(posts)} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + content


def commit_object(tree: str, parent: str, dice: random.Random) -> bytes:
    """The text of a commit with odd headers, names, times and messages."""
    odd = [token.encode("utf-8", "replace") for token in (*TOKENS, *WORDS)]

    def person(who: bytes) -> bytes:
        name = dice.choice((b"Ops", *odd))
        time = dice.choice((b"1700000000 +0000", b"0 -9999", b"9" * 25 + b" +0000", b"-5 +0000", b"x y", b""))
        return who + b" " + name + b" <" + dice.choice((b"ops@example.org", *odd)) + b"> " + time

    lines = [b"tree " + tree.encode(), b"parent " + parent.encode(), person(b"author"), person(b"committer")]
    if dice.random() < 0.4:
        lines.append(b"encoding " + dice.choice((b"UTF-16", b"ISO-8859-1", b"nonsense", b"UTF-7", *odd)))
    if dice.random() < 0.2:
        lines.append(b"gpgsig " + dice.choice(odd) + b"\n " + dice.randbytes(20).replace(b"\n", b""))
    if dice.random() < 0.2:
        lines.append(dice.choice(odd))
    message = b"".join(dice.choice((b"a change", b"\n", *odd)) for _ in range(dice.randrange(5)))
    return b"\n".join(lines) + b"\n\n" + message


def file_name(dice: random.Random) -> bytes:
    """A name for an entry of a tree or a directory: never one that leads out of it."""
    odd = "".join(
        dice.choice((*WORDS, "\n", "\r", "\x0b", "\x1b[2J", "\x85", "\u2028", "\u202e", "::add-mask::x", '"', "-", " "))
        for _ in range(dice.randrange(1, 4))
    )
    name = odd.replace("/", "_").encode("utf-8", "replace")[:200]
    if dice.random() < 0.2:
        name += bytes([dice.randrange(128, 256)])
    return name + dice.choice((b".yaml", b".yml", b".YAML", b"", b".yaml\n"))
