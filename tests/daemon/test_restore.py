"""What the store holds becomes the state again; what this program can't use is kept, and never taken for nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cib.canonical import digest
from reconciler.cib.observations import transient
from reconciler.controller.envelope import Envelope, seal
from reconciler.controller.journal import (
    FORMAT,
    ForeignStateError,
    NewerStateError,
    Record,
    message_record,
    snapshot_bytes,
)
from reconciler.controller.messages import Joined
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Shared
from reconciler.daemon.restore import restore_state
from reconciler.daemon.store import Store

from .conftest import Node


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(str(tmp_path / "state"))
    yield made
    made.close()


def joined(term: int) -> Record:
    return message_record("n1", seal(Envelope("", "view", "n1", Joined("n1", term, "boot", (), (), 0))))


def state(term: int) -> bytes:
    return snapshot_bytes(Replica("n1", Shared(term=term)))


def changed(snapshot: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(snapshot), **fields}).encode()


def files(store: Store) -> dict[str, bytes]:
    """Everything stored, also what is in quarantine, by path."""
    root = Path(store.directory)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*-*") if path.is_file()}


@pytest.mark.parametrize(
    "unusable", [b"[]", b"{}", changed(state(9), shared=5), changed(state(9), format="1"), changed(state(9), own=None)]
)
def test_a_snapshot_that_means_nothing_is_set_aside_and_the_one_before_used(store: Store, unusable: bytes) -> None:
    store.begin(state(3))
    store.append(joined(3))
    store.begin(unusable)
    store.append(joined(4))
    replica, problems = restore_state("n1", store)
    assert replica.term == 5
    assert len(problems) == 1
    for _ in range(3):
        store.begin(snapshot_bytes(replica))
    assert any(unusable in data for path, data in files(store).items() if path.startswith("quarantine/snapshot-"))
    assert restore_state("n1", store)[0].term == 5


def test_a_state_of_a_newer_version_ends_the_daemon_and_stays_as_it_is(store: Store) -> None:
    store.begin(state(3))
    store.begin(changed(state(4), format=FORMAT + 1))
    before = files(store)
    with pytest.raises(NewerStateError, match=f"has format {FORMAT + 1}"):
        restore_state("n1", store)
    assert files(store) == before


def test_a_state_of_another_node_ends_the_daemon_and_stays_as_it_is(store: Store) -> None:
    store.begin(state(3))
    before = files(store)
    with pytest.raises(ForeignStateError):
        restore_state("n2", store)
    assert files(store) == before


def test_without_any_usable_generation_all_of_it_is_kept(store: Store) -> None:
    for number in range(2):
        store.begin(b'{"generation":%d}' % number)
        store.append(joined(number))
    kept = sorted(files(store).values())
    replica, problems = restore_state("n1", store)
    assert (replica.term, len(problems)) == (0, 4)
    for _ in range(3):
        store.begin(snapshot_bytes(replica))
    quarantined = [data for path, data in files(store).items() if path.startswith("quarantine/")]
    assert sorted(quarantined) == kept


@pytest.mark.parametrize("bad", [Record("X", b""), Record("M", b"n1 {}"), Record("P", b"[]"), Record("P", b"{}")])
def test_a_journal_that_cannot_be_used_to_its_end_is_kept(store: Store, bad: Record) -> None:
    store.begin(state(3))
    store.append(joined(3))
    store.append(bad)
    store.append(joined(4))
    replica, problems = restore_state("n1", store)
    assert (replica.term, len(problems)) == (4, 2)
    assert restore_state("n1", store)[0].term == 4, "a crash before the next generation changes nothing"
    for _ in range(3):
        store.begin(snapshot_bytes(replica))
    assert any(bad.data in data for path, data in files(store).items() if path.startswith("quarantine/journal-"))


def test_the_daemon_does_not_start_on_a_newer_state(node: Node) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    node.stop()
    opened = Store(str(node.path / "state"))
    snapshot = opened.read().snapshot
    assert snapshot is not None
    opened.begin(changed(snapshot, format=FORMAT + 1))
    opened.close()
    with pytest.raises(AssertionError, match="the state has format"):
        node.start()
    assert node.running.wait(5) == 1
    assert node.states() == {"a": "1"}


FORMATS = Path(__file__).parent / "stores"
"""A store of each released format, as that version wrote it, and what it stands for (`expected.json`)."""


@pytest.mark.parametrize("written", sorted(FORMATS.iterdir()), ids=lambda path: path.name)
def test_a_store_of_a_former_format_is_read(tmp_path: Path, written: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    for file in written.glob("*-*"):
        shutil.copy(file, directory)
    opened = Store(str(directory))
    replica, problems = restore_state("n1", opened)
    opened.close()
    assert problems == []
    assert _told(replica) == json.loads((written / "expected.json").read_bytes())


def _told(replica: Replica) -> dict[str, object]:
    """What a store stands for, in words that no format is made of."""
    (state,) = replica.cib.status.nodes
    return {
        "term": replica.term,
        "commit": replica.commit,
        "transition": replica.shared.transition,
        "version": str(replica.cib.version),
        "digest": replica.digest,
        "activations": [activation.commit for activation in replica.activations],
        "proposals": sorted(replica.proposals),
        "prepared": {commit: digest(prepared.configuration) for commit, prepared in replica.own.prepared.items()},
        "boots": replica.shared.boots,
        "started": {
            name: [
                launched.task,
                {key: value for key, value in launched.attributes.items() if not key.startswith("CRM_meta_")},
            ]
            for name, launched in replica.memory.started.items()
        },
        "asked": sorted(replica.memory.asked),
        "history": {
            history.id: {
                entry.id: [entry.attributes.get(key) for key in ("rc-code", "op-status", "call-id")]
                for entry in history.entries
            }
            for history in state.history
        },
        "transient": transient(state),
        "node": state.attributes,
    }
