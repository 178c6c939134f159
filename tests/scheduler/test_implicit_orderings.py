"""The orderings that come with resources themselves (specification part 3, sections 6 to 9).

Each row is a sentence, a cluster, which of its orderings are looked at, and these: `A_stop_0 -> A_start_0: ORD RT RST`.
"""

from __future__ import annotations

import pytest
from action_texts import any_cib, done, found, monitor, plan_of, started, state
from finished import Finished
from histories import Texts, primitive
from test_collectives import BUNDLE, QUIET, clone, running
from test_migration import alone
from test_probes import GUEST, remote, unknown

from reconciler.cib import Cib
from reconciler.model.attributes import plain
from reconciler.model.resource import Group
from reconciler.scheduler.noting.orderings import first_key, then_key
from reconciler.scheduler.working import effects

NAMES = {value: name for name, value in vars(effects).items() if name.isupper() and value}


def orderings(plan: Finished, first: str, then: str) -> list[str]:
    """The orderings of keys with these beginnings, in order of creation."""
    return [
        f"{first_key(one)} -> {then_key(one)}: {' '.join(name for bit, name in NAMES.items() if one.effects & bit)}"
        for one in plan.cluster.orderings
        if first_key(one).startswith(tuple(first.split())) and then_key(one).startswith(tuple(then.split()))
    ]


def group(**meta: str) -> Group:
    return Group("G", (primitive("a"), primitive("b")), meta=plain(meta))


QUIETLY = {"states": (state("n1"), state("n2")), "options": QUIET}
GAP = Group("G", (primitive("a"), primitive("b", {"target-role": "Stopped"}), primitive("c")))
PARTLY_ACTIVE = (
    state("n1", done(started("a"), name="a"), done(found("b"), name="b"), done(started("c"), name="c")),
    state("n2", *(done(found(name), name=name) for name in "abc")),
)


