"""What a snapshot and records say, and what is made of those that say nothing, or something of another node or version."""

from __future__ import annotations

import base64
import json

import pytest

from reconciler.controller.envelope import Chunk, Envelope, parcels, seal, unseal
from reconciler.controller.installing import Installed
from reconciler.controller.journal import (
    ForeignStateError,
    NewerStateError,
    Record,
    UnusableSnapshotError,
    installed_record,
    message_record,
    prepared_record,
    promised_record,
    restore,
    skipped_record,
    snapshot_bytes,
    take_in_record,
)
from reconciler.controller.messages import Propose
from reconciler.controller.own import Own
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Prepared, Shared, chained
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration

PROPOSAL = seal(Envelope("", "v", "n1", Propose("c", None, "git", "s", False, 0)))


def written(**changes: object) -> bytes:
    whole = json.loads(snapshot_bytes(Replica("n1", replace(Shared(), term=4), Own(promised=6))))
    return json.dumps({name: value for name, value in (whole | changes).items() if value is not ...}).encode()


def test_a_snapshot_is_the_state() -> None:
    replica, unused = restore("n1", written(), ())
    assert (replica.term, replica.own.promised, unused) == (4, 6, [])
    assert snapshot_bytes(replica) == snapshot_bytes(restore("n1", snapshot_bytes(replica), ())[0])


@pytest.mark.parametrize(
    ("snapshot", "error", "text"),
    [
        (written(format=3), NewerStateError, "the state has format 3, and this version reads up to 2"),
        (written(format=0), UnusableSnapshotError, "its format is 0"),
        (written(format="2"), UnusableSnapshotError, "its format is '2'"),
        (written(format=...), UnusableSnapshotError, "its format is None"),
        (written(node="n2"), ForeignStateError, "the state is of the node 'n2', and this node is 'n1'"),
        (written(node=...), ForeignStateError, "the state is of the node None"),
        (written(shared=7), UnusableSnapshotError, ""),
        (b"[]", UnusableSnapshotError, "it is no JSON object"),
        (b"{", UnusableSnapshotError, ""),
    ],
)
def test_a_snapshot_of_another_node_version_or_of_nothing_is_not_read(
    snapshot: bytes, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        restore("n1", snapshot, ())
    assert text in str(raised.value)


def test_each_record_tells_what_was_heard() -> None:
    prepared = Prepared("digest", Configuration())
    installed = Installed("c", 7, ("n1",), "n1", True, {"n1": 1}, {"n1": "b"}, {"n1": "i"}, ("n1",))
    records = [
        message_record("n1", PROPOSAL),
        prepared_record("c", prepared),
        promised_record(9),
        skipped_record("n2", b"\x00 x"),
    ]
    replica, unused = restore("n1", None, records)
    assert unused == []
    assert replica.proposals["c"].proposer == "n1"
    assert (replica.own.prepared, replica.own.promised) == ({"c": prepared}, 9)
    live = Replica("n1")
    live.take_in("n1", PROPOSAL, unseal(PROPOSAL).message)
    live.shared = chained(live.shared, "n2", b"\x00 x", taken=False)
    assert replica.shared == live.shared, "also what was skipped is in the chain"
    take_in_record(replica, installed_record(installed))
    assert (replica.term, replica.shared.cluster, replica.shared.dc) == (7, "c", "n1")


def test_a_promise_is_never_of_less() -> None:
    assert restore("n1", None, [promised_record(9), promised_record(3)])[0].own.promised == 9


def pieces() -> list[bytes]:
    large = Propose("c", None, "git", "s", False, 0, allow=tuple(f"{number:0900d}" for number in range(3000)))
    data = list(parcels(Envelope("", "v", "n1", large)))
    assert isinstance(unseal(data[0]).message, Chunk)
    return data


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (message_record("n1", pieces()[0]), "a piece of a message is none"),
        (message_record("n1", b"{}"), ""),
        (Record("M", b"n1"), ""),
        (Record("T", b"many"), "invalid literal"),
        (Record("K", b"n1 x"), ""),
        (Record("I", b"{}"), ""),
        (Record("P", b"{}"), ""),
        (Record("X", b""), "kind 'X' is unknown"),
    ],
)
def test_a_record_that_can_not_be_used_ends_the_reading(record: Record, why: str) -> None:
    replica, (told,) = restore("n1", None, [promised_record(1), record, promised_record(3)])
    assert replica.own.promised == 1
    assert "record 1 of the journal can't be used" in told
    assert why in told


def test_what_a_newer_program_wrote_is_left_to_it() -> None:
    newer = json.loads(PROPOSAL)
    newer["v"] = 99
    with pytest.raises(NewerStateError, match="record 0 of the journal"):
        restore("n1", None, [message_record("n1", json.dumps(newer).encode())])


def test_what_was_skipped_is_kept_as_text_without_line_ends() -> None:
    record = skipped_record("n1", b"\n\xff")
    assert record.data == b"n1 " + base64.b64encode(b"\n\xff")
