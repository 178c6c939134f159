"""Runs scripts on hosts: by ssh, by a command that the operator names, or here. Every call ends in time, with a bounded answer.

A script goes to `sh -s` on its standard input, so that nothing of it, a key least of all, stands in a command line, and no quoting of
any remote shell matters.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TypeVar

from reconciler.cli.options import UsageError
from reconciler.frozen import frozen

DEFAULT_SHELL = "ssh -o BatchMode=yes -o ConnectTimeout=10 root@{host}"
_MOST_BYTES = 2 * 1024 * 1024
_AT_ONCE = 8
_REST_S = 1.0

T = TypeVar("T")


@frozen
class Ran:
    """How a script ended: its exit code, None where it did not end in time, and what it printed."""

    code: int | None
    output: bytes
    errors: str

    @property
    def why(self) -> str:
        """What was wrong, in a line."""
        said = _lines(self.errors)
        if self.code is None:
            return f"no answer in time{': ' + said[-1] if said else ''}"
        if not said:  # A login that is not permitted says so on the output.
            said = _lines(self.output.decode("utf-8", "replace"))[-1:]
        return "; ".join(said[-3:])[-1000:] or f"ended with {self.code}"


def _lines(text: str) -> list[str]:
    """What is said in a text, line by line, each once; without the command that Debian's ssh says to run where a host's key changed."""
    lines = (line.strip() for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line and not line.startswith(("remove with:", "ssh-keygen "))))


class Shells:
    """The way to each host. `template` is a command to which `sh -s` is added; {host} and {address} stand for the host in it."""

    def __init__(self, template: str | None, addresses: Mapping[str, str], local: str | None = None) -> None:
        """Without a template, `local`, else the host of this machine's name, is this machine. Raises UsageError for a template that can't
        be read.
        """
        self._local = None if template is not None else local or os.uname().nodename
        self._addresses = addresses
        try:
            self._words = shlex.split(template or DEFAULT_SHELL)
        except ValueError as error:
            raise UsageError(f"argument --shell: {error}") from None
        if not self._words:
            raise UsageError("argument --shell: there is no command in it")

    def run(self, host: str, script: str, timeout_s: float) -> Ran:
        """Run a script on a host."""
        return _run(self._command(host), script.encode("utf-8", "surrogateescape"), timeout_s)

    def run_on_all(self, work: Mapping[str, str], timeout_s: float) -> dict[str, Ran]:
        """Run a script on each host, at the same time on some."""
        return on_each(work, lambda host: self.run(host, work[host], timeout_s))

    def _command(self, host: str) -> list[str]:
        if host == self._local:
            return ["sh", "-s"]
        address = self._addresses.get(host, host)
        return [word.replace("{host}", host).replace("{address}", address) for word in self._words] + ["sh", "-s"]


def on_each(hosts: Iterable[str], work: Callable[[str], T]) -> dict[str, T]:
    """What a function answers for each host; it is called for some at the same time."""
    names = list(hosts)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return dict(zip(names, pool.map(work, names), strict=True))


def _run(command: list[str], script: bytes, timeout_s: float) -> Ran:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # It has no terminal to ask on, and ends with all that it started.
        )
    except OSError as error:
        return Ran(127, b"", f"{command[0]}: {error.strerror}")
    kept: tuple[bytearray, bytearray] = (bytearray(), bytearray())
    threads = [
        threading.Thread(target=_drain, args=(stream, into), daemon=True)
        for stream, into in ((process.stdout, kept[0]), (process.stderr, kept[1]))
    ]
    threads.append(threading.Thread(target=_feed, args=(process.stdin, script), daemon=True))
    for thread in threads:
        thread.start()
    code: int | None = None
    with contextlib.suppress(subprocess.TimeoutExpired):
        code = process.wait(timeout_s)
    if code is not None:
        for thread in threads:  # What it leaves running may hold its output open for ever.
            thread.join(_REST_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return Ran(code, bytes(kept[0]), kept[1].decode("utf-8", "replace"))


def _drain(stream: IO[bytes] | None, kept: bytearray) -> None:
    """Read to the end, and keep what fits."""
    if stream is None:
        return
    while chunk := os.read(stream.fileno(), 65536):
        kept += chunk[: _MOST_BYTES - len(kept)]


def _feed(stream: IO[bytes] | None, script: bytes) -> None:
    if stream is not None:
        with contextlib.suppress(OSError):  # It ended before it had read all: its code says why.
            stream.write(script)
            stream.close()
