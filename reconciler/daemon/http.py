"""HTTP/1.1 over a Unix socket: one request a connection, everything bounded, the peer known by its credentials.

What the requests mean is no business of this module: it reads one, has it handled, and sends the answer.
Source: RFC 9112; unix(7), SO_PEERCRED.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import h11

from reconciler.daemon.config import Access
from reconciler.daemon.log import LOG, say
from reconciler.errors import Finding

LARGEST_BODY = 96 * 1024 * 1024
"""A configuration of the largest size the language takes, in JSON."""
_LARGEST_HEAD = 16 * 1024
_MOST_HEADERS = 64
_MOST_CONNECTIONS = 128
_MOST_STREAMS = 48
_REQUEST_S = 30.0
_ANSWER_S = 60.0
_SO_PEERGROUPS = 59
_UCRED = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asks: a process of this machine with its user and all its groups."""

    pid: int
    user: int
    groups: frozenset[int]

    def may(self, access: Access) -> bool:
        """Whether these rights include it; root and our own user always may."""
        return self.user in (0, os.geteuid()) or self.user in access.users or bool(self.groups & access.groups)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, complete; `body` is the JSON object that it brought, empty without one."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]
    peer: Peer


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: a JSON object, or the lines of a stream."""

    content: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    stream: AsyncIterator[Mapping[str, Any]] | None = None


class ApiError(Exception):
    """A request that is refused, with the answer that says why."""

    def __init__(self, status: int, code: str, message: str, findings: tuple[dict[str, Any], ...] = ()) -> None:
        super().__init__(message)
        self.answer = Answer({"error": {"code": code, "message": message, "findings": list(findings)}}, status)


Handle = Callable[[Request], Awaitable[Answer]]


class UnixServer:
    """Serves one socket. `handle` answers a request, or raises ApiError."""

    def __init__(self, path: str, handle: Handle, *, open_to_others: bool) -> None:
        self.path = path
        self._handle = handle
        self._mode = 0o666 if open_to_others else 0o600
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._streams = 0

    async def start(self) -> None:
        """Listen; a socket that nobody listens on any more is replaced. **Raises** OSError."""
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        listener = _bind(self.path, self._mode)
        self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=_LARGEST_HEAD)

    async def stop(self) -> None:
        """Take no more requests, and end those that are open."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= _MOST_CONNECTIONS:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: nothing that a peer does to it is an error of ours."""
        try:
            exchange = _Exchange(reader, writer)
            await self._answer(exchange)
        except (ConnectionError, TimeoutError, h11.RemoteProtocolError) as error:
            say(logging.DEBUG, "a connection ended early", reason=f"{type(error).__name__}: {error}")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, exchange: _Exchange) -> None:
        try:
            async with asyncio.timeout(_REQUEST_S):
                request = await exchange.receive()
            answer = await self._handle(request)
        except ApiError as error:
            answer = error.answer
        except h11.RemoteProtocolError as error:
            answer = ApiError(400, "bad-request", str(error)).answer
        except TimeoutError:
            answer = ApiError(408, "too-slow", f"the request was not complete within {_REQUEST_S:.0f} s").answer
        if answer.stream is None:
            async with asyncio.timeout(_ANSWER_S):
                await exchange.send(answer)
        else:
            await self._stream(exchange, answer.stream)

    async def _stream(self, exchange: _Exchange, stream: AsyncIterator[Mapping[str, Any]]) -> None:
        if self._streams >= _MOST_STREAMS:
            await exchange.send(ApiError(503, "too-many-streams", f"{_MOST_STREAMS} streams are open").answer)
            return
        self._streams += 1
        try:
            await exchange.send_stream(stream)
        finally:
            self._streams -= 1


class _Exchange:
    """The protocol of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
        self._peer = _peer(writer)

    async def receive(self) -> Request:
        """The request with its whole body. Raises ApiError or RemoteProtocolError when it is none that we take."""
        head = await self._next()
        if not isinstance(head, h11.Request):
            raise ConnectionError("the peer sent nothing")
        if len(head.headers) > _MOST_HEADERS:
            raise ApiError(431, "bad-request", f"more than {_MOST_HEADERS} headers")
        path, _, query = head.target.decode("ascii").partition("?")
        body = await self._body()
        return Request(head.method.decode("ascii"), unquote(path), _query(query), _object(body), self._peer)

    async def send(self, answer: Answer) -> None:
        """A whole answer."""
        content = json.dumps(answer.content, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(content))),
            ("Connection", "close"),
        ]
        if self._protocol.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        self._write(h11.Response(status_code=answer.status, headers=headers))
        self._write(h11.Data(data=content))
        self._write(h11.EndOfMessage())
        await self._writer.drain()

    async def send_stream(self, stream: AsyncIterator[Mapping[str, Any]]) -> None:
        """Lines as they come, until the stream or the peer ends; a peer that does not read is not waited for long."""
        headers = [
            ("Content-Type", "application/x-ndjson"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
        ]
        self._write(h11.Response(status_code=200, headers=headers))
        gone = asyncio.get_running_loop().create_task(self._reader.read(1))
        try:
            async for line in stream:
                if gone.done():
                    return
                self._write(h11.Data(data=json.dumps(line, sort_keys=True).encode() + b"\n"))
                async with asyncio.timeout(_ANSWER_S):
                    await self._writer.drain()
            self._write(h11.EndOfMessage())
            await self._writer.drain()
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _body(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while isinstance(event := await self._next(), h11.Data):
            size += len(event.data)
            if size > LARGEST_BODY:
                raise ApiError(413, "too-large", f"the request has more than {LARGEST_BODY} bytes")
            parts.append(bytes(event.data))
        return b"".join(parts)

    async def _next(self) -> Any:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            if self._protocol.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, headers=[]))
            self._protocol.receive_data(await self._reader.read(65_536))
        return event

    def _write(self, event: Any) -> None:
        data = self._protocol.send(event)
        if data:
            self._writer.write(data)


def _query(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=32))
    except ValueError as error:
        raise ApiError(400, "bad-request", f"the query does not read: {error}") from error


def _object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad-request", f"the body is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise ApiError(400, "bad-request", "the body is no JSON object")
    return content


def _peer(writer: asyncio.StreamWriter) -> Peer:
    connection: socket.socket = writer.get_extra_info("socket")
    pid, user, group = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    try:
        packed = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 65_536)
    except OSError:
        return Peer(pid, user, frozenset({group}))
    return Peer(pid, user, frozenset({group, *(number for (number,) in struct.iter_unpack("I", packed))}))


def _bind(path: str, mode: int) -> socket.socket:
    """A listening socket under this name, with this mode from its first moment on."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = f"{path}.{os.getpid()}"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        known = os.umask(0o177)
        try:
            listener.bind(fresh)
        finally:
            os.umask(known)
        os.chmod(fresh, mode)
        listener.listen(128)
        os.rename(fresh, path)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def refuse_unknown(body: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise ApiError for keys that the request may not have."""
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise ApiError(400, "bad-request", f"unknown key {unknown[0]!r}; known are {', '.join(known) or 'none'}")


def internal_error(error: Exception) -> Answer:
    """The answer when handling a request failed by a fault of ours, which is also in the log."""
    LOG.error("a request could not be handled", exc_info=error)
    return ApiError(500, "internal", f"{type(error).__name__}: {error}").answer


def findings_to_plain(findings: tuple[Finding, ...]) -> tuple[dict[str, Any], ...]:
    """Findings as errors carry them."""
    from reconciler.controller.messages import finding_to_plain

    return tuple(finding_to_plain(finding) for finding in findings)
