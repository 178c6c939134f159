"""What the first release wrote reads as what it meant; a whole store of it is tried in tests/daemon."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.analysis.recording import Launched
from reconciler.cib.observations import (
    AttributeRaised,
    AttributeSet,
    EntryForgotten,
    HistoryForgotten,
    NodeObserved,
    Observation,
    Recorded,
    ResourceForgotten,
)
from reconciler.controller.envelope import Chunk, unseal
from reconciler.controller.journal import UnusableSnapshotError, restore, snapshot_bytes
from reconciler.controller.messages import (
    Activate,
    AgentOrder,
    Cleanup,
    Message,
    MessageError,
    Observe,
    Reject,
    Reported,
    Run,
)
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Proposal, Shared
from reconciler.errors import Finding, Place
from reconciler.model.resource import Agent
from reconciler.model.status import HistoryEntry


def test_what_was_proposed_is_still_examined() -> None:
    written = json.loads(snapshot_bytes(Replica("n1", Shared())))
    proposal = {
        "commit": "c1", "base": None, "source": "git", "subject": "s", "rewrite": False, "proposer": "n1",
        "answers": {"n1": "digest"},
    }  # fmt: skip
    former = {"format": 1, "node": "n1", "memory": {}, "prepared": {}, **written["shared"], "proposals": [proposal]}
    replica, unused = restore("n1", json.dumps(former).encode(), ())
    assert unused == []
    assert replica.shared.proposals == {"c1": Proposal("c1", None, "git", "s", False, "n1", {"n1": "digest"})}


@pytest.mark.parametrize("proposal", ["c1", None, {"base": "c0"}, {"commit": ["c1"]}])
def test_a_proposal_that_is_none_is_not_left_out_but_the_snapshot_refused(proposal: object) -> None:
    written = json.loads(snapshot_bytes(Replica("n1", Shared())))
    former = {"format": 1, "node": "n1", "memory": {}, "prepared": {}, **written["shared"], "proposals": [proposal]}
    with pytest.raises(UnusableSnapshotError, match="proposals"):
        restore("n1", json.dumps(former).encode(), ())


# Messages


def read(kind: str, **fields: Any) -> Message | Chunk:
    """A message as the first format wrote it."""
    return unseal(json.dumps({"v": 1, "is": kind, **fields}).encode()).message


LAUNCHED = {
    "resource": "a", "task": "start", "node": "n1", "node_id": "1", "agent": ["ocf", "reconciler", "Dummy"],
    "key": "1:2:0:run", "target": 7, "interval": 10_000, "fatal": False,
}  # fmt: skip
READ = Launched(
    "a", "start", "n1", "1", Agent("ocf", "Dummy", "reconciler"), "1:2:0:run", target_rc=7, interval_ms=10_000,
    start_failure_is_fatal=False,
)  # fmt: skip


def test_times_were_written_without_their_units() -> None:
    assert read("Cleanup", resources=["a"], at=5) == Cleanup(("a",), 5)
    assert read("Activate", commit="c", epoch=2, digest="d", at=5, term=1) == Activate("c", 2, "d", 5, 1)


def test_a_refusal_had_its_findings_flat_and_a_reason_of_its_own() -> None:
    found = {"code": "x", "text": "bad", "file": "a.yaml", "line": 3, "column": 4}
    told = read("Reject", commit="c", reason="no", findings=[found], term=1, at=5)
    assert told == Reject("c", "no", (Finding("x", Place("a.yaml", 3, 4), "bad"),), 1, 5)


def test_orders_were_of_no_term() -> None:
    told = read("Run", transition=9, orders=[{"action": 3, "timeout": 20_000, "launched": LAUNCHED}], at=5)
    assert told == Run(0, 9, (AgentOrder(3, 20_000, READ),), 5)


def test_a_result_had_other_names() -> None:
    told = read(
        "Reported", transition=9, action=3, resource="a", task="start", interval=10_000, node="n1", rc=1, status=0,
        failed=True, reason="because", execution=7, observations=[["raise", "n1", "x"]], at=5,
    )  # fmt: skip
    seen = (AttributeRaised("n1", "x"),)
    assert told == Reported(0, 9, 3, "a", "start", 10_000, "n1", 1, 0, True, "because", 7, seen, 5)


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (
            ["entry", "n1", "a", {"class": "ocf"}, "a_last_0", {"rc-code": "0"}],
            Recorded("n1", "a", {"class": "ocf"}, HistoryEntry("a_last_0", {"rc-code": "0"})),
        ),
        (["forget-entry", "n1", "a", "a_last_0"], EntryForgotten("n1", "a", "a_last_0")),
        (["forget", "n1", "a"], ResourceForgotten("n1", "a")),
        (["forget-all", "n1", True], HistoryForgotten("n1", attributes=True)),
        (["set", "n1", "x", None], AttributeSet("n1", "x", None)),
        (["raise", "n1", "x"], AttributeRaised("n1", "x")),
        (["node", "1", "n1", {"in_ccm": "true"}], NodeObserved("1", "n1", {"in_ccm": "true"})),
    ],
)
def test_observations_were_rows(written: list[Any], seen: Observation) -> None:
    assert read("Observe", observations=[written], why="w", at=5) == Observe((seen,), "w", 5)


@pytest.mark.parametrize(
    "fields",
    [
        {"observations": [["set", "n1", "x"]]},
        {"observations": [["nothing", "n1"]]},
        {"observations": [[7, "n1"]]},
        {"observations": ["set"]},
        {"observations": 7},
        {"observations": None},
    ],
    ids=["a part too few", "no row there was", "no name", "no row", "no list", "none"],
)
def test_what_that_format_never_wrote_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        read("Observe", why="w", at=5, **fields)


@pytest.mark.parametrize("orders", [7, [7], [{"action": 1, "timeout": 5, "launched": 7}]])
def test_orders_that_are_none_are_refused(orders: object) -> None:
    with pytest.raises(MessageError):
        read("Run", transition=9, orders=orders, at=5)


@pytest.mark.parametrize("findings", [7, [7], None])
def test_findings_that_are_none_are_refused(findings: object) -> None:
    with pytest.raises(MessageError):
        read("Reject", commit="c", reason="no", findings=findings, term=1, at=5)


# Snapshots


def test_what_was_started_is_stopped_with_the_parameters_that_it_had() -> None:
    written = json.loads(snapshot_bytes(Replica("n1", Shared(commit="c"))))
    former = {"format": 1, "node": "n1", "memory": {"a": LAUNCHED}, "prepared": {}, **written["shared"]}
    replica, _ = restore("n1", json.dumps(former).encode(), ())
    assert replica.memory.started == {"a": READ}
    assert replica.commit == "c"


def test_who_was_the_dc_then_says_nothing_of_now() -> None:
    written = json.loads(snapshot_bytes(Replica("n1", Shared(commit="c"))))
    cib = {"dc_id": "n1", "have_quorum": True, "feature_set": "3"}
    former = {"format": 1, "node": "n1", "memory": {}, "prepared": {}, **written["shared"], "cib": cib}
    replica, _ = restore("n1", json.dumps(former).encode(), ())
    assert replica.shared.cib.feature_set == "3"
    assert (replica.shared.cib.dc_id, replica.shared.cib.have_quorum) == (None, False)


@pytest.mark.parametrize(
    "changes", [{"memory": 7}, {"memory": {"a": 7}}, {"proposals": 7}, {"cib": 7}, {"prepared": 7}]
)
def test_a_snapshot_that_format_never_wrote_is_refused(changes: dict[str, Any]) -> None:
    written = json.loads(snapshot_bytes(Replica("n1", Shared())))
    former = {"format": 1, "node": "n1", "memory": {}, "prepared": {}, **written["shared"], **changes}
    with pytest.raises(UnusableSnapshotError):
        restore("n1", json.dumps(former).encode(), ())
