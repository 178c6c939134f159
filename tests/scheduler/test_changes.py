"""What follows when the configuration is not what the history was made with (specification part 3, section 5; part 1, section 15.3).

A has the parameters p=1 and q=2 and runs on n1; each row is a sentence, the digests recorded with its start, A's actions and the summary.
"""

from __future__ import annotations

import pytest
from action_texts import (
    actions,
    any_cib,
    done,
    entry,
    found,
    monitor,
    plan_of,
    reasons,
    started,
    state,
    watched,
)
from finished import Finished
from histories import primitive

from reconciler.cib import Cib
from reconciler.model.attributes import plain
from reconciler.model.date import Instant
from reconciler.model.resource import Operation
from reconciler.model.status import HistoryEntry, ResourceHistory
from reconciler.scheduler.digest import digest

NOW = digest({"p": "1", "q": "2"})
ONLY_P = digest({"p": "1"})
OTHER = digest({"p": "1", "q": "9"})
PUBLIC = digest({"q": "2"})


def recorded(op_digest: str | None = None, restart: str | None = None, *operations: Operation, **more: str) -> Cib:
    """A's start recorded with these digests; p takes a restart to change if a restart digest is given."""
    if op_digest is not None:
        more["op-digest"] = op_digest
    if restart is not None:
        more |= {"op-restart-digest": restart, "op-force-restart": " p "}
    states = (state("n1", done(entry("start", **more))), state("n2", done(found())))
    return any_cib(primitive("A", {}, *operations, params={"p": "1", "q": "2"}), states=states)


OWN_PARAMETERS = Operation("start", params=plain({"r": "3"}), id="A-start")

MATRIX = [
    pytest.param(recorded(NOW), ["A_stop_0 n1 optional", "A_start_0 n1 optional"], [], id="the same digest: nothing"),
    pytest.param(
        recorded(OTHER),
        ["A_start_0 n1", "A_stop_0 n1"],
        ["Restart A: resource definition change"],
        id="another digest: restart",
    ),
    pytest.param(
        recorded(),
        ["A_start_0 n1", "A_stop_0 n1"],
        ["Restart A: resource definition change"],
        id="no digest at all: restart",
    ),
    pytest.param(
        recorded(OTHER, ONLY_P),
        ["A_reload-agent_0 n1", "A_stop_0 n1 optional", "A_start_0 n1 optional"],
        ["Reload A"],
        id="another digest, but the same restart digest: reload",
    ),
    pytest.param(
        recorded(None, ONLY_P),
        ["A_reload-agent_0 n1", "A_stop_0 n1 optional", "A_start_0 n1 optional"],
        ["Reload A"],
        id="only the same restart digest: reload",
    ),
    pytest.param(
        recorded(OTHER, digest({"p": "9"})),
        ["A_start_0 n1", "A_stop_0 n1"],
        ["Restart A: resource definition change"],
        id="another restart digest: restart",
    ),
    pytest.param(
        recorded(NOW, digest({"p": "9"})),
        ["A_start_0 n1", "A_stop_0 n1"],
        ["Restart A: resource definition change"],
        id="another restart digest alone: restart",
    ),
    pytest.param(
        recorded(OTHER, ONLY_P, OWN_PARAMETERS),
        ["A_start_0 n1", "A_stop_0 n1"],
        ["Restart A: resource definition change"],
        id="reload is not enough for an operation with parameters of its own",
    ),
    pytest.param(
        recorded(OTHER, **{"op-secure-params": " p ", "op-secure-digest": PUBLIC, "crm_feature_set": "3.16.1"}),
        ["A_stop_0 n1 optional", "A_start_0 n1 optional"],
        [],
        id="only a private parameter changed: nothing",
    ),
]


@pytest.mark.parametrize(("given", "planned", "said"), MATRIX)
def test_a_changed_definition(given: Cib, planned: list[str], said: list[str]) -> None:
    plan = plan_of(given)
    assert actions(plan) == planned
    assert reasons(plan) == said


def test_a_private_parameter_counts_where_the_status_is_whole() -> None:
    more = {"op-secure-params": " p ", "op-secure-digest": PUBLIC, "crm_feature_set": "3.16.1"}
    plan = Finished(recorded(OTHER, **more), Instant(1_700_000_000))
    assert reasons(plan) == ["Restart A: resource definition change"]


