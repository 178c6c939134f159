"""The API: who may ask what, bounds, and answers to what is no request."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from machine import needs_root

from reconciler.cli.node.client import Client, ClientError, ClientTimeout, Refused

from .conftest import Node


def raw(node: Node, data: bytes, *, finish: bool = False, seconds: float = 5) -> bytes:
    """What the daemon answers to these bytes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(node.client.path)
        try:
            connection.sendall(data)
            if finish:
                connection.shutdown(socket.SHUT_WR)
        except BrokenPipeError:
            pass  # It answered before it had everything.
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory):
    """One daemon for all tests that change nothing."""
    node = Node(tmp_path_factory.mktemp("node"))
    node.start()
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    yield node
    node.stop()


def test_only_who_is_known_and_away_is_confirmed_to_be_off(shared: Node) -> None:
    for body, code in [
        ({"node": "n9", "operator": "ann"}, "unknown-node"),
        ({"node": "n1", "operator": "ann"}, "node-takes-part"),
        ({"node": "n1"}, "bad-operator"),
        ({"node": "n1", "operator": "a\nb"}, "bad-operator"),
    ]:
        with pytest.raises(Refused) as refused:
            shared.client.post("/v1/fencing/confirm", body)
        assert refused.value.reason == code


def test_why_a_node_is_not_fenced_is_told(shared: Node) -> None:
    for body, code in [
        ({"node": "n9", "operator": "ann"}, "unknown-node"),
        ({"node": "n1", "operator": "ann", "action": "on"}, "bad-action"),
        ({"node": "n1", "operator": "ann\n"}, "bad-operator"),
        ({"node": "n1", "operator": "ann", "only_check": "no"}, "bad-request"),
        ({"node": "n1", "operator": "ann", "only_check": True}, "fencing-off"),
    ]:
        with pytest.raises(Refused) as refused:
            shared.client.post("/v1/fencing/fence", body)
        assert refused.value.reason == code


def test_who_names_a_wrong_node_is_told_the_nodes(shared: Node) -> None:
    with pytest.raises(Refused, match="there is no node 'n9' that could be fenced; there are: n1 "):
        shared.client.post("/v1/fencing/fence", {"node": "n9", "operator": "ann"})


def test_what_is_switched_off_is_called_as_the_configuration_calls_it(shared: Node) -> None:
    with pytest.raises(Refused, match="`fencing-enabled` is false"):
        shared.client.post("/v1/fencing/fence", {"node": "n1", "operator": "ann"})


def test_every_document_can_be_read(shared: Node) -> None:
    client = shared.client
    assert client.get("/v1/health")["node"] == "n1"
    status = client.get("/v1/status")
    assert status["counts"] == {
        "resources": 1,
        "running": 1,
        "failed": 0,
        "blocked": 0,
        "disabled": 0,
        "wanted": 1,
        "down": 0,
    }
    (resource,) = status["resources"]
    assert (resource["role"], resource["nodes"], resource["last"]["operation"]) == ("Started", ["n1"], "monitor")
    assert resource["since_at"] <= time.time()
    cib = client.get("/v1/cib")
    assert cib["commit"] == status["active"]["commit"]
    assert client.get("/v1/files")["files"] == {"site.yaml": shared.configuration({"a": "1"})}
    assert client.get("/v1/files", {"version": "0.1.0"})["commit"] == cib["commit"]
    metrics = client.get("/v1/metrics")
    assert metrics["counters"]["agent_calls"] >= 3
    held = {name: metrics["gauges"][name] for name in ("connections", "streams", "bytes_in_requests_and_answers")}
    assert held == {"connections": 1, "streams": 0, "bytes_in_requests_and_answers": 0}
    assert client.get("/v1/history", {"limit": "1"})["entries"][0]["active"] is True
    assert client.get("/v1/fencing", {"node": "n1"}) == {"records": [], "history": []}


