"""Compiling a large configuration in a process of its own: `python -m reconciler.daemon.compile_apart`.

Reading megabytes takes seconds and hundreds of megabytes of memory, which a process that lives for months must not spend on what may
turn out to be rubbish. The child has bounds of memory and time; what it answers is read as strictly as what a peer sends.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping

from reconciler.agents.installed import Roots
from reconciler.cib.canonical import CanonicalError, canonical_bytes, from_bytes
from reconciler.errors import Finding, Place
from reconciler.frozen import frozen
from reconciler.language import Loaded, load

# Less than the 60 s that members have to answer a proposal: a refusal with its reason, never silence.
_TIMEOUT_S = 45.0
_MEMORY_BYTES = 4 * 1024 * 1024 * 1024


@frozen
class AgentSettings:
    """Where agents are, and where what they say of themselves is remembered."""

    roots: Roots
    cache_directory: str


@frozen
class _Request:
    """What the child is to read; the bytes of a file are characters of the same number."""

    files: Mapping[str, str]
    strict: bool
    agents: AgentSettings | None


def load_apart(files: Mapping[str, bytes], *, strict: bool, agents: AgentSettings | None) -> Loaded:
    """What `language.load` answers, from a process of its own; a child that fails or takes too long is a finding."""
    request = _Request({name: data.decode("latin-1") for name, data in files.items()}, strict, agents)
    child = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
        cwd="/",
    )
    try:
        answer, _ = child.communicate(canonical_bytes(request), _TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return _failed(f"reading the files took more than {_TIMEOUT_S:.0f} s")
    if child.returncode != 0:
        return _failed(f"reading the files ended with {child.returncode}: they take too much memory")
    return _read(answer)


def _read(answer: bytes) -> Loaded:
    try:
        return from_bytes(Loaded, answer)
    except CanonicalError as error:
        return _failed(f"what was read is not understood: {error}")


def _failed(text: str) -> Loaded:
    return Loaded(None, (Finding("too-expensive", Place(""), text, "split the configuration, or make it smaller"),))


def main() -> int:
    """Answer the request on standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    request = from_bytes(_Request, sys.stdin.buffer.read())
    files = {name: text.encode("latin-1") for name, text in request.files.items()}
    lookup = None
    if request.agents is not None:
        from reconciler.agents.metadata import MetadataLookup

        lookup = MetadataLookup(request.agents.roots, request.agents.cache_directory)
    sys.stdout.buffer.write(canonical_bytes(load(files, strict=request.strict, agents=lookup, twice=True)))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