def remembered(
    n1: ResourceHistory,
    n2: ResourceHistory,
    *,
    operations: tuple[Operation, ...] = (),
    configured: bool = True,
    **options: str,
) -> Cib:
    """Nodes that remember A as given."""
    resources = (primitive("A", {}, *operations),) if configured else ()
    given = {name.replace("_", "-"): value for name, value in options.items()}
    return any_cib(*resources, states=(state("n1", n1), state("n2", n2)), options=given)


def otherwise(*entries: HistoryEntry) -> ResourceHistory:
    """A history of A under another agent."""
    return ResourceHistory("A", {"class": "ocf", "provider": "heartbeat", "type": "Dummy"}, entries)


MOVED = entry("migrate_from", call=2, migrate_source="n2", migrate_target="n1")

CLEANUPS = [
    pytest.param(
        remembered(done(MOVED), done(found())),
        ["A_start_0 n1", "A_stop_0 n1"],
        ["Restart A: resource definition change"],
        id="what came by migration counts as started",
    ),
    pytest.param(
        remembered(done(entry("start", call=1), entry("stop", call=2), started(call=3)), done(found())),
        ["A_stop_0 n1 optional", "A_start_0 n1 optional"],
        [],
        id="only what is since the last start counts",
    ),
    pytest.param(
        remembered(
            done(entry("start", call=1), entry("stop", call=2), watched(call=3)), done(found()), operations=(monitor(),)
        ),
        ["A_monitor_10000 n1 optional", "A_stop_0 n1 optional", "A_start_0 n1 optional"],
        [],
        id="nor does what was before a stop, if a monitor found it active since",
    ),
    pytest.param(
        remembered(
            otherwise(started(), entry("monitor", 1, interval_ms=10_000, call=3, id="A_last_failure_0")), done(found())
        ),
        ["A_monitor_10000 (cancel) n1", "A_stop_0 n1", "A_start_0 n1 shown"],
        ["Recover A"],
        id="the history of a failed resource is kept",
    ),
    pytest.param(
        remembered(otherwise(started()), done(found())),
        ["A_stop_0 n1", "A_delete_0 n1", "A_start_0 n1 shown"],
        ["Restart A"],
        id="another agent: restart, and the history is deleted",
    ),
    pytest.param(
        remembered(otherwise(found()), done(started())),
        ["A_delete_0 n1", "A_stop_0 n2 optional", "A_start_0 n2 optional"],
        [],
        id="another agent where it is not active: only the history is deleted",
    ),
    pytest.param(
        remembered(done(started()), done(found()), configured=False),
        ["A_delete_0 n1", "A_delete_0 n2", "A_stop_0 n1"],
        ["Stop A: node availability"],
        id="an orphan is stopped and deleted wherever it is remembered",
    ),
    pytest.param(
        remembered(done(started()), done(found()), configured=False, stop_orphan_resources="false"),
        [
            "A_delete_0 n1 optional",
            "A_delete_0 n2 optional",
            "A_stop_0 n1 optional unrunnable",
            "A_start_0 n1 optional",
        ],
        [],
        id="an orphan that may stay stays",
    ),
]


@pytest.mark.parametrize(("given", "planned", "said"), CLEANUPS)
def test_histories_that_no_longer_fit(given: Cib, planned: list[str], said: list[str]) -> None:
    plan = plan_of(given)
    assert actions(plan) == planned
    assert reasons(plan) == said


def test_a_changed_definition_clears_the_fail_count() -> None:
    states = (
        state("n1", done(entry("start")), transient={"fail-count-A#monitor_10000": "3"}),
        state("n2", done(found())),
    )
    plan = plan_of(any_cib(primitive(), states=states))
    assert actions(plan, task="clear_failcount") == ["A_clear_failcount_0 n1"]


def test_a_required_stop_cancels_a_reload() -> None:
    given = recorded(OTHER, ONLY_P)
    stopped = primitive("A", {"target-role": "Stopped"}, params={"p": "1", "q": "2"})
    plan = plan_of(any_cib(stopped, states=given.status.nodes))
    assert actions(plan) == ["A_reload-agent_0 n1 optional", "A_stop_0 n1"]
    assert reasons(plan) == ["Stop A: node availability"]
