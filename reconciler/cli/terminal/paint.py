"""Colour and signs on a terminal: when to use them, and how.

Colour never carries meaning alone. `auto` colours a terminal that is not dumb unless NO_COLOR is set; FORCE_COLOR and CLICOLOR_FORCE turn
colour on. Signs outside ASCII are replaced where the locale can't show them.
"""

from __future__ import annotations

import argparse
import os
import re
from typing import TextIO

from reconciler.cli.terminal.wrapping import width_of, wrapped
from reconciler.printable import printable

_CODES = {
    "green": "32",
    "yellow": "33",
    "red": "31",
    "cyan": "36",
    "magenta": "1;35",
    "alarm": "1;31",
    "dim": "2",
    "bold": "1",
}
_COLOURS = f"(\033\\[(?:0|{'|'.join(_CODES.values())})m)"
_ASCII = str.maketrans({"→": "->", "≈": "~~", "·": "-", "…": "...", "–": "-"})


class Paint:
    """Paints texts for one stream."""

    def __init__(self, stream: TextIO, when: str = "auto") -> None:
        self.coloured = _wants_colour(stream, when)
        self._width = width_of(stream)
        self._unicode = "utf" in (stream.encoding or "").lower()

    def __call__(self, style: str, text: str) -> str:
        """The text in a style, or as it is where there is no colour."""
        return f"\033[{_CODES[style]}m{text}\033[0m" if self.coloured and text else text

    def signs(self, text: str) -> str:
        """The text as one line with signs that the stream can show: what others wrote into it, bar our own colours, is harmless."""
        line = "".join(self._part(part) for part in re.split(_COLOURS, text)) if self.coloured else printable(text)
        return line if self._unicode else line.translate(_ASCII).replace("->>", "->")

    def fitted(self, text: str) -> str:
        """The same, broken between words where the stream is a terminal and the line is wider."""
        return wrapped(self.signs(text), self._width)

    def _part(self, part: str) -> str:
        return part if re.fullmatch(_COLOURS, part) else printable(part)


def _wants_colour(stream: TextIO, when: str) -> bool:
    if when != "auto":
        return when == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def add_colour_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--color`, the same on every command that paints."""
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="when to colour (auto)")
