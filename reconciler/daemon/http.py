"""HTTP/1.1 over a Unix socket: one request a connection, everything bounded, the peer known by its credentials.

What the requests mean is no business of this module: it reads one, has it handled, and sends the answer. Nothing is read from who may do
nothing here, and no body of a request that its sender may not make.
Source: RFC 9112.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote

import h11

from reconciler.daemon.capacity import BYTES, CONNECTIONS, STREAMS, Capacity
from reconciler.daemon.listener import Listener
from reconciler.daemon.log import LOG, say
from reconciler.daemon.peer import Peer, peer_of
from reconciler.errors import Finding
from reconciler.frozen import field, frozen

LARGEST_BODY = 96 * 1024 * 1024
"""A configuration of the largest size the language takes, in JSON."""
_LARGEST_HEAD = 16 * 1024
_MOST_HEADERS = 64
_REQUEST_S = 30.0
# A connection whose other end reads nothing is one less for others.
_ANSWER_S = 60.0
_RESERVE = 4
"""Connections that root and our own user get although no descriptor is left."""


@frozen
class Request:
    """One request, complete; `body` is the JSON object that it brought, empty without one."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]
    peer: Peer


@frozen
class Answer:
    """One answer: a JSON object, or the lines of a stream. `encoded` are the bytes of the object, if somebody has them already."""

    content: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    stream: AsyncIterator[Mapping[str, Any]] | None = None
    encoded: bytes | None = None


class ApiError(Exception):
    """A request that is refused, with the answer that says why."""

    def __init__(self, status: int, code: str, message: str, findings: tuple[dict[str, Any], ...] = ()) -> None:
        super().__init__(message)
        self.answer = Answer({"error": {"code": code, "message": message, "findings": list(findings)}}, status)


class Served(Protocol):
    """What is served. Refusals are ApiErrors."""

    def enter(self, peer: Peer) -> None:
        """Refuse a peer that may do nothing at all, before anything is read from it."""

    def admit(self, peer: Peer, method: str, path: str) -> None:
        """Refuse a request that can't be or may not be made, before its body is read."""

    async def handle(self, request: Request) -> Answer:
        """Answer an admitted request."""


OWN = ".own"
"""What the name of the way in for root and our own user adds to that for all."""


