"""Following a proposal: how it ends, by what a node tells and by what it does not."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.node.client import Client
from reconciler.cli.planning.proposal import FAILED, TIMED_OUT, ProposalEnd, follow

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWER = {"proposal": "p", "commit": "c" * 40, "cursor": "1-1"}
ACTIVE = {"type": "activated", "proposal": "p", "commit": "c" * 40, "version": "0.1.0"}
CONFIRMED = {"type": "confirmed", "proposal": "p", "commit": "c" * 40, "by": ["n1", "n2"], "votes": 2, "of": 3}
AT_REST = {"type": "converged", "problems": []}


@contextmanager
def telling(path: Path, events: list[dict[str, Any]], pause_s: float = 0.0) -> Iterator[Client]:
    """A node that tells the events, with a pause before each, and then nothing for ever."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path / "s"))
    server.listen()
    over = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(HEAD)
            for event in events:
                over.wait(pause_s)
                line = json.dumps(event).encode() + b"\n"
                connection.sendall(b"%x\r\n%s\r\n" % (len(line), line))
            over.wait(20)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Client(str(path / "s"))
    finally:
        over.set()
        thread.join()
        server.close()


def followed(
    path: Path,
    *events: dict[str, Any],
    timeout_s: float = 5.0,
    pause_s: float = 0.0,
    before: frozenset[str] = frozenset(),
) -> ProposalEnd:
    with telling(path, list(events), pause_s) as client:
        return follow(client, ANSWER, timeout_s, lambda event: None, before)


@pytest.mark.parametrize("order", [(AT_REST, ACTIVE, CONFIRMED, AT_REST), (ACTIVE, AT_REST, CONFIRMED)])
def test_active_confirmed_and_at_rest_is_success(tmp_path: Path, order: tuple[dict[str, Any], ...]) -> None:
    found = followed(tmp_path, *order)
    assert (found.exit_code, found.text) == (0, "cccccccccccc is active, and the cluster is at rest")


def test_at_rest_with_problems_is_a_failure(tmp_path: Path) -> None:
    failed = {"type": "converged", "problems": [{"resource": "a", "text": "it failed"}]}
    found = followed(tmp_path, ACTIVE, CONFIRMED, failed)
    assert (found.exit_code, found.problems) == (FAILED, ("a: it failed",))


def test_an_old_problem_is_told_and_is_no_failure_of_what_is_applied(tmp_path: Path) -> None:
    rest = {"type": "converged", "problems": [{"resource": "a", "text": "it failed"}]}
    old = frozenset({"a: it failed"})
    (tmp_path / "again").mkdir()
    found = followed(tmp_path, ACTIVE, CONFIRMED, rest, before=old)
    assert (found.exit_code, found.problems) == (0, ("a: it failed",))
    assert found.text.endswith("with the problems that it had before")
    again = followed(
        tmp_path / "again", ACTIVE, {"type": "action_failed", "resource": "a"}, CONFIRMED, rest, before=old
    )
    assert again.exit_code == FAILED, "it failed again, under the new one"


def test_a_rejection_is_a_failure_with_its_findings(tmp_path: Path) -> None:
    finding = {"file": "a.yaml", "line": 1, "column": 2, "text": "wrong", "code": "x"}
    other = {"type": "rejected", "proposal": "q", "by": "n2", "reason": "another's", "findings": []}
    mine = {"type": "rejected", "proposal": "p", "by": "n1", "reason": "no", "findings": [finding]}
    found = followed(tmp_path, other, mine)
    assert (found.exit_code, found.problems) == (FAILED, ("a.yaml:1:2: wrong [x]",))
    assert "rejected by n1: no" in found.text


def test_a_finding_is_told_with_what_is_known_of_its_place_and_with_its_hint(tmp_path: Path) -> None:
    findings = [
        {"file": "", "line": 0, "column": 0, "text": "no signature", "code": "unsigned", "hint": "sign the commit"},
        {"file": "a.yaml", "line": 0, "column": 0, "text": "too large", "code": "file-too-large", "hint": ""},
        {"file": "a.yaml", "line": 3, "column": 0, "text": "odd", "code": "x", "hint": "did you mean 'even'?"},
    ]
    found = followed(tmp_path, {"type": "rejected", "proposal": "p", "by": "n1", "reason": "no", "findings": findings})
    assert found.problems == (
        "no signature (sign the commit) [unsigned]",
        "a.yaml: too large [file-too-large]",
        "a.yaml:3: odd (did you mean 'even'?) [x]",
    )


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([ACTIVE, CONFIRMED], "is active, but the cluster has not come to rest"),
        ([ACTIVE, {**CONFIRMED, "proposal": "q"}, AT_REST], "is active here, but may be lost"),
        ([ACTIVE, AT_REST], "is active here, but may be lost"),
        ([], "was not activated"),
    ],
)
def test_silence_is_a_timeout_that_says_what_was_reached(
    tmp_path: Path, events: list[dict[str, Any]], text: str
) -> None:
    found = followed(tmp_path, *events, timeout_s=0.2)
    assert found.exit_code == TIMED_OUT
    assert text in found.text


def test_events_that_go_on_do_not_prolong_the_time(tmp_path: Path) -> None:
    began = time.monotonic()
    chatter = {"type": "source", "source": "x"}
    found = followed(tmp_path, chatter, chatter, timeout_s=2.0, pause_s=0.9)
    assert found.exit_code == TIMED_OUT
    assert time.monotonic() - began < 3.6, "2 s after the second event it would be 3.8 s"


def test_what_is_active_already_is_not_followed(tmp_path: Path) -> None:
    found = follow(Client(str(tmp_path / "none")), {"proposal": None, "commit": "c" * 40}, 5, lambda event: None)
    assert (found.exit_code, found.text) == (0, "cccccccccccc is the active configuration already")
