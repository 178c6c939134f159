"""Talks to the daemon of this machine: HTTP/1.1 over its Unix socket, blocking and bounded, with errors that say what to do.

Only the standard library's `socket` and `json` are needed, so that a command starts quickly; what the daemon promises is in
the documentation of the API (`reconciler/daemon/api.py`).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.errors import Finding, Place, ReconcilerError, Remedy, Severity

DEFAULT_SOCKET = "/run/reconciler/reconciler.sock"
LARGEST_ANSWER = 256 * 1024 * 1024
LARGEST_LINE = 16 * 1024 * 1024
OWN = ".own"
"""What is added to the socket's name for the way in that root and the daemon's own user have for themselves."""
_LARGEST_HEAD = 64 * 1024
_TRY_AGAIN_S = 0.02
_CODE = re.compile(r"[a-z][a-z0-9-]{0,63}")


class ClientError(ReconcilerError):
    """The daemon could not be asked, or refused; nothing was changed unless `code` is `timeout` or `daemon`.

    `code` is `busy` when so many others waited that this request could not even be made.
    """

    code = "daemon"
    remedy = Remedy.RETRY

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


class ClientTimeout(ClientError):
    """No answer in time; whether the request was carried out is unknown."""

    code = "timeout"
    exit_code = 124

    def __init__(self, text: str) -> None:
        super().__init__(text, self.code)


class Refused(ClientError):
    """The daemon understood, and said no.

    `code` and `reason` are the API's code for it: people see the same word that programs get. `status` is the HTTP status, `findings`
    what it found.
    """

    code = "refused"

    remedy = Remedy.FIX_INPUT

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        error = answer.get("error")
        self.answer: Mapping[str, Any] = error if isinstance(error, dict) else {}
        self.status = status
        self.reason = str(self.answer.get("code", ""))
        self.findings = tuple(finding_of(part) for part in self.answer.get("findings") or ())
        code = self.reason if _CODE.fullmatch(self.reason) else self.code
        super().__init__(str(self.answer.get("message") or f"the daemon answered {status}"), code)


def finding_of(data: Mapping[str, Any]) -> Finding:
    """The finding that the API's JSON form stands for."""
    place = Place(str(data.get("file", "")), int(data.get("line") or 0), int(data.get("column") or 0))
    severity = Severity.WARNING if data.get("severity") == "warning" else Severity.ERROR
    return Finding(str(data.get("code", "")), place, str(data.get("text", "")), str(data.get("hint") or ""), severity)


def add_socket_argument(parser: ArgumentParser) -> None:
    """Declare `--socket PATH`, whose value `find_socket` completes."""
    parser.add_argument(
        "--socket",
        metavar="PATH",
        default=None,
        help=f"the daemon's socket (default: $RECONCILER_SOCKET, else {DEFAULT_SOCKET})",
    )


def find_socket(given: str | None = None) -> str:
    """The path of the daemon's socket: the given one, else the environment's, else the default."""
    return given or os.environ.get("RECONCILER_SOCKET") or DEFAULT_SOCKET


