"""The server of the socket against peers that hold, flood or stall it, as other users too; real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from machine import needs_root

from reconciler.cli.node.client import Client, ClientError
from reconciler.daemon import http
from reconciler.daemon.capacity import Capacity, Share
from reconciler.daemon.config import Access
from reconciler.daemon.http import Answer, ApiError, Request, UnixServer
from reconciler.daemon.peer import Peer

READER, STRANGER = 4001, 4002


class Service:
    """Lets one user look; remembers what it handled."""

    def __init__(self) -> None:
        self.handled: list[Request] = []
        self.answer = Answer({"ok": True})
        self.fault: Exception | None = None

    def enter(self, peer: Peer) -> None:
        if not peer.may(Access(frozenset({READER}), frozenset())):
            raise ApiError(403, "forbidden", "stay out")

    def admit(self, peer: Peer, method: str, path: str) -> None:
        if method == "POST" and not peer.is_own:
            raise ApiError(403, "forbidden", "only look")

    async def handle(self, request: Request) -> Answer:
        self.handled.append(request)
        if self.fault is not None:
            raise self.fault
        return self.answer


@pytest.fixture
def path() -> Iterator[str]:
    """Where a socket can be that other users reach."""
    directory = tempfile.mkdtemp()
    os.chmod(directory, 0o755)
    yield str(Path(directory) / "socket")
    shutil.rmtree(directory)


def serving(path: str, service: Service, test: Callable[[UnixServer], Awaitable[None]]) -> None:
    """Run a test beside a server."""

    async def run() -> None:
        server = UnixServer(path, service, open_to_others=True)
        await server.start()
        try:
            async with asyncio.timeout(30):
                await test(server)
        finally:
            async with asyncio.timeout(5):
                await server.stop()

    asyncio.run(run())


async def ask(path: str, data: bytes = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
    """Our own request and its answer."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    return answer