TABLE = [
    pytest.param(
        any_cib(primitive(), **QUIETLY),
        "A",
        "A",
        ["A_stop_0 -> A_start_0: ORD RT RST", "A_lrm_delete_0 -> A_monitor_0: SAME CXL"],
        id="a primitive stops before it starts; a probe cancels the deletion of what it finds",
    ),
    pytest.param(
        any_cib(primitive("A", {"is-managed": "false"}), **QUIETLY), "A", "A", [], id="an unmanaged primitive has none"
    ),
    pytest.param(
        any_cib(clone(primitive(), promotable="true", clone_max="1"), **QUIETLY),
        "A",
        "A",
        [
            "A:0_stop_0 -> A:0_start_0: ORD RT RST",
            "A:0_demote_0 -> A:0_stop_0: RFP",
            "A:0_start_0 -> A:0_promote_0: RN",
            "A:0_lrm_delete_0 -> A:0_monitor_0: SAME CXL",
            "A:0_demote_0 -> A:0_promote_0: ORD",
        ],
        id="a promotable instance demotes before it stops, and starts before it is promoted",
    ),
    pytest.param(
        any_cib(primitive("A", {}, monitor()), **QUIETLY),
        "A_start",
        "A_monitor_10000",
        ["A_start_0 -> A_monitor_10000: RT RN"],
        id="a recurring monitor starts with its resource",
    ),
    pytest.param(
        any_cib(primitive("A", {"container": "B"}), primitive("B"), **QUIETLY),
        "A B",
        "A_start A_stop B_start B_stop",
        [
            "A_stop_0 -> A_start_0: ORD RT RST",
            "B_start_0 -> A_start_0: RT RN",
            "A_stop_0 -> B_stop_0: RF",
            "B_stop_0 -> B_start_0: ORD RT RST",
        ],
        id="contents start after their container and stop before it",
    ),
    pytest.param(
        any_cib(GUEST, **QUIETLY),
        "vm g",
        "g_start g_stop vm_stop",
        [
            "g_stop_0 -> g_start_0: ORD RT RST",
            "vm_monitor_0 -> g_stop_0: ORD",
            "vm_start_0 -> g_start_0: RT RN",
            "g_stop_0 -> vm_stop_0: RF",
        ],
        id="a guest's connection waits for its guest, and does not stop before the guest was asked about",
    ),
    pytest.param(
        any_cib(group(), **QUIETLY),
        "G a b",
        "G a_start a_stop b_start b_stop",
        [
            "G_stop_0 -> G_stopped_0: RN",
            "G_stopped_0 -> G_start_0: ORD",
            "G_start_0 -> G_running_0: RN",
            "a_stop_0 -> a_start_0: ORD RT RST",
            "G_start_0 -> a_start_0: SHF",
            "G_stop_0 -> a_stop_0: ORD SHF",
            "a_stop_0 -> G_stopped_0: RT",
            "a_start_0 -> G_running_0: RT RN SHT",
            "b_stop_0 -> b_start_0: ORD RT RST",
            "G_start_0 -> b_start_0: SHF",
            "G_stop_0 -> b_stop_0: SHF",
            "b_stop_0 -> G_stopped_0: SHT",
            "b_start_0 -> G_running_0: RT RN SHT",
            "a_start_0 -> b_start_0: RT RN",
            "b_stop_0 -> a_stop_0: ORD RST",
        ],
        id="an ordered group",
    ),
    pytest.param(
        any_cib(group(ordered="false"), **QUIETLY),
        "G a b",
        "a_start a_stop b_start b_stop",
        [
            "a_stop_0 -> a_start_0: ORD RT RST",
            "G_start_0 -> a_start_0: SHF",
            "G_stop_0 -> a_stop_0: SHF",
            "G_start_0 -> a_start_0: RT RN SHF",
            "b_stop_0 -> b_start_0: ORD RT RST",
            "G_start_0 -> b_start_0: SHF",
            "G_stop_0 -> b_stop_0: SHF",
            "G_start_0 -> b_start_0: RT RN SHF",
        ],
        id="members of an unordered group wait for the group only",
    ),
    pytest.param(
        any_cib(GAP, states=PARTLY_ACTIVE),
        "c_stop",
        "a_stop b_stop",
        ["c_stop_0 -> b_stop_0: ORD RST", "c_stop_0 -> a_stop_0: ORD"],
        id="active members with a gap between them stop in order, too",
    ),
    pytest.param(
        any_cib(clone(primitive(), clone_max="1"), **QUIETLY),
        "C A",
        "C A:0_start A:0_stop",
        [
            "C_stopped_0 -> C_start_0: ORD",
            "C_start_0 -> C_running_0: RN",
            "C_stop_0 -> C_stopped_0: RN",
            "A:0_stop_0 -> A:0_start_0: ORD RT RST",
            "C_start_0 -> A:0_start_0: RN SHF",
            "A:0_start_0 -> C_running_0: SHT",
            "C_stop_0 -> A:0_stop_0: SHF",
            "A:0_stop_0 -> C_stopped_0: SHT",
        ],
        id="a clone and its instance",
    ),
    pytest.param(
        any_cib(clone(primitive(), ordered="true"), **QUIETLY),
        "A",
        "A",
        [
            "A:0_stop_0 -> A:0_start_0: ORD RT RST",
            "A:0_lrm_delete_0 -> A:0_monitor_0: SAME CXL",
            "A:1_stop_0 -> A:1_start_0: ORD RT RST",
            "A:1_lrm_delete_0 -> A:1_monitor_0: SAME CXL",
            "A:0_start_0 -> A:1_start_0: ORD",
            "A:1_stop_0 -> A:0_stop_0: ORD",
        ],
        id="instances of an ordered clone",
    ),
    pytest.param(
        any_cib(clone(primitive(), promotable="true", clone_max="1"), **QUIETLY),
        "C A",
        "C A:0_promote A:0_demote",
        [
            "C_stopped_0 -> C_start_0: ORD",
            "C_start_0 -> C_running_0: RN",
            "C_stop_0 -> C_stopped_0: RN",
            "C_demoted_0 -> C_stop_0: ORD",
            "C_running_0 -> C_promote_0: RN",
            "A:0_start_0 -> A:0_promote_0: RN",
            "A:0_start_0 -> C_running_0: SHT",
            "A:0_stop_0 -> C_stopped_0: SHT",
            "C_stopped_0 -> C_start_0: ORD",
            "C_stopped_0 -> C_promote_0: ORD",
            "C_demoted_0 -> C_stop_0: ORD",
            "C_demoted_0 -> C_start_0: ORD",
            "C_demoted_0 -> C_promote_0: ORD",
            "C_running_0 -> C_promote_0: ORD",
            "C_demote_0 -> C_demoted_0: ORD",
            "A:0_demote_0 -> A:0_promote_0: ORD",
            "C_promote_0 -> A:0_promote_0: ORD",
            "A:0_promote_0 -> C_promoted_0: ORD",
            "C_demote_0 -> A:0_demote_0: SHF",
            "A:0_demote_0 -> C_demoted_0: SHT",
        ],
        id="a promotable clone and its instance",
    ),
    pytest.param(
        any_cib(clone(primitive(), promotable="true", ordered="true"), **QUIETLY),
        "A",
        "A:0_promote A:1_promote A:0_demote A:1_demote",
        [
            "A:0_start_0 -> A:0_promote_0: RN",
            "A:1_start_0 -> A:1_promote_0: RN",
            "A:0_demote_0 -> A:0_promote_0: ORD",
            "A:1_demote_0 -> A:1_promote_0: ORD",
            "A:0_promote_0 -> A:1_promote_0: ORD",
            "A:1_demote_0 -> A:0_demote_0: ORD",
        ],
        id="promotions of an ordered clone",
    ),
    pytest.param(
        any_cib(clone(group(), promotable="true", clone_max="1"), **QUIETLY),
        "G a b",
        "G:0_promoted G:0_demoted a:0_promote a:0_demote b:0_promote b:0_demote",
        [
            "a:0_start_0 -> a:0_promote_0: RN",
            "G:0_demote_0 -> a:0_demote_0: ORD SHF",
            "a:0_demote_0 -> G:0_demoted_0: RT",
            "a:0_promote_0 -> G:0_promoted_0: RT RN SHT",
            "G:0_promote_0 -> a:0_promote_0: SHF",
            "b:0_start_0 -> b:0_promote_0: RN",
            "G:0_demote_0 -> b:0_demote_0: SHF",
            "b:0_demote_0 -> G:0_demoted_0: SHT",
            "b:0_promote_0 -> G:0_promoted_0: RT RN SHT",
            "G:0_promote_0 -> b:0_promote_0: SHF",
            "a:0_promote_0 -> b:0_promote_0: RT RN",
            "b:0_demote_0 -> a:0_demote_0: ORD",
        ],
        id="a group that is promoted as a whole",
    ),
    pytest.param(
        any_cib(BUNDLE, **QUIETLY),
        "bu_ bu-docker-0 bu-0 bu-ip-10.0.0.1 bu-clone",
        "bu_ bu-docker-0_st bu-0_st bu-ip-10.0.0.1_st bu-clone_st w:0_st",
        [
            "bu_start_0 -> bu-clone_start_0: SHF",
            "bu_stop_0 -> bu-clone_stop_0: SHF",
            "bu-clone_running_0 -> bu_running_0: SHT",
            "bu-clone_stopped_0 -> bu_stopped_0: SHT",
            "bu-docker-0_stop_0 -> bu-docker-0_start_0: ORD RT RST",
            "bu_start_0 -> bu-docker-0_start_0: RN SHF",
            "bu_stop_0 -> w:0_stop_0: SHF",
            "bu_stop_0 -> bu-docker-0_stop_0: SHF",
            "bu-docker-0_start_0 -> bu_running_0: SHT",
            "bu-docker-0_stop_0 -> bu_stopped_0: SHT",
            "bu-ip-10.0.0.1_stop_0 -> bu-ip-10.0.0.1_start_0: ORD RT RST",
            "bu-ip-10.0.0.1_start_0 -> bu-docker-0_start_0: RN KEEP",
            "bu-docker-0_stop_0 -> bu-ip-10.0.0.1_stop_0: RF KEEP",
            "bu-0_stop_0 -> bu-0_start_0: ORD RT RST",
            "bu-docker-0_monitor_0 -> bu-0_stop_0: ORD",
            "bu-docker-0_start_0 -> bu-0_start_0: RT RN",
            "bu-0_stop_0 -> bu-docker-0_stop_0: RF",
            "bu-clone_stopped_0 -> bu-clone_start_0: ORD",
            "bu-clone_stop_0 -> bu-clone_stopped_0: RN",
            "bu-clone_start_0 -> w:0_start_0: RN SHF",
            "bu-clone_stop_0 -> w:0_stop_0: SHF",
            "bu-docker-0_start_0 -> w:0_start_0: RT RN KEEP",
            "bu-0_start_0 -> w:0_start_0: RN KEEP",
        ],
        id="a bundle and its first replica",
    ),
    pytest.param(
        unknown(primitive()),
        "A_monitor",
        "A_start",
        ["A_monitor_0 -> A_start_0: ORD", "A_monitor_0 -> A_start_0: ORD"],
        id="every probe before the start",
    ),
    pytest.param(
        unknown(clone(primitive())),
        "A:0_monitor A:1_monitor",
        "C",
        ["A:0_monitor_0 -> C_start_0: ORD", "A:1_monitor_0 -> C_start_0: ORD"],
        id="probes of instances before the start of their clone",
    ),
    pytest.param(
        unknown(BUNDLE),
        "bu-docker-0_monitor",
        "bu-docker",
        [
            "bu-docker-0_monitor_0 -> bu-docker-0_start_0: ORD",
            "bu-docker-0_monitor_0 -> bu-docker-1_start_0: ORD SAME",
            "bu-docker-0_monitor_0 -> bu-docker-0_start_0: ORD",
            "bu-docker-0_monitor_0 -> bu-docker-1_start_0: ORD SAME",
        ],
        id="one container's probe before the other container's start there",
    ),
    pytest.param(
        unknown(BUNDLE),
        "bu-docker-0_start",
        "bu-0_monitor",
        ["bu-docker-0_start_0 -> bu-0_monitor_0: PRB", "bu-docker-0_start_0 -> bu-0_monitor_0: PRB"],
        id="a container before its connection is probed",
    ),
    pytest.param(
        alone(),
        "A_monitor A_migrate",
        "A_migrate A_stop A_start",
        [
            "A_monitor_0 -> A_migrate_to_0: ORD",
            "A_migrate_to_0 -> A_migrate_from_0: ORD MIGF",
            "A_migrate_from_0 -> A_stop_0: ORD MIGF",
            "A_migrate_from_0 -> A_start_0: ORD MIGF PSD",
        ],
        id="a migration's halves, then the stop it stands for",
    ),
]


