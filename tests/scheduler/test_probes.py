"""Which nodes are asked about which resources, and what must wait for the answer (specification part 3, section 7).

Each row is a sentence, a cluster where nothing is known unless said otherwise, and the probes in order of creation.
"""

from __future__ import annotations

import pytest
from action_texts import any_cib, done, entry, found, plan_of, started, state
from finished import Finished
from histories import FENCE_DEVICE, NOW, UP, Texts, primitive

from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.constraint import Location
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Bundle, BundleNetwork, Clone, Group, Primitive, Resource
from reconciler.model.status import HistoryEntry, NodeState
from reconciler.scheduler.acting.probes import probe
from reconciler.scheduler.state import read_state
from reconciler.scheduler.working.effects import ORD, RN

BOTH = (state("n1"), state("n2"))
GUEST = primitive("vm", {"remote-node": "g"})
UNDISCOVERED = {"resource-discovery-enabled": "false"}
REMOTE = Primitive("r", Agent("ocf", "remote", "pacemaker"))


def probes(plan: Finished) -> list[str]:
    return [
        f"{action.resource.id} {action.node.name}" + (f" rc={action.expected_rc}" if action.expected_rc else "")
        for action in plan.cluster.actions
        if action.resource is not None and action.node is not None and action.key.endswith("_monitor_0")
    ]


def unknown(*resources: Resource, states: tuple[NodeState, ...] = BOTH, **more: Texts) -> Cib:
    return any_cib(*resources, states=states, **more)


def clone(inner: Primitive | Group, **meta: str) -> Clone:
    return Clone("C", inner, meta=plain({name.replace("_", "-"): value for name, value in meta.items()}))


def located(given: Cib, node: str, discovery: str) -> Cib:
    """The same with a location constraint that says where A is looked for."""
    constraint = Location("where", resource="A", node=node, score="5", resource_discovery=discovery)
    return replace(given, configuration=replace(given.configuration, constraints=(constraint,)))


def remote(*entries: HistoryEntry, transient: Texts | None = None, fencing: bool = False) -> Cib:
    """A remote node whose connection r runs on n1."""
    up = dict.fromkeys(UP, "") | {"remote_node": "true"}
    states = (
        state("n1", done(*entries, name="r")),
        state("n2", done(found("r"), name="r")),
        state("r", transient=transient, **up),
    )
    devices = (FENCE_DEVICE,) if fencing else ()
    return any_cib(REMOTE, primitive(), *devices, states=states, options={"stonith-enabled": str(fencing).lower()})


BUNDLE = Bundle(
    "bu",
    "docker",
    {"image": "i", "replicas": "2"},
    BundleNetwork({"ip-range-start": "10.0.0.1", "control-port": "3121"}),
    primitive=primitive("w"),
)

ASKED = [
    pytest.param(
        unknown(primitive("A"), primitive("B")),
        ["A n1 rc=7", "B n1 rc=7", "A n2 rc=7", "B n2 rc=7"],
        id="every node about every resource, node by node",
    ),
    pytest.param(
        unknown(primitive(), states=(state("n1", done(found())), state("n2"))),
        ["A n2 rc=7"],
        id="not where the answer is known",
    ),
    pytest.param(
        unknown(
            primitive(), states=(state("n1", crmd="offline", join="down", in_ccm="false", expected="down"), state("n2"))
        ),
        ["A n2 rc=7"],
        id="not a node that is offline",
    ),
    pytest.param(
        unknown(primitive(), options={"enable-startup-probes": "false"}), [], id="nobody without startup probes"
    ),
    pytest.param(
        unknown(Group("G", (primitive("A"), primitive("B")))),
        ["A n1 rc=7", "B n1 rc=7", "A n2 rc=7", "B n2 rc=7"],
        id="a group member by member",
    ),
    pytest.param(unknown(clone(primitive())), ["A:0 n1 rc=7", "A:1 n2 rc=7"], id="an anonymous clone once per node"),
    pytest.param(
        unknown(clone(primitive(), globally_unique="true")),
        ["A:0 n1 rc=7", "A:1 n1 rc=7", "A:0 n2 rc=7", "A:1 n2 rc=7"],
        id="a unique clone instance by instance",
    ),
    pytest.param(
        unknown(clone(primitive()), states=(state("n1"), state("n2", done(started())))),
        ["A:1 n1 rc=7"],
        id="an anonymous clone by the instance that goes there",
    ),
    pytest.param(
        unknown(BUNDLE),
        [
            "bu-ip-10.0.0.1 n1 rc=7",
            "bu-docker-0 n1 rc=7",
            "bu-0 n1 rc=7",
            "bu-ip-10.0.0.2 n1 rc=7",
            "bu-docker-1 n1 rc=7",
            "bu-1 n1 rc=7",
            "bu-ip-10.0.0.1 n2 rc=7",
            "bu-docker-0 n2 rc=7",
            "bu-0 n2 rc=7",
            "bu-ip-10.0.0.2 n2 rc=7",
            "bu-docker-1 n2 rc=7",
            "bu-1 n2 rc=7",
        ],
        id="a bundle replica by replica, its contents nowhere but on their own nodes",
    ),
    pytest.param(located(unknown(primitive()), "n1", "never"), ["A n2 rc=7"], id="not where discovery is never"),
    pytest.param(
        located(unknown(primitive()), "n2", "exclusive"),
        ["A n2 rc=7"],
        id="only where discovery is exclusive, if it is anywhere",
    ),
    pytest.param(
        unknown(primitive("A", {"container": "B"}), primitive("B")),
        ["B n1 rc=7", "B n2 rc=7"],
        id="not about what is inside a container",
    ),
    pytest.param(
        unknown(GUEST, primitive()),
        ["vm n1 rc=7", "A n1 rc=7", "g n1 rc=7", "vm n2 rc=7", "A n2 rc=7", "g n2 rc=7"],
        id="not a guest node that is not up",
    ),
    pytest.param(
        remote(started("r")),
        ["A n1 rc=7", "A n2 rc=7", "A r rc=7"],
        id="a remote node about resources, but not about connections",
    ),
    pytest.param(
        remote(started("r"), transient=UNDISCOVERED),
        ["A n1 rc=7", "A n2 rc=7", "A r rc=7"],
        id="a remote node without discovery where nothing can be fenced",
    ),
    pytest.param(
        remote(started("r"), transient=UNDISCOVERED, fencing=True),
        ["A n1 rc=7", "fencing n1 rc=7", "A n2 rc=7", "fencing n2 rc=7"],
        id="but not where fencing makes sure of it",
    ),
    pytest.param(
        unknown(FENCE_DEVICE, states=BOTH), ["fencing n1 rc=7", "fencing n2 rc=7"], id="members about fence devices"
    ),
]


