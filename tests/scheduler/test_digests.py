"""Digests: what their text is made of, and what a difference means."""

from __future__ import annotations

import pytest
from histories import DUMMY, cib, entry, read
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.attributes import plain
from reconciler.model.resource import Operation, Primitive
from reconciler.model.status import HistoryEntry
from reconciler.scheduler.digest import NO_PARAMETERS, digest, escape
from reconciler.scheduler.evaluating.digests import DigestVerdict, calculate, compare
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.resource import Resource

WITH_TIMEOUT = "4811cef7f7f94e3a35a70be7916cb2fd"


def cluster_with(params: dict[str, str], *operations: Operation) -> tuple[Cluster, Resource]:
    cluster = read(cib(Primitive("A", DUMMY, params=plain(params), operations=operations)))
    resource = find(cluster, "A")
    assert resource is not None
    return cluster, resource


def test_no_parameters() -> None:
    assert digest({}) == NO_PARAMETERS
    cluster, resource = cluster_with({})
    assert calculate(cluster, resource, "start", 0, cluster.nodes[0]).all == NO_PARAMETERS


def test_a_recurring_operation_counts_its_timeout() -> None:
    cluster, resource = cluster_with({})
    assert calculate(cluster, resource, "monitor", 10_000, cluster.nodes[0]).all == WITH_TIMEOUT


def test_the_text_of_a_digest() -> None:
    from hashlib import md5

    text = b' <parameters B="2" a="x &amp; y"/>\n'
    assert digest({"a": "x & y", "B": "2"}) == md5(text, usedforsecurity=False).hexdigest()


DROPPED = ["id", "crm_feature_set", "op-digest", "on_node", "on_node_uuid", "pcmk_external_ip", "CRM_meta_x"]


@pytest.mark.parametrize("name", DROPPED)
def test_names_that_do_not_count(name: str) -> None:
    cluster, resource = cluster_with({name: "1"})
    assert calculate(cluster, resource, "start", 0, cluster.nodes[0]).all == NO_PARAMETERS


ESCAPED = [
    pytest.param("plain text-1_2/3", "plain text-1_2/3", id="most texts stay"),
    pytest.param("<a & \"b\" 'c'>", "&lt;a &amp; &quot;b&quot; &apos;c&apos;&gt;", id="markup"),
    pytest.param("a\tb", "a    b", id="a tab is four blanks"),
    pytest.param("a\nb\rc", "a\\nb\\rc", id="line ends"),
    pytest.param("a\x01b", "a\\001b", id="control characters in octal"),
    pytest.param("é<b>", "é<b>", id="after the first character beyond ASCII nothing is escaped"),
    pytest.param("<é>", "&lt;é>", id="but what comes before it is"),
]


@pytest.mark.parametrize(("value", "expected"), ESCAPED)
def test_escaping(value: str, expected: str) -> None:
    assert escape(value) == expected


@given(st.dictionaries(st.text("abc", min_size=1), st.text("xyz<&", max_size=3)), st.randoms())
def test_the_order_of_parameters_does_not_count(texts: dict[str, str], random: object) -> None:
    pairs = list(texts.items())
    random.shuffle(pairs)  # type: ignore[attr-defined]
    assert digest(dict(pairs)) == digest(texts)


NOW_DIGEST = digest({"p": "1", "q": "2"})
OTHER = "0" * 32
ONLY_P = digest({"p": "1"})
ONLY_Q = digest({"q": "2"})

VERDICTS = [
    pytest.param(entry("start", op_digest=NOW_DIGEST), DigestVerdict.MATCH, id="nothing changed"),
    pytest.param(entry("start", op_digest=OTHER), DigestVerdict.CHANGED, id="something changed"),
    pytest.param(entry("start"), DigestVerdict.UNKNOWN, id="nothing recorded"),
    pytest.param(
        entry("start", op_digest=OTHER, op_force_restart=" p ", op_restart_digest=ONLY_P),
        DigestVerdict.CHANGED,
        id="what takes a restart did not change",
    ),
    pytest.param(
        entry("start", op_digest=NOW_DIGEST, op_force_restart=" p ", op_restart_digest=OTHER),
        DigestVerdict.RESTART,
        id="what takes a restart changed",
    ),
    pytest.param(
        entry("start", op_force_restart=" p ", op_restart_digest=ONLY_P),
        DigestVerdict.UNKNOWN,
        id="only that was recorded",
    ),
    pytest.param(
        entry("start", op_digest=NOW_DIGEST, op_restart_digest=NOW_DIGEST), DigestVerdict.MATCH, id="all take a restart"
    ),
]


@pytest.mark.parametrize(("recorded", "expected"), VERDICTS)
def test_verdicts(recorded: HistoryEntry, expected: DigestVerdict) -> None:
    cluster, resource = cluster_with({"p": "1", "q": "2"})
    assert compare(cluster, resource, recorded, cluster.nodes[0])[0] is expected


def test_a_change_takes_a_restart_when_the_operation_sets_parameters_itself() -> None:
    start = Operation("start", params=plain({"OCF_CHECK_LEVEL": "10"}))
    cluster, resource = cluster_with({"p": "1"}, start)
    assert compare(cluster, resource, entry("start", op_digest=OTHER), cluster.nodes[0])[0] is DigestVerdict.RESTART


def test_an_operations_own_parameters_count_but_do_not_override() -> None:
    start = Operation("start", params=plain({"p": "other", "OCF_CHECK_LEVEL": "10"}))
    cluster, resource = cluster_with({"p": "1"}, start)
    digests = calculate(cluster, resource, "start", 0, cluster.nodes[0])
    assert digests.texts == {"p": "1", "OCF_CHECK_LEVEL": "10"}


def test_the_secure_digest_leaves_out_what_is_listed_and_the_timeout() -> None:
    cluster, resource = cluster_with({"p": "1", "q": "2"})
    recorded = entry("monitor", interval_ms=10_000, op_secure_params=" p ", crm_feature_set="3.16.1")
    assert compare(cluster, resource, recorded, cluster.nodes[0])[1].secure == ONLY_Q


def test_a_failure_that_expired_is_scheduled_anew_whatever_its_digest() -> None:
    cluster, resource = cluster_with({})
    recorded = entry("monitor", 1, interval_ms=10_000, op_digest=WITH_TIMEOUT)
    cluster.expired_entries.add(id(recorded))
    assert compare(cluster, resource, recorded, cluster.nodes[0])[0] is DigestVerdict.RESTART


def test_but_not_after_an_entry_of_the_operation_that_had_no_restart_digest() -> None:
    cluster, resource = cluster_with({})
    recorded = entry("monitor", 1, interval_ms=10_000, op_digest=WITH_TIMEOUT)
    assert compare(cluster, resource, recorded, cluster.nodes[0])[0] is DigestVerdict.MATCH
    cluster.expired_entries.add(id(recorded))
    assert compare(cluster, resource, recorded, cluster.nodes[0])[0] is DigestVerdict.MATCH