def test_the_cib_is_enough_to_plan_from(shared: Node) -> None:
    from reconciler.cib import Cib
    from reconciler.cib.canonical import from_json
    from reconciler.controller.members import with_members
    from reconciler.model.date import Instant
    from reconciler.scheduler import schedule

    cib = from_json(Cib, shared.client.get("/v1/cib")["cib"])
    assert schedule(with_members(cib), Instant(int(time.time()))).empty


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v2/status", None, 404, "unknown-path"),
        ("GET", "/v1/../etc/passwd", None, 404, "unknown-path"),
        ("POST", "/v1/status", {}, 405, "wrong-method"),
        ("GET", "/v1/proposals", None, 405, "wrong-method"),
        ("GET", "/v1/files?commit=deadbeef", None, 404, "unknown-commit"),
        ("GET", f"/v1/files?commit={'0' * 40}", None, 422, "missing-object"),
        ("GET", "/v1/history?limit=0", None, 400, "bad-request"),
        ("GET", f"/v1/history?limit={'1' * 5000}", None, 400, "bad-request"),
        ("GET", "/v1/status?x", None, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": 5}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"fils": {}}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "base": None}, 409, "stale-base"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "base_version": "0.0.1"}, 409, "stale-state"),
        ("POST", "/v1/proposals", {"files": {"../a.yaml": ""}}, 422, "invalid"),
        ("POST", "/v1/proposals", {"files": {"/a.yaml": ""}}, 422, "invalid"),
        ("POST", "/v1/proposals", {"files": {"a/.git/b.yaml": ""}}, 422, "invalid"),
        ("POST", "/v1/proposals", {"files": {"a.txt": ""}}, 422, "invalid"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "author": "x\n<y>"}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "allow": ["everything"]}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "author": "x\r <y>"}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "allow": [["rewrite"]]}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "allow": "rewrite"}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": 5}}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": "\ud800"}}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"\udfff.yaml": ""}}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "message": "\udc80"}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "message": "a\0b"}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "message": {}}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "base": ["x"]}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": {"a.yaml": ""}, "base_version": 1}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"commit": 5}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"commit": None}, 404, "unknown-commit"),
        ("POST", "/v1/proposals", {"\ud800": 1}, 400, "bad-request"),
        ("POST", "/v1/proposals", {"files": float("nan")}, 400, "bad-request"),
        ("POST", "/v1/rollback", {"to": ["0.9.0"]}, 400, "bad-request"),
        ("POST", "/v1/rollback", {"to": 1.5}, 400, "bad-request"),
        ("POST", "/v1/sources/fetch", {"source": ["here"]}, 400, "bad-request"),
        ("POST", "/v1/sources/fetch", {"source": {}}, 400, "bad-request"),
        ("POST", "/v1/refresh", {"resource": [[]]}, 400, "bad-request"),
        ("POST", "/v1/shutdown", {"resources": "no"}, 400, "bad-request"),
        ("POST", "/v1/rollback", {}, 409, "no-earlier-version"),
        ("POST", "/v1/rollback", {"to": "0.9.0"}, 404, "unknown-commit"),
        ("POST", "/v1/sources/fetch", {"source": "nowhere"}, 404, "unknown-source"),
        ("POST", "/v1/resources/nothing/cleanup", {}, 404, "unknown-resource"),
        ("POST", "/v1/refresh", {"resource": "nothing"}, 404, "unknown-resource"),
    ],
)
def test_what_is_wrong_is_refused_with_a_code(shared: Node, method, path, body, status, code) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
    head, _, answer = raw(shared, request).partition(b"\r\n\r\n")
    assert (int(head.split()[1]), json.loads(answer)["error"]["code"]) == (status, code)
    assert "Traceback" not in shared.daemon_log()


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/proposals HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n[[[[[",
        b"POST /v1/proposals HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /v1/proposals HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/proposals HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000,
        b"POST /v1/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n{\x00}\x00",
        b'POST /v1/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\n\r\n{"resource": "\xed\xa0\x80"}',
        b"",
        b"\x00" * 1000,
    ],
    ids=range(12),
)
def test_what_is_no_request_harms_nobody(shared: Node, data: bytes) -> None:
    answer = raw(shared, data, finish=True)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert shared.client.get("/v1/health")["ok"] is True


def test_a_request_that_never_ends_is_given_up_and_others_are_served(shared: Node) -> None:
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(20)]
    for connection in idle:
        connection.connect(shared.client.path)
        connection.sendall(b"GET /v1/sta")
    assert shared.client.get("/v1/health")["ok"] is True
    for connection in idle:
        connection.close()


def test_too_many_connections_are_turned_away_and_others_served_afterwards(shared: Node) -> None:
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(200)]
    for connection in idle:
        connection.connect(shared.client.path)
    for connection in idle:
        connection.close()
    shared.wait(shared.answers, "it answers again")


def test_a_follower_that_does_not_read_does_not_hold_up_the_node(shared: Node) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(shared.client.path)
        connection.sendall(b"GET /v1/events?since=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        shared.client.post("/v1/refresh", {})
        shared.wait(lambda: shared.client.get("/v1/health")["converged"], "rest")


def test_events_can_be_followed_from_a_cursor_and_a_foreign_one_is_a_gap(shared: Node) -> None:
    everything = list(shared.client.events(since="0", follow=False))
    cursor = everything[2]["cursor"]
    assert list(shared.client.events(since=cursor, follow=False)) == everything[3:]
    assert next(iter(shared.client.events(since="other-5", follow=False)))["type"] == "gap"
    run = cursor.rpartition("-")[0]
    assert next(iter(shared.client.events(since=f"{run}-{'1' * 5000}", follow=False)))["type"] == "gap"
    only = list(shared.client.events(since="0", follow=False, types=("activated",)))
    assert {event["type"] for event in only} == {"activated"}
    with pytest.raises(ClientTimeout):
        next(shared.client.events(since=everything[-1]["cursor"], timeout_s=0.2))


def test_the_client_says_what_is_wrong(shared: Node, tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="there is no socket") as missing:
        Client(str(tmp_path / "no.sock")).get("/v1/health")
    assert missing.value.code == "no-daemon"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(ClientError, match="nothing listens") as refused:
        Client(str(tmp_path / "dead.sock")).get("/v1/health")
    assert refused.value.code == "no-daemon"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        with pytest.raises(ClientTimeout):
            Client(str(tmp_path / "silent.sock"), timeout_s=0.2).get("/v1/health")
    with pytest.raises(Refused) as invalid:
        shared.client.post("/v1/proposals", {"files": {"../x.yaml": ""}})
    assert (invalid.value.status, invalid.value.reason) == (422, "invalid")
    assert invalid.value.findings[0].code == "bad-path"


def ask_as(user: int, node: Node, method: str, path: str) -> str:
    """What another user is told."""
    script = f"""
    import os, sys
    sys.path[:0] = {sys.path!r}
    from reconciler.cli.node.client import Client, ClientError
    os.setgroups([]); os.setgid({user}); os.setuid({user})
    try:
        Client({node.client.path!r}).{method}({path!r})
        print("answered")
    except ClientError as error:
        print(error.code)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, cwd="/")
    return done.stdout.strip() or done.stderr


@needs_root
def test_others_are_let_in_only_as_configured(open_node: Node) -> None:
    node = open_node
    node.start()
    assert ask_as(4001, node, "get", "/v1/health") == "permission"
    node.stop()
    node.extra = "api: {read: {users: [4001]}, write: {groups: [4002]}}"
    node.start()
    assert ask_as(4001, node, "get", "/v1/health") == "answered"
    assert ask_as(4001, node, "post", "/v1/refresh") == "permission"
    assert ask_as(4002, node, "post", "/v1/refresh") == "answered"
    assert ask_as(4002, node, "get", "/v1/health") == "answered"
    assert ask_as(4003, node, "get", "/v1/health") == "permission"
