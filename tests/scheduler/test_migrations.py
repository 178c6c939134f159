"""Live migrations as histories tell them. Every row was checked against the reference program."""

from __future__ import annotations

import pytest
from histories import cib, entry, history, primitive, read, shown, state

from reconciler.model.status import HistoryEntry
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.working.cluster import Cluster

N1_TO_N2 = {"migrate_source": "n1", "migrate_target": "n2"}

SENT = entry("migrate_to", call=5, on_node="n1", **N1_TO_N2)
NOT_SENT = entry("migrate_to", 1, call=5, on_node="n1", **N1_TO_N2)
STOPPED_N1 = entry("stop", call=6, age_s=500, on_node="n1")
STARTED_N1 = entry("start", call=6, age_s=500, on_node="n1")
PROBED_N1 = entry("monitor", 7, call=2, age_s=2000, on_node="n1")
WATCHED_N1 = entry("monitor", call=6, interval_ms=10_000, age_s=500, on_node="n1")

ARRIVED = entry("migrate_from", call=5, on_node="n2", **N1_TO_N2)
NOT_ARRIVED = entry("migrate_from", 1, call=5, on_node="n2", **N1_TO_N2)
ARRIVING = entry("migrate_from", 193, -1, call=-1, transition=6, on_node="n2", **N1_TO_N2)
PROBED_BEFORE = entry("monitor", 7, call=2, age_s=2000, on_node="n2")
PROBED_AFTER = entry("monitor", 7, call=9, age_s=500, on_node="n2")
PROBED_AGAIN = entry("monitor", 7, call=10, age_s=400, on_node="n2")
STOPPED_N2 = entry("stop", call=7, age_s=400, on_node="n2")
WATCHED_N2 = entry("monitor", call=7, interval_ms=10_000, age_s=400, on_node="n2")


def after(source: tuple[HistoryEntry, ...], target: tuple[HistoryEntry, ...], **n2: str) -> Cluster:
    states = [state("n1", history(*source)), state("n2", history(*target), **n2)]
    return read(cib(primitive("A", {"allow-migrate": "true"}), states=states))


SUCCEEDED = [
    pytest.param((SENT,), (ARRIVED,), "Started n2", id="sent and arrived: it is on the target"),
    pytest.param((SENT, STOPPED_N1), (ARRIVED,), "Started n2", id="and stopped at the source, as it should be"),
    pytest.param((SENT,), (), "Started n1", id="sent to a node that remembers nothing: it is where it was"),
    pytest.param((SENT, STOPPED_N1), (), "Stopped", id="and not even there when it was stopped since"),
    pytest.param((SENT, STARTED_N1), (), "Started n1", id="or is when it was started since"),
    pytest.param((SENT,), (PROBED_BEFORE,), "Started n2 n1", id="the target may know nothing of it yet: on both"),
    pytest.param(
        (SENT,), (PROBED_AFTER,), "FAILED Started n1", id="the target knows it isn't there: the migration failed"
    ),
    pytest.param((SENT, STARTED_N1), (PROBED_BEFORE,), "Started n2 n1", id="started again at the source: on both"),
    pytest.param((SENT, WATCHED_N1), (PROBED_BEFORE,), "Started n2 n1", id="a monitor at the source changes nothing"),
    pytest.param((SENT, STOPPED_N1), (PROBED_BEFORE,), "Started n2", id="stopped at the source, so on the target"),
    pytest.param((SENT,), (ARRIVING,), "Started n1", id="arriving, as far as anybody knows"),
    pytest.param((SENT,), (PROBED_BEFORE, ARRIVING), "Started n2 n1", id="arriving: on both"),
]


@pytest.mark.parametrize(("source", "target", "expected"), SUCCEEDED)
def test_a_migration_that_was_sent(
    source: tuple[HistoryEntry, ...], target: tuple[HistoryEntry, ...], expected: str
) -> None:
    assert shown(after(source, target)) == expected


FAILED = [
    pytest.param((NOT_SENT,), (), "FAILED Started n1", id="not sent to a node that remembers nothing"),
    pytest.param((NOT_SENT,), (PROBED_BEFORE,), "FAILED Started n2 n1", id="it may have arrived nevertheless"),
    pytest.param((NOT_SENT,), (PROBED_AFTER,), "FAILED Started n1", id="unless the target knows better"),
    pytest.param((NOT_SENT,), (PROBED_AFTER, PROBED_AGAIN), "FAILED Started n2 n1", id="only one probe is understood"),
    pytest.param((NOT_SENT, STOPPED_N1), (), "Stopped", id="stopped since"),
    pytest.param((), (NOT_ARRIVED,), "FAILED Started n2", id="not arrived, from a node that remembers nothing"),
    pytest.param((SENT,), (NOT_ARRIVED,), "FAILED Started n2 n1", id="sent and not arrived: maybe on both"),
    pytest.param((SENT, STOPPED_N1), (NOT_ARRIVED,), "FAILED Started n2", id="stopped at the source since"),
    pytest.param((PROBED_N1,), (NOT_ARRIVED,), "FAILED Started n1 n2", id="the source knew nothing of it before"),
    pytest.param((SENT,), (NOT_ARRIVED, STOPPED_N2), "FAILED Started n1", id="stopped on the target since"),
    pytest.param((SENT,), (NOT_ARRIVED, PROBED_AFTER), "FAILED Started n1", id="found stopped on the target since"),
    pytest.param((SENT,), (NOT_ARRIVED, WATCHED_N2), "FAILED Started n2 n1", id="found running on the target since"),
]


@pytest.mark.parametrize(("source", "target", "expected"), FAILED)
def test_a_migration_that_failed(
    source: tuple[HistoryEntry, ...], target: tuple[HistoryEntry, ...], expected: str
) -> None:
    assert shown(after(source, target)) == expected


def test_what_was_sent_and_has_arrived_has_to_be_stopped_at_the_source() -> None:
    resource = find(after((SENT,), (ARRIVED,)), "A")
    assert resource is not None
    assert [node.name for node in resource.found.dangling] == ["n1"]


def test_a_migration_half_done_is_remembered() -> None:
    resource = find(after((SENT,), (PROBED_BEFORE,)), "A")
    assert resource is not None
    assert (resource.found.partial_source and resource.found.partial_source.name) == "n1"
    assert (resource.found.partial_target and resource.found.partial_target.name) == "n2"


def test_what_was_sent_to_a_node_that_is_gone_failed_and_does_not_migrate_again() -> None:
    gone = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"}
    resource = find(after((SENT,), (PROBED_BEFORE,), **gone), "A")
    assert resource is not None
    assert (resource.found.failed, resource.may_migrate, [node.name for node in resource.found.active_on]) == (
        True,
        False,
        ["n1"],
    )


def test_names_that_do_not_fit_the_node_say_nothing() -> None:
    foreign = entry("migrate_to", migrate_source="n3", migrate_target="n2")
    assert shown(after((entry("start"), foreign), (PROBED_BEFORE,))) == "Started n1"
