"""Judging a configuration in a process that can be killed: `python -m reconciler.daemon.compile_apart`.

What a commit holds may take any time and memory to read and to decide upon: a pattern that backtracks, sets of colocations, a million
copies. None of that may hold up the care for what runs, so it is tried out in a worker first, with bounds of memory and time, and a
commit that exceeds them is refused. A worker has its modules loaded and serves several requests; it ends when nobody asks for a while,
and it is the first to go when memory runs out. What it answers is read as strictly as what a peer sends.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping

from reconciler.agents.installed import Roots
from reconciler.cib.canonical import CanonicalError, canonical_bytes, from_bytes
from reconciler.daemon.replaced import TROUBLE, replaced
from reconciler.errors import Finding, Place, ReconcilerError, Remedy
from reconciler.frozen import frozen
from reconciler.language import Loaded
from reconciler.sources.git_command import limit_process, plain_line

# Together less than the 60 s that members have to answer a proposal: a refusal with its reason, never silence.
_READ_S = 40.0
_TRY_S = 15.0
_KEPT_S = 20.0
"""How long a worker waits for another request before it ends."""
# Then a new process takes its place, whatever this one has not given back.
_MOST_SERVED = 100
_MEMORY_BYTES = 4 * 1024 * 1024 * 1024
# For all that one process serves; a single commit is bounded by the times above.
_CPU_S = 1800
_LARGEST_ANSWER = 512 * 1024 * 1024
_HEADER = struct.Struct(">cQ")
_LOADED, _TRIED, _FAILED = b"L", b"T", b"F"
_HINT = "split the configuration, or make it smaller"


class JudgeError(ReconcilerError):
    """No worker could be had, or it was ended from outside; the commit may be judged later."""

    code = "judge"
    remedy = Remedy.RETRY


class _WorkerGoneError(Exception):
    """The worker has closed its pipes."""


@frozen
class AgentSettings:
    """Where agents are, and where what they say of themselves is remembered."""

    roots: Roots
    cache_directory: str


@frozen
class _CompileRequest:
    """What a worker is to judge; the bytes of a file are characters of the same number. `nodes` are the cluster's members."""

    files: Mapping[str, str]
    strict: bool
    agents: AgentSettings | None
    nodes: tuple[str, ...]


