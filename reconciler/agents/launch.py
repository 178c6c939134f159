"""How a program of somebody else is started: in its control group, and with the limits of the machine instead of the daemon's own.

The daemon raises its limit of open files and may be protected from the kernel's out-of-memory killer. What it starts, and the databases
that this starts in turn, must inherit neither: many programs close every descriptor that they may have, and a node that is short of
memory is saved by the end of what uses it.
"""

from __future__ import annotations

import os
import re
import resource
import sys
from collections.abc import Iterable

from reconciler.frozen import frozen

_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OOM_SCORE = "/proc/self/oom_score_adj"
_BECOME = """
import os, resource, sys
entry, descriptors, oom_score, *argv = sys.argv[1:]
for path, text in ((entry, "0"), ("/proc/self/oom_score_adj", oom_score)):
    try:
        if path and text:
            with open(path, "w") as file:
                file.write(text)
    except OSError:
        pass
if descriptors:
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(descriptors), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
with open("/proc/self/environ", "rb") as file:  # Not os.environ: the interpreter may have added to it.
    given = dict(pair.split(b"=", 1) for pair in file.read().split(b"\\0") if b"=" in pair)
try:
    os.execve(argv[0], argv, given)
except OSError as error:
    sys.exit(127 if isinstance(error, FileNotFoundError) else 126)
"""
"""The same as the shell's line, for environments that a shell spoils."""


@frozen
class Limits:
    """The limits of what is started, where they are not those of this process: open files (the soft limit), and the OOM score."""

    descriptors: int | None = None
    oom_score: int | None = None


def raise_own_limits() -> Limits:
    """Have this process open as many files as the machine lets it, and say what its children have to be given instead."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return Limits(soft if soft != hard else None, 0 if _own_oom_score() < 0 else None)


def started_as(
    argv: tuple[str, ...], limits: Limits, entry: str | None = None, environment: Iterable[str] = ()
) -> tuple[str, ...]:
    """The command line that first enters the control group whose `cgroup.procs` is `entry` and takes the limits, then becomes `argv`.

    Nothing that the program starts is ever outside. Where the kernel refuses one of these steps the program runs all the same.
    `environment` names the variables that have to arrive: a shell may drop those that it could not name itself
    (`OCF_RESKEY_fail-over`), so that for them an interpreter is started that passes on what it was given, at the price of some
    milliseconds.
    """
    if entry is None and limits == Limits():
        return argv
    if all(map(_SHELL_NAME.fullmatch, environment)):
        return ("/bin/sh", "-c", _shell_line(limits, entry), entry or "sh", *argv)
    numbers = ("" if one is None else str(one) for one in (limits.descriptors, limits.oom_score))
    return (sys.executable, "-I", "-S", "-c", _BECOME, entry or "", *numbers, *argv)


def _shell_line(limits: Limits, entry: str | None) -> str:
    steps = ['echo 0 2>/dev/null >"$0"'] if entry is not None else []
    if limits.descriptors is not None:
        steps.append(f"ulimit -S -n {limits.descriptors} 2>/dev/null")
    if limits.oom_score is not None:
        steps.append(f"echo {limits.oom_score} 2>/dev/null >{_OOM_SCORE}")
    return "; ".join([*steps, 'exec "$@"'])


def _own_oom_score() -> int:
    try:
        with open(_OOM_SCORE, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0  # No such score here.


def descriptors_left() -> int:
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else os.sysconf("SC_OPEN_MAX")