@pytest.mark.parametrize(("given", "first", "then", "expected"), TABLE)
def test_implicit_orderings(given: Cib, first: str, then: str, expected: list[str]) -> None:
    assert orderings(plan_of(given), first, then) == expected


def guest(*, vm_on: str | None, standby: str | None = None) -> Cib:
    """A guest node g in vm, where A's state on g is not known."""
    names = ("vm", "g", "A")
    states = [
        state(
            node,
            *(done(started(name) if node == vm_on and name != "A" else found(name), name=name) for name in names),
            transient={"standby": "on"} if node == standby else None,
        )
        for node in ("n1", "n2")
    ]
    own: Texts = {"remote_node": "true", **dict.fromkeys(("in_ccm", "crmd", "join", "expected"), "")}
    return any_cib(GUEST, primitive(), states=(*states, state("g", **own)))


def test_a_guest_that_will_stop_is_not_asked_but_waited_for() -> None:
    plan = plan_of(guest(vm_on="n1", standby="n1"))
    assert orderings(plan, "vm_stop", "A_start") == ["vm_stop_0 -> A_start_0: ORD"]
    assert not [action for action in plan.actions if action.task == "monitor" and action.node == "g"]


def test_a_guest_that_stays_is_asked() -> None:
    plan = plan_of(guest(vm_on="n1"))
    assert orderings(plan, "vm_stop", "A_start") == []
    assert [action.resource for action in plan.actions if action.task == "monitor" and action.node == "g"] == ["A"]


