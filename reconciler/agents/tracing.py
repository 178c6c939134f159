"""An agent that is a shell script, run so that each of its commands is shown."""

from __future__ import annotations

import os

_SHELLS = frozenset({"sh", "bash", "dash", "ksh", "ash", "busybox", "mksh"})
_LONGEST_LINE = 512


def traced(argv: tuple[str, ...]) -> tuple[str, ...] | None:
    """The command line that shows each command of the script; None for what is no shell script."""
    program, *rest = argv
    if os.path.basename(program) in _SHELLS:
        return (program, "-x", *rest)
    words = _interpreter(program)
    if words and os.path.basename(words[0]) == "env":
        words = words[1:]
    if not words or os.path.basename(words[0]) not in _SHELLS:
        return None
    found = words[0] if words[0].startswith("/") else f"/bin/{words[0]}"
    return (found, *words[1:], "-x", program, *rest)


def _interpreter(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            line = file.readline(_LONGEST_LINE)
    except OSError:
        return []
    return line[2:].decode("utf-8", "replace").split() if line.startswith(b"#!") else []