class Other:
    """A process of another user that runs a script with `connect()`, says `ready`, and stays until closed."""

    PREAMBLE = """
    import os, socket, sys, threading, time
    os.setgroups({groups!r}); os.setgid({user}); os.setuid({user})
    def connect():
        connection = socket.socket(socket.AF_UNIX)
        connection.connect({path!r})
        connection.settimeout(5)
        return connection
    def read(connection):
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer
    """

    def __init__(self, user: int, path: str, script: str, groups: Sequence[int] = ()) -> None:
        preamble = textwrap.dedent(self.PREAMBLE).format(user=user, path=path, groups=list(groups))
        text = f"{preamble}\n{textwrap.dedent(script)}\nprint('ready', flush=True)\nsys.stdin.read()\n"
        self.process = subprocess.Popen(
            [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )

    async def lines(self) -> list[str]:
        """What it printed until it was ready."""
        assert self.process.stdout is not None
        found: list[str] = []
        while (line := (await asyncio.to_thread(self.process.stdout.readline)).strip()) != "ready":
            assert line, "it ended"
            found.append(line)
        return found

    def close(self) -> None:
        self.process.communicate(timeout=5)


@needs_root
def test_nothing_is_read_from_who_may_do_nothing(path: str) -> None:
    service = Service()
    flood = """
    kept = []
    for number in range(4):
        connection = connect()
        kept.append(connection)
        try:
            connection.sendall(b"POST /x HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 9000000\\r\\n\\r\\n")
            connection.sendall(b"x" * 8_000_000)
            print("sent everything", flush=True)
        except (BrokenPipeError, ConnectionResetError):
            print(read(connection).split(b"\\r\\n")[0].decode(), flush=True)
    """

    async def test(server: UnixServer) -> None:
        other = Other(STRANGER, path, flood)
        assert await other.lines() == ["HTTP/1.1 403"] * 4
        assert server._bytes.used == 0
        other.close()

    serving(path, service, test)
    assert service.handled == []


@needs_root
def test_the_body_of_a_request_that_may_not_be_made_is_not_read(path: str) -> None:
    service = Service()
    half = """
    connection = connect()
    connection.sendall(b"POST /x HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 9000000\\r\\n\\r\\nhalf")
    print(read(connection).split(b"\\r\\n")[0].decode(), flush=True)
    connection = connect()
    connection.sendall(b"GET /x HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print(read(connection).split(b"\\r\\n")[0].decode(), flush=True)
    """

    async def test(server: UnixServer) -> None:
        other = Other(READER, path, half)
        assert await other.lines() == ["HTTP/1.1 403", "HTTP/1.1 200"]
        other.close()

    serving(path, service, test)
    assert [request.method for request in service.handled] == ["GET"]


@pytest.mark.parametrize(("headers", "status"), [(64, b"200"), (65, b"431")])
def test_a_request_has_at_most_64_headers(path: str, headers: int, status: bytes) -> None:
    """Each costs memory before anybody has looked at the request."""
    service = Service()

    async def test(server: UnixServer) -> None:
        lines = [b"Host: x"] + [b"X-%d: y" % number for number in range(headers - 1)]
        answer = await ask(path, b"GET /x HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n")
        assert answer.split()[1] == status
        assert len(service.handled) == (status == b"200")

    serving(path, service, test)


@needs_root
@pytest.mark.parametrize("user", [READER, STRANGER])
def test_nobody_keeps_root_out_by_holding_connections(path: str, user: int) -> None:
    hold = "kept = [connect() for number in range(128)]"

    async def test(server: UnixServer) -> None:
        other = Other(user, path, hold)
        await other.lines()
        assert (await ask(path)).startswith(b"HTTP/1.1 200")
        other.close()

    serving(path, Service(), test)


@pytest.mark.parametrize(
    "fault",
    [
        *(RuntimeError("x"), MemoryError(), RecursionError(), AssertionError(), StopIteration(), EOFError()),
        *(ConnectionResetError("of another connection"), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no")),
        *(TimeoutError(), Exception()),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_any_fault_of_a_handler_is_answered_with_one_code(path: str, fault: Exception) -> None:
    service = Service()
    service.fault = fault

    async def test(server: UnixServer) -> None:
        answer = await ask(path)
        assert answer.startswith(b"HTTP/1.1 500")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "internal"
        assert server._connections.used == 0

    serving(path, service, test)


@pytest.mark.parametrize("content", [{"a": object()}, {"a": {1: 2, "b": 3}}, {"a": 1 << 100_000}])
def test_an_answer_that_is_no_json_is_a_fault_too(path: str, content: dict[str, object]) -> None:
    service = Service()
    service.answer = Answer(content)

    async def test(server: UnixServer) -> None:
        assert (await ask(path)).startswith(b"HTTP/1.1 500")

    serving(path, service, test)


def test_a_name_that_is_no_text_goes_out_as_valid_json(path: str) -> None:
    service = Service()
    service.answer = Answer({"file": "a\udcff.yaml"})

    async def test(server: UnixServer) -> None:
        body = (await ask(path)).partition(b"\r\n\r\n")[2]
        assert json.loads(body.decode()) == {"file": "a\udcff.yaml"}

    serving(path, service, test)


@pytest.mark.parametrize("size", [230_000, 260_000, 400_000])
def test_no_answer_larger_than_the_socket_holds_costs_a_slot(path: str, size: int) -> None:
    service = Service()
    service.answer = Answer({"long": "x" * size})

    async def test(server: UnixServer) -> None:
        def calls() -> None:
            for _ in range(100):
                assert len(Client(path, timeout_s=10).get("/x")["long"]) == size

        await asyncio.to_thread(calls)
        async with asyncio.timeout(3):
            while server._connections.used or server._tasks:
                await asyncio.sleep(0.01)
        assert server._bytes.used == 0

    serving(path, service, test)


@needs_root
def test_a_flood_of_others_leaves_the_way_of_root_free(path: str) -> None:
    flood = """
    def flood():
        kept = []
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.setblocking(False)
            try:
                connection.connect(path)
            except BlockingIOError:
                time.sleep(0.001)
            kept = [*kept[-100:], connection]
    for _ in range(3):
        threading.Thread(target=flood, daemon=True).start()
    time.sleep(0.5)
    """.replace("path", repr(path))

    async def test(server: UnixServer) -> None:
        def asks() -> float:
            began = time.monotonic()
            for _ in range(20):
                Client(path, timeout_s=5).get("/x")
            return time.monotonic() - began

        others = [Other(STRANGER, path, flood) for _ in range(2)]
        for other in others:
            await other.lines()
        assert await asyncio.to_thread(asks) < 5
        for other in others:
            other.process.kill()

    serving(path, Service(), test)


@needs_root
def test_all_groups_of_a_peer_are_known(path: str) -> None:
    service = Service()
    many = [*range(5000, 5200), 4002]
    script = """
    connection = connect()
    connection.sendall(b"GET /x HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print(read(connection).split(b"\\r\\n")[0].decode(), flush=True)
    """

    async def test(server: UnixServer) -> None:
        other = Other(READER, path, script, groups=many)
        assert await other.lines() == ["HTTP/1.1 200"]
        other.close()

    serving(path, service, test)
    assert service.handled[0].peer.groups == {READER, *many}


SHORT_OF_DESCRIPTORS = """
import asyncio, os, resource, sys
from reconciler.daemon.http import Answer, UnixServer
from reconciler.daemon.log import set_up

class Service:
    def enter(self, peer): pass
    def admit(self, peer, method, path): pass
    async def handle(self, request): return Answer({"descriptors": len(os.listdir("/proc/self/fd"))})

async def main():
    set_up("text", "info")
    server = UnixServer(sys.argv[1], Service(), open_to_others=True)
    await server.start()
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, lambda: None)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    kept = []
    try:
        while True:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        print("short", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    print(len(server.troubles), flush=True)
    for descriptor in kept:
        os.close(descriptor)
    await loop.run_in_executor(None, sys.stdin.readline)
    print(len(server.troubles), flush=True)
    await server.stop()

asyncio.run(main())
"""


def test_without_descriptors_root_still_gets_in_and_one_line_says_so(path: str) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SHORT_OF_DESCRIPTORS, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stdout.readline() == "short\n"
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(path)
        other.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(20):
            with pytest.raises(
                ClientError, match="Too many open files"
            ):  # It can't even list its descriptors, and says so.
                Client(path, timeout_s=2).get("/x")
        time.sleep(0.5)
        server.stdin.write("\n")
        server.stdin.flush()
        assert server.stdout.readline() == "1\n"
        other.settimeout(5)
        assert other.recv(100).startswith(b"HTTP/1.1 200")
    assert Client(path, timeout_s=2).get("/x")["descriptors"] < 64
    answer, log = server.communicate("\n", timeout=10)
    assert answer == "0\n"
    assert log.count("can't be taken") == 1
    assert server.returncode == 0


def test_the_client_waits_when_the_backlog_is_full(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        with pytest.raises(ClientError) as busy:
            Client(path, timeout_s=0.3).get("/x")
        assert busy.value.code == "busy"

        def serve() -> None:
            time.sleep(0.3)
            listener.accept()[0].close()
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        assert Client(path, timeout_s=5).get("/x") == {}
        thread.join()


def test_a_peer_that_does_not_read_is_let_go(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_ANSWER_S", 0.3)
    service = Service()
    service.answer = Answer({"long": "x" * 20_000_000})

    async def test(server: UnixServer) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            connection.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            while not service.handled:
                await asyncio.sleep(0.01)
            async with asyncio.timeout(3):
                while server._connections.used:
                    await asyncio.sleep(0.01)
            assert server._bytes.used == 0

    serving(path, service, test)


def test_a_peer_that_does_not_read_does_not_hold_up_the_end(path: str) -> None:
    service = Service()
    service.answer = Answer({"long": "x" * 20_000_000})
    connection = socket.socket(socket.AF_UNIX)

    async def test(server: UnixServer) -> None:
        connection.connect(path)
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        while not service.handled:
            await asyncio.sleep(0.01)

    serving(path, service, test)
    connection.close()


def test_bodies_together_are_bounded(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BYTES", Share(1000, 2000, 3000))
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n"
    body = b'{"a": "' + b"x" * 1991 + b'"}'

    async def test(server: UnixServer) -> None:
        with socket.socket(socket.AF_UNIX) as held:
            held.connect(path)
            held.sendall(head + body[:1999])
            while server._bytes.used < 1999:
                await asyncio.sleep(0.01)
            assert (await ask(path, head + body)).startswith(b"HTTP/1.1 503")
        while server._bytes.used:
            await asyncio.sleep(0.01)
        assert (await ask(path, head + body)).startswith(b"HTTP/1.1 200")
        assert server._bytes.used == 0

    serving(path, Service(), test)


def test_an_answer_for_which_there_is_no_room_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BYTES", Share(1000, 2000, 3000))
    service = Service()
    service.answer = Answer({"long": "x" * 3000})

    async def test(server: UnixServer) -> None:
        assert (await ask(path)).startswith(b"HTTP/1.1 503")

    serving(path, service, test)


def test_each_user_others_and_all_have_their_share() -> None:
    capacity = Capacity(Share(2, 3, 5))
    assert capacity.take(1, 2, own=False)
    assert not capacity.take(1, own=False)
    assert capacity.take(2, own=False)
    assert not capacity.take(3, own=False)
    assert capacity.take(0, 2, own=True)
    assert not capacity.take(0, own=True)
    capacity.give_back(1, 2, own=False)
    assert capacity.take(3, 2, own=False)
    assert not capacity.take(0, own=True)
    capacity.give_back(3, 2, own=False)
    capacity.give_back(2, own=False)
    capacity.give_back(0, 2, own=True)
    assert capacity.used == 0
