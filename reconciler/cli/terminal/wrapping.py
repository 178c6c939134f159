"""Long lines on a terminal are broken between words, and what follows is set in; elsewhere a line stays one, for programs that read it."""

from __future__ import annotations

import os
import re
from typing import TextIO

NARROWEST = 40
"""On a narrower terminal lines are left alone: there is no room to set anything in."""
_INDENT = 4
_PIECES = r"( +)"
_UNSEEN = "\033\\[[0-9;]*m"


def width_of(stream: TextIO) -> int | None:
    """How wide the stream is; None where it is no terminal."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else None
    except (OSError, ValueError):
        return None


def wrapped(line: str, width: int | None) -> str:
    """The line, broken between words where it is wider. No word is broken, and colours take no room."""
    if width is None or width < NARROWEST or _seen(line) <= width:
        return line
    indent = " " * min(len(line) - len(line.lstrip(" ")) + _INDENT, width // 2)
    lines, current, used = [], "", 0
    for piece in re.split(_PIECES, line):
        length = _seen(piece)
        if used + length > width and current.strip():
            lines.append(current.rstrip(" "))
            current, used = indent, len(indent)
            if not piece.strip():
                continue
        elif current == indent and lines and not piece.strip():
            continue
        current, used = current + piece, used + length
    return "\n".join([*lines, current.rstrip(" ")])


def _seen(text: str) -> int:
    """How many columns a text takes; an ideograph counts as one, as everywhere here."""
    return len(re.sub(_UNSEEN, "", text))