@pytest.mark.parametrize(("given", "asked"), ASKED)
def test_who_is_asked(given: Cib, asked: list[str]) -> None:
    assert probes(plan_of(given)) == asked


def test_a_start_waits_for_all_answers() -> None:
    plan = plan_of(unknown(primitive()))
    by_key: dict[str, list[int]] = {}
    for action in plan.actions:
        by_key.setdefault(action.key, []).append(action.id)
    start = next(action for action in plan.actions if action.key == "A_start_0")
    assert set(by_key["A_monitor_0"]) <= set(start.triggers)


def test_a_clone_waits_for_answers_about_any_instance() -> None:
    plan = plan_of(unknown(clone(primitive())))
    probed = {action.id for action in plan.actions if action.task == "monitor"}
    start = next(action for action in plan.actions if action.key == "C_start_0")
    assert len(probed) == 2
    assert probed <= set(start.triggers)


def test_one_replica_per_host_waits_for_the_answers_about_others() -> None:
    plan = plan_of(unknown(BUNDLE))
    starts = {action.key: action for action in plan.actions if action.task == "start"}
    probed = {(action.key, action.node): action.id for action in plan.actions if action.task == "monitor"}
    first = starts["bu-docker-0_start_0"]
    assert probed["bu-docker-1_monitor_0", first.node] in first.triggers


def test_a_node_that_must_forget_is_told_to_probe_again() -> None:
    given = unknown(primitive(), states=(state("n1", transient={"probe_complete": "false"}), state("n2")))
    plan = plan_of(given)
    assert probes(plan) == ["A n2 rc=7"]
    assert [action.key for action in plan.actions if action.task == "probe_again"] == ["probe_again-n1"]


def test_asked_again_it_is_expected_where_and_as_it_is() -> None:
    """What is active is known; but should it be asked about, the answer expected is what is believed."""
    entries = (started(), entry("promote", call=2))
    given = unknown(
        clone(primitive(), promotable="true", clone_max="1"), states=(state("n1", done(*entries)), state("n2"))
    )
    cluster = read_state(given, Instant(NOW))
    instance = cluster.resources[0].children[0]
    instance.found.known_on.clear()
    for node in cluster.nodes:
        assert probe(cluster, instance, node)
    assert [action.expected_rc for action in instance.planned.actions] == [8, 7]


def test_an_answer_that_cannot_come_keeps_it_from_starting() -> None:
    cluster = read_state(unknown(primitive()), Instant(NOW))
    cluster.nodes[0].pending = True
    for node in cluster.nodes:
        probe(cluster, cluster.resources[0], node)
    assert [ordering.effects for ordering in cluster.orderings] == [ORD | RN, ORD]


def test_configuration_nodes_without_state_are_not_asked() -> None:
    configuration = Configuration(
        options=plain({"stonith-enabled": "false"}),
        nodes=(NodeDefinition("n1", id="n1"), NodeDefinition("n3", id="n3")),
        resources=(primitive(),),
    )
    given = replace(unknown(primitive()), configuration=configuration)
    assert probes(plan_of(given)) == ["A n1 rc=7"]
