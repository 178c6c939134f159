"""Printing for commands: whatever is said is one line, whoever wrote parts of it; on a terminal it is broken between words."""

from __future__ import annotations

import sys
from typing import TextIO

from reconciler.cli.terminal.wrapping import width_of, wrapped
from reconciler.printable import printable


def say(text: str = "", to: TextIO | None = None) -> None:
    """Print one line on standard output or another stream."""
    stream = sys.stdout if to is None else to
    print(wrapped(printable(text), width_of(stream)), file=stream, flush=to is sys.stderr)


def complain(text: str) -> None:
    """Print one line on standard error."""
    say(text, sys.stderr)
