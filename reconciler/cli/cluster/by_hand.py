"""A change for somebody who makes it without ssh: a script for each host, the files, and the order in which they are run."""

from __future__ import annotations

import os
from collections.abc import Iterator

from reconciler.cli.cluster.stages import ClusterChange
from reconciler.cli.terminal.output import write_output
from reconciler.errors import ReconcilerError
from reconciler.fabric.corosync.conf.text import render


class DirectoryInUse(ReconcilerError):
    """The directory for the scripts has something in it already; nothing was written."""

    code = "output"


def write_down(change: ClusterChange, directory: str, key: bytes | None) -> tuple[str, ...]:
    """Write the scripts and files into a new directory that only we can read; the lines say what to do with them.

    **Raises** DirectoryInUse, and OutputError.
    """
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chmod(directory, 0o700)  # The key is in it.
        if os.listdir(directory):
            raise DirectoryInUse(f"{directory} is not empty: name another directory")
    except OSError as error:
        raise DirectoryInUse(f"make {directory}: {error.strerror}") from None
    write_output(f"{directory}/corosync.conf", render(change.after))
    if key is not None:
        write_output(f"{directory}/authkey", key)
    hosts = dict.fromkeys(step.host for stage in change.stages for step in stage.steps)
    for host in hosts:
        write_output(f"{directory}/{host}.sh", _script(change, host).encode())
    lines = tuple(order(change, directory))
    write_output(f"{directory}/ORDER", "".join(f"{line}\n" for line in lines).encode())
    return lines


def order(change: ClusterChange, directory: str) -> Iterator[str]:
    """What is run on which host, in which order."""
    yield f"Copy each script in {directory} to its host, as root; they have the cluster's key in them. Then, one step after the other:"
    for number, stage in enumerate(change.stages, 1):
        for step in stage.steps:
            yield f"{number:2}. on {step.host}: sh {step.host}.sh {number}   # {step.what}"
    yield "Go on to the next step only when all of one have said that it is done. At the end, delete the scripts everywhere."


def _script(change: ClusterChange, host: str) -> str:
    """All steps of a host; which one is the argument."""
    lines = [
        "#!/bin/sh",
        f"# {change.title}: what is done on {host}. Run it with the number of the step.",
        'case "${1:-}" in',
    ]
    for number, stage in enumerate(change.stages, 1):
        for step in stage.steps:
            if step.host == host:
                lines += [
                    f"{number})  # {step.what}",
                    "(",
                    step.script.rstrip("\n"),
                    f') && echo "step {number} is done" || exit 1',
                    ";;",
                ]
    lines += ['*) echo "which step? see ORDER" >&2; exit 64 ;;', "esac"]
    return "\n".join(lines) + "\n"