class UnixServer:
    """Serves one path; where others may come in too, root and our own user have a second one, `PATH.own`, that nobody else can fill."""

    def __init__(self, path: str, service: Served, *, open_to_others: bool) -> None:
        self.path = path
        self._service = service
        own = Listener(f"{path}{OWN}" if open_to_others else path, 0o600, self._accept, reserve=_RESERVE)
        self._listeners = [own, Listener(path, 0o666, self._accept)] if open_to_others else [own]
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = Capacity(CONNECTIONS)
        self._streams = Capacity(STREAMS)
        self._bytes = Capacity(BYTES)

    @property
    def troubles(self) -> list[str]:
        """Why connections can't be taken at the moment."""
        return [listener.trouble for listener in self._listeners if listener.trouble is not None]

    @property
    def held(self) -> dict[str, int]:
        """How much of what is limited the peers hold at the moment."""
        return {
            "connections": self._connections.used,
            "streams": self._streams.used,
            "bytes_in_requests_and_answers": self._bytes.used,
        }

    async def start(self) -> None:
        """Listen; a socket that nobody listens on any more is replaced. **Raises** OSError."""
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.path}{OWN}")
        for listener in self._listeners:
            listener.start()

    @property
    def reachable(self) -> bool:
        """Whether who connects to the path gets in here."""
        return all(listener.reachable for listener in self._listeners)

    def renew(self) -> None:
        """Be reachable again, where the path was removed. **Raises** OSError."""
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        for listener in self._listeners:
            listener.renew()

    async def stop(self) -> None:
        """Take no more requests, and end those that are open."""
        for listener in self._listeners:
            listener.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, connection: socket.socket) -> None:
        try:
            peer = peer_of(connection)
            self._service.enter(peer)
            if not self._connections.take(peer.user, own=peer.is_own):
                raise ApiError(
                    503, "too-many-connections", f"too many connections are open; user {peer.user} gets no more"
                )
        except ApiError as error:
            _turn_away(connection, error.answer)
            return
        except OSError:
            connection.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(connection, peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket, peer: Peer) -> None:
        """One connection: nothing that a peer does to it is an error of ours, and nothing of it is left afterwards."""
        try:
            exchange = await _Exchange.on(connection, peer, self._bytes)
            try:
                await self._answer(exchange)
                await exchange.finish()
            finally:
                exchange.abort()
        except (ConnectionError, TimeoutError, h11.RemoteProtocolError) as error:
            say(logging.DEBUG, "a connection ended early", reason=f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - what breaks amid an answer can only be told here
            LOG.error("an answer could not be sent", exc_info=error)
        finally:
            self._connections.give_back(peer.user, own=peer.is_own)
            connection.close()
            for listener in self._listeners:
                listener.refill()

    async def _answer(self, exchange: _Exchange) -> None:
        answer = await self._answer_to(exchange)
        exchange.give_back()
        if answer.stream is None:
            async with asyncio.timeout(_ANSWER_S):
                await exchange.send(answer)
        else:
            await self._stream(exchange, answer.stream)

    async def _answer_to(self, exchange: _Exchange) -> _Sealed:
        try:
            async with asyncio.timeout(_REQUEST_S):
                request = await exchange.receive(self._service.admit)
        except ApiError as error:
            return _sealed(error.answer)
        except h11.RemoteProtocolError as error:
            return _sealed(ApiError(400, "bad-request", str(error)).answer)
        except TimeoutError:
            text = f"the request was not complete within {_REQUEST_S:.0f} s"
            return _sealed(ApiError(408, "too-slow", text).answer)
        return await self._handle(request)

    async def _handle(self, request: Request) -> _Sealed:
        """What a request comes to, whatever goes wrong with it: the one net around all handlers."""
        try:
            return _sealed(await self._service.handle(request))
        except ApiError as error:
            return _sealed(error.answer)
        except Exception as error:  # noqa: BLE001 - a fault of ours is answered too: the peer learns a code, the log the rest
            LOG.error("a request could not be handled", exc_info=error)
            return _sealed(ApiError(500, "internal", f"{type(error).__name__}: {error}").answer)

    async def _stream(self, exchange: _Exchange, stream: AsyncIterator[Mapping[str, Any]]) -> None:
        peer = exchange.peer
        if not self._streams.take(peer.user, own=peer.is_own):
            await exchange.send(_sealed(ApiError(503, "too-many-streams", "too many streams are open").answer))
            return
        try:
            await exchange.send_stream(stream)
        finally:
            self._streams.give_back(peer.user, own=peer.is_own)


class _Exchange:
    """The protocol of one connection. What it has in memory is counted in `room` until `give_back` or `abort`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer, room: Capacity) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
        self._room = room
        self._taken = 0
        self.peer = peer

    @classmethod
    async def on(cls, connection: socket.socket, peer: Peer, room: Capacity) -> _Exchange:
        """An exchange over a connection that was taken, which belongs to it from now on."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(_LARGEST_HEAD, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop), peer, room)

    async def receive(self, admit: Callable[[Peer, str, str], None]) -> Request:
        """The request with its whole body. Raises ApiError or RemoteProtocolError when it is none that we take."""
        head = await self._next()
        if not isinstance(head, h11.Request):
            raise ConnectionError("the peer sent nothing")
        if len(head.headers) > _MOST_HEADERS:
            raise ApiError(431, "bad-request", f"more than {_MOST_HEADERS} headers")
        target, _, query = head.target.decode("ascii").partition("?")
        method, path = head.method.decode("ascii"), unquote(target)
        admit(self.peer, method, path)
        body = await self._body()
        return Request(method, path, _query(query), _object(body), self.peer)

    async def finish(self) -> None:
        """Close once everything was read by the peer. Raises TimeoutError when it does not read."""
        self._writer.close()
        async with asyncio.timeout(_ANSWER_S):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """Forget what is not sent, if anything is left, and the connection."""
        self.give_back()
        transport = self._writer.transport
        # A transport that has sent everything after it was closed is gone, and aborting what is gone fails.
        if not transport.is_closing() or transport.get_write_buffer_size():
            transport.abort()

    def give_back(self) -> None:
        """Nothing of what was counted is kept any longer."""
        self._room.give_back(self.peer.user, self._taken, own=self.peer.is_own)
        self._taken = 0

    async def send(self, answer: _Sealed) -> None:
        """A whole answer."""
        if self._protocol.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        try:
            self._take(len(answer.content))
        except ApiError as error:
            answer = _sealed(error.answer)
        self._write_answer(answer)
        del answer
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
            self._take(len(event.data))
            parts.append(bytes(event.data))
        return b"".join(parts)

    def _take(self, size: int) -> None:
        if not self._room.take(self.peer.user, size, own=self.peer.is_own):
            raise ApiError(503, "busy", "too much is being sent and received at once; try again")
        self._taken += size

    async def _next(self) -> Any:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            if self._protocol.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, headers=[]))
            self._protocol.receive_data(await self._reader.read(65_536))
        return event

    def _write_answer(self, answer: _Sealed) -> None:
        self._write(h11.Response(status_code=answer.status, headers=_headers(answer)))
        self._write(h11.Data(data=answer.content))
        self._write(h11.EndOfMessage())

    def _write(self, event: Any) -> None:
        data = self._protocol.send(event)
        if data:
            self._writer.write(data)


