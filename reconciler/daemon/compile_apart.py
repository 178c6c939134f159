"""Compiling a large configuration in a process of its own: `python -m reconciler.daemon.compile_apart`.

Reading megabytes takes seconds and hundreds of megabytes of memory, which a process that lives for months must not spend on what may
turn out to be rubbish. The child has bounds of memory and time; what it answers is read as strictly as what a peer sends.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping

from reconciler.agents.installed import Roots
from reconciler.cib.canonical import CanonicalError, from_json, to_json
from reconciler.errors import Finding, Place
from reconciler.frozen import frozen
from reconciler.language import Loaded, load
from reconciler.model.cluster import Configuration

_TIMEOUT_S = 45.0
_MEMORY_BYTES = 4 * 1024 * 1024 * 1024


@frozen
class AgentSettings:
    """Where agents are, and where what they say of themselves is remembered."""

    roots: Roots
    cache_directory: str


def load_apart(files: Mapping[str, bytes], *, strict: bool, agents: AgentSettings | None) -> Loaded:
    """What `language.load` answers, from a process of its own; a child that fails or takes too long is a finding."""
    request = {
        "files": {name: data.decode("latin-1") for name, data in files.items()},
        "strict": strict,
        "agents": None if agents is None else {"roots": to_json(agents.roots), "cache": agents.cache_directory},
    }
    child = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
        cwd="/",
    )
    try:
        answer, _ = child.communicate(json.dumps(request).encode(), _TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return _failed(f"reading the files took more than {_TIMEOUT_S:.0f} s")
    if child.returncode != 0:
        return _failed(f"reading the files ended with {child.returncode}: they take too much memory")
    return _read(answer)


def _read(answer: bytes) -> Loaded:
    plain = json.loads(answer)
    try:
        findings = tuple(from_json(Finding, finding) for finding in plain["findings"])
        if plain["configuration"] is None:
            return Loaded(None, findings)
        return Loaded(from_json(Configuration, plain["configuration"]), findings)
    except CanonicalError as error:
        return _failed(f"what was read is not understood: {error}")


def _failed(text: str) -> Loaded:
    return Loaded(None, (Finding("too-expensive", Place(""), text, "split the configuration, or make it smaller"),))


def main() -> int:
    """Answer the request on standard input."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    request = json.loads(sys.stdin.buffer.read())
    files = {name: text.encode("latin-1") for name, text in request["files"].items()}
    lookup = None
    if request["agents"] is not None:
        from reconciler.agents.metadata import MetadataLookup

        lookup = MetadataLookup(from_json(Roots, request["agents"]["roots"]), request["agents"]["cache"])
    loaded = load(files, strict=request["strict"], agents=lookup)
    answer = {
        "findings": [to_json(finding) for finding in loaded.findings],
        "configuration": None if loaded.configuration is None else to_json(loaded.configuration),
    }
    sys.stdout.buffer.write(json.dumps(answer).encode())
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