class Client:
    """One daemon. Each request has a connection of its own, and an answer within `timeout_s` or `ClientTimeout`."""

    def __init__(self, path: str | None = None, timeout_s: float = 10.0) -> None:
        self.path = find_socket(path)
        self.timeout_s = timeout_s

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Ask for something. Raises `ClientError`."""
        return self._exchange("GET", path, query, None)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask to do something. Raises `ClientError`; after `ClientTimeout` it may have been done."""
        return self._exchange("POST", path, None, dict(body or {}))

    def events(
        self,
        since: str | None = None,
        *,
        follow: bool = True,
        types: tuple[str, ...] = (),
        timeout_s: float | None = None,
        within_s: float | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The event stream, one event at a time; the signs of life between events are left out.

        `timeout_s` is the longest wait for the next event (None: the stream may be silent for ever); with `within_s` the
        waits for all events together take no longer than that. Ends when the daemon
        closes the stream. Raises `ClientTimeout`, and `ClientError` when the connection breaks.
        """
        query = {"follow": "1" if follow else "0"}
        if since is not None:
            query["since"] = since
        if types:
            query["types"] = ",".join(types)
        connection = _ClientConnection(self.path, self.timeout_s)
        try:
            connection.send("GET", "/v1/events", query, None)
            status = connection.read_head()
            if status != 200:
                raise _refusal(status, connection.read_body())
            yield from _parse_lines(connection, timeout_s, within_s)
        finally:
            connection.close()

    def _exchange(
        self, method: str, path: str, query: Mapping[str, str] | None, body: dict[str, Any] | None
    ) -> dict[str, Any]:
        connection = _ClientConnection(self.path, self.timeout_s)
        try:
            connection.send(method, path, query, body)
            status = connection.read_head()
            answer = connection.read_body()
        finally:
            connection.close()
        if status >= 400:
            raise _refusal(status, answer)
        return _parse_object(answer)


class _ClientConnection:
    """One connection with one deadline for all of an exchange; `patience` gives a stream a new one."""

    def __init__(self, path: str, timeout_s: float) -> None:
        self.path = path
        self.deadline: float | None = time.monotonic() + timeout_s
        self.buffer = b""
        self.chunked = False
        self.length: int | None = None
        self.socket = self._connect()

    def send(self, method: str, path: str, query: Mapping[str, str] | None, body: dict[str, Any] | None) -> None:
        """Send one request and tell that no other follows."""
        target = _target(path, query)
        content = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {target} HTTP/1.1", "Host: reconciler", "Connection: close", "Accept: application/json"]
        if body is not None:
            head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        data = memoryview("\r\n".join([*head, "", ""]).encode() + content)
        try:
            while data:
                self._arm()
                data = data[self.socket.send(data) :]
        except TimeoutError:
            raise self._late() from None
        except (BrokenPipeError, ConnectionResetError):
            return  # The daemon refused while we were still sending; its answer says why.
        except OSError as error:
            raise ClientError(f"send to {self.path}", "daemon") from error

    def read_head(self) -> int:
        """The status of the answer; afterwards the body can be read."""
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > _LARGEST_HEAD or not self._fill():
                raise ClientError(f"the daemon at {self.path} closed the connection without an answer", "daemon")
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise ClientError(f"what answers at {self.path} does not speak HTTP", "daemon")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        self.chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length", "")
        self.length = int(length) if length.isdigit() else None
        return int(words[1])

    def read_body(self) -> bytes:
        """The whole body."""
        if self.chunked:
            return b"".join(self.read_chunks())
        while self.length is None or len(self.buffer) < self.length:
            if len(self.buffer) > LARGEST_ANSWER:
                raise ClientError(f"the answer of {self.path} is larger than {LARGEST_ANSWER} bytes", "daemon")
            if not self._fill():
                if self.length is not None:
                    raise ClientError(f"the answer of {self.path} ended early", "daemon")
                break
        return self.buffer if self.length is None else self.buffer[: self.length]

    def read_chunks(self) -> Iterator[bytes]:
        """The parts of a chunked body as they come."""
        while True:
            size_text = self._read_line()
            try:
                size = int(size_text.split(b";")[0], 16)
            except ValueError:
                raise ClientError(f"the answer of {self.path} is broken", "daemon") from None
            if size == 0:
                return
            if size > LARGEST_ANSWER:
                raise ClientError(f"the answer of {self.path} is larger than {LARGEST_ANSWER} bytes", "daemon")
            while len(self.buffer) < size + 2:
                self._need()
            part, self.buffer = self.buffer[:size], self.buffer[size + 2 :]
            yield part

    def patience(self, timeout_s: float | None) -> None:
        """Set how long the next reads may take from now on."""
        self.deadline = None if timeout_s is None else time.monotonic() + timeout_s

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def _connect(self) -> socket.socket:
        """Connected, by the way that is kept free for root and the daemon's own user if this is one of them."""
        own = self.path + OWN
        if os.access(own, os.W_OK):
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                return self._connect_to(own)  # Without a listener it is left from a daemon that let others in, too.
        try:
            return self._connect_to(self.path)
        except FileNotFoundError:
            hint = "is the daemon running (reconciler run --config node.yaml)? --socket names another place"
            raise ClientError(f"there is no socket {self.path}: {hint}", "no-daemon") from None
        except ConnectionRefusedError:
            raise ClientError(f"nothing listens at {self.path}: the daemon is not running", "no-daemon") from None
        except PermissionError:
            hint = "run this as root, or let your user in under `api:` in the node's configuration"
            raise ClientError(f"no permission to use {self.path}: {hint}", "permission") from None
        except OSError as error:
            raise ClientError(f"connect to {self.path}", "no-daemon") from error

    def _connect_to(self, path: str) -> socket.socket:
        """Connected; as long as so many wait that nobody else may, which is no timeout yet, it is tried again."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            while True:
                connection.settimeout(max(self._left() or 0.001, 0.001))
                try:
                    connection.connect(path)
                except BlockingIOError:
                    if (self._left() or 0) <= 0:
                        text = f"too many wait for the daemon at {path}, and nothing was asked: try again"
                        raise ClientError(text, "busy") from None
                    time.sleep(_TRY_AGAIN_S)
                except TimeoutError:
                    raise self._late() from None
                else:
                    return connection
        except BaseException:
            connection.close()
            raise

    def _read_line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > _LARGEST_HEAD:
                raise ClientError(f"the answer of {self.path} is broken", "daemon")
            self._need()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def _need(self) -> None:
        if not self._fill():
            raise ClientError(f"the daemon at {self.path} closed the connection", "daemon")

    def _fill(self) -> bool:
        try:
            self._arm()
            data = self.socket.recv(262_144)
        except TimeoutError:
            raise self._late() from None
        except ConnectionResetError:
            return False
        except OSError as error:
            raise ClientError(f"read from {self.path}", "daemon") from error
        self.buffer += data
        return bool(data)

    def _arm(self) -> None:
        left = self._left()
        if left is not None and left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)

    def _left(self) -> float | None:
        return None if self.deadline is None else self.deadline - time.monotonic()

    def _late(self) -> ClientTimeout:
        return ClientTimeout(f"the daemon at {self.path} did not answer in time")


def _target(path: str, query: Mapping[str, str] | None) -> str:
    """A path and its parameters as a request names them."""
    if not query and path.isascii() and path.replace("/", "").isalnum():
        return path  # As most are, `status` among them; what quotes takes longer to load than all that is sent.
    from urllib.parse import quote, urlencode

    return quote(path) + (f"?{urlencode(query)}" if query else "")


def _parse_lines(
    connection: _ClientConnection, timeout_s: float | None, within_s: float | None
) -> Iterator[dict[str, Any]]:
    rest = b""
    connection.patience(timeout_s if within_s is None else within_s)
    for part in connection.read_chunks():
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > LARGEST_LINE:
            raise ClientError(f"an event of {connection.path} is larger than {LARGEST_LINE} bytes", "daemon")
        for line in lines:
            event = _parse_object(line)
            if event.get("type") != "alive":
                yield event
                if within_s is None:
                    connection.patience(timeout_s)


def _parse_object(data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ClientError("the daemon's answer is no JSON", "daemon") from error
    if not isinstance(answer, dict):
        raise ClientError("the daemon's answer is no JSON object", "daemon")
    return answer


def _refusal(status: int, body: bytes) -> ClientError:
    answer = _parse_object(body) if body.lstrip().startswith(b"{") else {}
    refused = Refused(status, answer)
    if status == 403:
        return ClientError(str(refused), "permission")
    return refused if status < 500 else ClientError(str(refused), "daemon")
