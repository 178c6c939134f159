"""Printing for commands: whatever is said is one line, whoever wrote parts of it."""

from __future__ import annotations

import sys
from typing import TextIO

from reconciler.printable import printable


def say(text: str = "", to: TextIO | None = None) -> None:
    """Print one line on standard output or another stream."""
    print(printable(text), file=sys.stdout if to is None else to, flush=to is sys.stderr)


def complain(text: str) -> None:
    """Print one line on standard error."""
    say(text, sys.stderr)
