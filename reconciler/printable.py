"""Text that others wrote, made safe to show: on a terminal, in a log, in a CI system's output, in a picture, in a report.

A name, a commit's subject or an agent's output may hold anything: an escape that rewrites the screen, a newline that begins a line of its
own, a sign that turns the direction of what follows, a command that a CI system obeys. One function takes all of that out, and
everything that shows such a text calls it.
"""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """The text as one line that shows as what it is.

    Control characters, line ends, signs that turn the direction, surrogates and unassigned characters are replaced, odd blanks become
    plain ones, and what GitHub, Azure and their like take for a command is broken up.
    """
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _shown(char) for char in text)
    if "##[" in text:
        text = text.replace("##[", "#\\#[")
    return f"\\{text}" if text.lstrip().startswith("::") else text


def _shown(char: str) -> str:
    return " " if char in _BLANKS else REPLACEMENT


_BLANKS = frozenset(
    "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)