class _Worker:
    """One process, its pipes ours; used by one thread at a time."""

    def __init__(self) -> None:
        """**Raises** JudgeError when none can be started, or it would be of another version than this process."""
        if replaced():
            raise JudgeError(TROUBLE)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                process_group=0,
                cwd="/",
            )
        except OSError as error:
            raise JudgeError(f"start a process to judge the commit: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)

    @property
    def alive(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def send(self, data: bytes, end_s: float) -> None:
        """Hand it a request. **Raises** _WorkerGoneError, TimeoutError."""
        rest = memoryview(struct.pack(">Q", len(data)) + data)
        while rest:
            _ready((), (self._in,), end_s)
            try:
                rest = rest[os.write(self._in, rest[: 1 << 16]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise _WorkerGoneError from None

    def receive(self, end_s: float) -> tuple[bytes, bytes]:
        """Its next answer: the kind and the content. **Raises** _WorkerGoneError, TimeoutError."""
        kind, size = _HEADER.unpack(self._read(_HEADER.size, end_s))
        if size > _LARGEST_ANSWER:
            raise _WorkerGoneError
        return kind, self._read(size, end_s)

    def end(self) -> int:
        """Kill it; how it ended. What agents it called goes with it."""
        with contextlib.suppress(ProcessLookupError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        return code

    def _read(self, size: int, end_s: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            _ready((self._out,), (), end_s)
            part = os.read(self._out, min(1 << 20, size - len(data)))
            if not part:
                raise _WorkerGoneError
            data += part
        return bytes(data)


class Workers:
    """The workers of one daemon; may be used by several threads."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Have a worker load its modules now, because something is about to be judged. Never raises: judging itself will tell."""
        with self._lock:
            self._idle = [worker for worker in self._idle if worker.alive or worker.end() is None]
            if not self._idle:
                with contextlib.suppress(JudgeError):
                    self._idle.append(_Worker())

    def load(
        self, files: Mapping[str, bytes], *, strict: bool, agents: AgentSettings | None, nodes: tuple[str, ...] = ()
    ) -> Loaded:
        """What `language.load` answers, once a cluster of these nodes has been decided upon with it. Blocks.

        What takes too much time or memory is a finding. **Raises** JudgeError for what is no fault of the commit.
        """
        texts = {name: data.decode("latin-1") for name, data in files.items()}
        request = canonical_bytes(_CompileRequest(texts, strict, agents, nodes))
        while True:
            worker = self._take()
            try:
                loaded = _judged(worker, request)
            except _WorkerGoneError:
                if (code := worker.end()) == 0:
                    continue  # It had waited for long, and ended just when it was asked.
                return _died(code)
            except BaseException:
                worker.end()
                raise
            if worker.alive:
                with self._lock:
                    self._idle.append(worker)
            return loaded

    def close(self) -> None:
        """End all that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def _take(self) -> _Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                worker.end()
        return _Worker()


def _judged(worker: _Worker, request: bytes) -> Loaded:
    """**Raises** _WorkerGoneError when the worker ends amid it, JudgeError when it can't be told."""
    end_s = time.monotonic() + _READ_S
    try:
        worker.send(request, end_s)
        kind, data = worker.receive(end_s)
    except TimeoutError:
        worker.end()
        return _too_much(f"reading the files took more than {_READ_S:.0f} s")
    if kind != _LOADED:
        worker.end()
        return _broken("reading the files", data)
    try:
        loaded = from_bytes(Loaded, data)
    except CanonicalError as error:
        worker.end()
        return _too_much(f"what was read is not understood: {error}")
    if loaded.configuration is None:
        return loaded
    try:
        kind, data = worker.receive(time.monotonic() + _TRY_S)
    except TimeoutError:
        worker.end()
        return _too_much(f"deciding what to do with it took more than {_TRY_S:.0f} s")
    except _WorkerGoneError:
        _died(worker.end())
        return _too_much("deciding what to do with it takes too much memory")
    if kind != _TRIED:
        worker.end()
        return _broken("deciding what to do with it", data)
    return loaded


def _died(code: int) -> Loaded:
    """What the end of a worker tells. **Raises** JudgeError when somebody else ended it, such as the kernel for want of memory."""
    if code in (-signal.SIGKILL, -signal.SIGTERM):
        raise JudgeError("the process that judged the commit was killed from outside")
    return _too_much(f"reading the files ended with {code}: they take too much memory")


def _broken(what: str, data: bytes) -> Loaded:
    """A fault of this program that the commit brings out; it is as well that it came to light here."""
    text = f"{what} ended in a fault of the program: {plain_line(data.decode('utf-8', 'replace'))[:300]}"
    hint = "please report it, with the configuration"
    return Loaded(None, (Finding("judging-failed", Place(""), text, hint),))


def _too_much(text: str) -> Loaded:
    return Loaded(None, (Finding("too-expensive", Place(""), text, _HINT),))


def _ready(readable: tuple[int, ...], writable: tuple[int, ...], end_s: float) -> None:
    """Wait until one of the descriptors can be used. **Raises** TimeoutError."""
    poll = select.poll()  # Not `select`, which knows no descriptor above 1023.
    for descriptor in readable:
        poll.register(descriptor, select.POLLIN)
    for descriptor in writable:
        poll.register(descriptor, select.POLLOUT)
    if not poll.poll(max(0.0, end_s - time.monotonic()) * 1000):
        raise TimeoutError


# The worker's side.

_SAMPLE_NODES = ("a", "b")
_SAMPLE = """
cluster: {name: sample, options: {fencing-enabled: false}}
nodes: {a: {}, b: {}}
defaults: {resources: {resource-stickiness: 1}}
primitives:
  one: {agent: "ocf:heartbeat:Dummy", operations: {monitor: {interval: 10s}}}
  two: {agent: "ocf:heartbeat:Dummy", params: {fake: x}, meta: {target-role: Started}}
constraints:
  locations:
    one-on-a: {resource: one, node: a, score: 100}
"""
"""Read, checked and decided upon once, so that whatever takes part in that is there."""


def main() -> int:
    """Serve requests on standard input until there are no more, or none has come for a while."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_process(os.getpid(), _MEMORY_BYTES, _CPU_S)
    _load_modules()
    for _ in range(_MOST_SERVED):
        request = _request()
        if request is None:
            break
        if not _serve(request):
            return 1
    return 0


def _load_modules() -> None:
    """Everything that a request needs, so that the first one is as quick as the others: much is imported only where it is used."""
    import xml.parsers.expat  # noqa: F401

    import reconciler.agents.metadata
    import reconciler.agents.ocf
    import reconciler.agents.question  # noqa: F401

    sample = canonical_bytes(_CompileRequest({"sample.yaml": _SAMPLE}, strict=False, agents=None, nodes=_SAMPLE_NODES))
    loaded = _load(from_bytes(_CompileRequest, sample))
    canonical_bytes(loaded)
    _try(loaded, _SAMPLE_NODES)


def _request() -> _CompileRequest | None:
    descriptor = sys.stdin.fileno()
    try:
        _ready((descriptor,), (), time.monotonic() + _KEPT_S)
    except TimeoutError:
        return None
    head = sys.stdin.buffer.read(8)
    if len(head) < 8:
        return None
    return from_bytes(_CompileRequest, sys.stdin.buffer.read(struct.unpack(">Q", head)[0]))


def _serve(request: _CompileRequest) -> bool:
    """Answer one request in two parts; whether another one may follow."""
    try:
        loaded = _load(request)
        _answer(_LOADED, canonical_bytes(loaded))
    except MemoryError:
        os._exit(3)
    except Exception as error:  # noqa: BLE001 - whatever a commit brings out in our own code is the answer
        _answer(_FAILED, f"{type(error).__name__}: {error}".encode())
        return False
    if loaded.configuration is None:
        return True
    try:
        _try(loaded, request.nodes)
        _answer(_TRIED, b"")
    except MemoryError:
        os._exit(3)
    except Exception as error:  # noqa: BLE001 - as above
        _answer(_FAILED, f"{type(error).__name__}: {error}".encode())
        return False
    return True


def _load(request: _CompileRequest) -> Loaded:
    from reconciler.language import load

    files = {name: text.encode("latin-1") for name, text in request.files.items()}
    lookup = None
    if request.agents is not None:
        from reconciler.agents.metadata import MetadataLookup

        lookup = MetadataLookup(request.agents.roots, request.agents.cache_directory)
    return load(files, strict=request.strict, agents=lookup, twice=True)


def _try(loaded: Loaded, nodes: tuple[str, ...]) -> None:
    """Decide what a healthy cluster on which nothing runs would do: what that costs, the node would pay again and again."""
    from reconciler.analysis.steady import healthy
    from reconciler.daemon.budget import MEMORY_BYTES, memory_bound
    from reconciler.model.date import Instant
    from reconciler.scheduler import schedule

    assert loaded.configuration is not None
    now = int(time.time())
    # Half of what the node has for it: what happens to the cluster makes a decision larger.
    with memory_bound(MEMORY_BYTES // 2):
        schedule(healthy(loaded.configuration, nodes), Instant(now, time.localtime(now).tm_gmtoff))


def _answer(kind: bytes, data: bytes) -> None:
    sys.stdout.buffer.write(_HEADER.pack(kind, len(data)) + data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