def test_a_guest_that_is_down_is_asked_about_first() -> None:
    given = any_cib(GUEST, primitive(), states=(state("n1"), state("n2")))
    assert orderings(plan_of(given), "vm_monitor", "A_start") == ["vm_monitor_0 -> A_start_0: ORD"]


def test_a_remote_connection_is_no_contents() -> None:
    assert orderings(plan_of(remote(started("r"))), "r_start", "r_stop") == []


def test_a_moving_group_may_migrate_what_depends_on_it() -> None:
    """A clone's stop lets dependents migrate unless an instance stops and starts in place."""
    moving = plan_of(any_cib(clone(primitive(), clone_max="1"), states=running("A", {"standby": "on"})))
    gone = plan_of(any_cib(clone(primitive(), target_role="Stopped", clone_max="1"), states=running("A")))
    stops = [
        next(action for action in plan.cluster.actions if action.key == "C_stop_0").migratable
        for plan in (moving, gone)
    ]
    assert stops == [False, True]


def test_a_clone_runs_only_if_an_instance_can() -> None:
    plan = plan_of(any_cib(clone(primitive()), states=(state("n1"), state("n2")), quorum=False))
    done_starting = next(action for action in plan.cluster.actions if action.key == "C_running_0")
    assert (done_starting.runnable, done_starting.optional) == (False, True)
