"""A person's word before something is done: it is asked for on a terminal, and counts only as a yes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from reconciler.errors import ReconcilerError
from reconciler.printable import printable


class NotConfirmed(ReconcilerError):
    """Nobody said that it is to be done; nothing was changed."""

    code = "consent"
    exit_code = 3


def confirm(
    question: str, *, unasked: str, refused: str, answers: Mapping[str, Callable[[], None]] | None = None
) -> None:
    """Ask until somebody says yes; a word of `answers` shows something first, and it is asked anew.

    **Raises** NotConfirmed: with `unasked` where nobody sits at standard input, with `refused` for any other word.
    """
    if not sys.stdin.isatty():
        raise NotConfirmed(unasked)
    while True:
        print(printable(question), end="", file=sys.stderr, flush=True)
        word = sys.stdin.readline().strip().lower()
        if word in ("y", "yes"):
            return
        if answers is None or word not in answers:
            raise NotConfirmed(refused)
        answers[word]()