def _turn_away(connection: socket.socket, answer: Answer) -> None:
    """Answer without reading anything, and be done with the peer at once: an answer for which it has no room is lost."""
    sealed, protocol = _sealed(answer), h11.Connection(h11.SERVER)
    head = protocol.send(h11.Response(status_code=sealed.status, headers=_headers(sealed))) or b""
    with contextlib.suppress(OSError):
        connection.send(head + sealed.content)
    connection.close()


def _headers(answer: _Sealed) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(answer.content))),
        ("Connection", "close"),
    ]


class _Sealed(NamedTuple):
    """An answer as it goes out: its bytes, or a stream whose lines are yet to come."""

    status: int
    content: bytes
    stream: AsyncIterator[Mapping[str, Any]] | None


def _sealed(answer: Answer) -> _Sealed:
    if answer.stream is not None:
        return _Sealed(answer.status, b"", answer.stream)
    return _Sealed(answer.status, encode(answer.content) if answer.encoded is None else answer.encoded, None)


def encode(content: Mapping[str, Any]) -> bytes:
    """The JSON of an answer. **Raises** what `json.dumps` does for what is no JSON."""
    try:
        return json.dumps(content, sort_keys=True, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # A name out of a file system may hold bytes that are no text: they go out escaped.
        return json.dumps(content, sort_keys=True).encode()


def _query(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=32))
    except ValueError as error:
        raise ApiError(400, "bad-request", f"the query does not read: {error}") from error


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body, all of whose texts can be written down as UTF-8."""
    if not body:
        return {}
    try:
        text = body.decode()
        content = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad-request", f"the body is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise ApiError(400, "bad-request", "the body is no JSON object")
    if "\\ud" in text or "\\uD" in text:
        _refuse_surrogates(content)
    return content


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _refuse_surrogates(content: dict[str, Any]) -> None:
    """Raise ApiError for half of a pair, which JSON can escape and which is no character."""
    waiting: list[Any] = [content]
    while waiting:
        match waiting.pop():
            case dict() as mapping:
                waiting += [*mapping, *mapping.values()]
            case list() as items:
                waiting += items
            case str() as text if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
                shown = text[:100].encode("ascii", "backslashreplace").decode()
                raise ApiError(400, "bad-request", f"half of a surrogate pair is no character: {shown}")


def refuse_unknown(body: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise ApiError for keys that the request may not have."""
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise ApiError(400, "bad-request", f"unknown key {unknown[0]!r}; known are {', '.join(known) or 'none'}")


def findings_to_plain(findings: tuple[Finding, ...]) -> tuple[dict[str, Any], ...]:
    """Findings as errors carry them."""
    from reconciler.controller.messages import finding_to_plain

    return tuple(finding_to_plain(finding) for finding in findings)
