"""A plan as a comment on a pull request.

The first line is a hidden marker, so that a pipeline edits its earlier comment instead of adding another. Forges refuse comments over
65,536 characters: what does not fit is cut from the end, and the comment says so. Names from the configuration can carry no markup.
Source: the design of the command line, "Markdown for PR comments".
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.analysis.consequences import Consequences
from reconciler.cli.planning.facts import Header, change_value, seconds, summary
from reconciler.printable import printable

LONGEST = 60_000
"""Characters of a whole comment."""

_SPECIAL = str.maketrans(
    {char: f"\\{char}" for char in "\\`*_{}[]()#+!|~"} | {"<": "&lt;", ">": "&gt;", "@": "@\u200b"}
)
_SIGNS = {"add": "+", "change": "!", "remove": "-", "rename": "!"}


def comment(found: Consequences, header: Header, consented: frozenset[str], command: str) -> str:
    """The comment, at most `LONGEST` characters; `command` is what reproduces it."""
    parts = [
        f"<!-- reconciler:plan:{_marker(header.cluster)} -->",
        f"### {plain(header.cluster)}: {summary(found)}"
        if not found.empty
        else f"### {plain(header.cluster)}: no changes",
    ]
    for guard in found.guards:
        if guard.warns:
            parts.append(f"> [!WARNING]\n> {plain(guard.text)}")
            continue
        state = "allowed" if guard.allowed_by(consented) else f"needs consent: `--allow {_code(guard.consent)}`"
        parts.append(f"> [!CAUTION]\n> {plain(guard.text)} ({state})")
    parts += [f"> [!WARNING]\n> {plain(text)}" for text in found.blocked]
    parts += [f"> [!WARNING]\n> {plain(one.resource)} does not run: {plain(one.because)}" for one in found.idle]
    if found.impacts:
        rows = [
            (impact.resource, impact.node_from or "-", impact.node_to or "-", _down(impact.node_to, impact.down_ms))
            for impact in found.impacts
        ]
        parts.append(_table(("resource", "from", "to", "expected down"), rows))
    if found.transitions:
        steps = [
            (
                str(one.step),
                one.word + (" (blocked)" if one.blocked else ""),
                one.resource,
                one.node_to or one.node_from or "-",
                "; ".join(b.text for b in one.because),
            )
            for one in found.transitions
        ]
        parts.append(_details("Transition", _table(("step", "action", "resource", "node", "because"), steps)))
    if found.changes:
        diff = "\n".join(
            f"{_SIGNS[change.action]} {printable('/'.join(change.address) + change_value(change))}"
            for change in found.changes
        )
        parts.append(_details("Configuration", f"```diff\n{diff.replace('```', '` ` `')}\n```"))
    footer = f"<sub>{plain(header.base)} → {plain(header.head)} · state: {plain(header.state)} · <code>{plain(command)}</code></sub>"
    return _fit(parts, footer)


def _down(node_to: str | None, down_ms: int | None) -> str:
    return "stays down" if node_to is None else seconds(down_ms)


def _fit(parts: list[str], footer: str) -> str:
    text = "\n\n".join([*parts, footer]) + "\n"
    if len(text) <= LONGEST:
        return text
    kept = list(parts)
    while kept and len(text) > LONGEST:
        left_out = kept.pop()
        room = LONGEST - len("\n\n".join([*kept, footer])) - 400
        note = "_Cut: the whole plan does not fit into a comment; `reconciler plan --json` has all of it._"
        lines = left_out.split("\n")[:-3] if left_out.startswith("<details>") else []
        while lines and sum(len(line) + 1 for line in lines) > room:
            lines.pop()
        part = (
            ["\n".join([*lines, *(["```"] if "```diff" in lines else []), "", "</details>"])] if len(lines) > 4 else []
        )
        text = "\n\n".join([*kept, *part, note, footer]) + "\n"
    return text


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    lines += [f"| {' | '.join(plain(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def plain(text: str) -> str:
    """A text that shows as itself: no markup, no HTML, no mention, one line."""
    return printable(" ".join(text.split())).translate(_SPECIAL)


def _code(text: str) -> str:
    return printable(text).replace("`", "'")


def _marker(text: str) -> str:
    return "".join(char for char in text if char.isalnum() or char in "-_.") or "cluster"
