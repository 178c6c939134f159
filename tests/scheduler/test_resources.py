"""Resources: what the configuration makes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from histories import DUMMY, cib, primitive, promotable, read

from reconciler.cib import Cib
from reconciler.model.attributes import AttributeBlock, Defaults, plain
from reconciler.model.resource import Agent, Bundle, BundleNetwork, Clone, Group, Operation, Primitive, Template
from reconciler.model.rule import AgentExpression, Rule
from reconciler.model.score import INFINITY
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.resource import Resource


def made(cluster: Cluster, id: str = "A") -> Resource:
    resource = find(cluster, id)
    assert resource is not None, f"there is no {id}"
    return resource


def texts(resource: Resource) -> list[str]:
    return [resource.id, *(text for child in resource.children for text in texts(child))]


TREES = [
    pytest.param(primitive(), ["A"], id="a primitive is itself"),
    pytest.param(Group("G", (primitive("A"), primitive("B"))), ["G", "A", "B"], id="a group has its members"),
    pytest.param(Clone("C", primitive()), ["C", "A:0", "A:1"], id="a clone has an instance per node"),
    pytest.param(
        Clone("C", Group("G", (primitive(),)), meta=plain({"clone-max": "1"})),
        ["C", "G:0", "A:0"],
        id="a group's instance numbers its members",
    ),
    pytest.param(
        Clone("C", primitive(), meta=plain({"clone-max": "0"})), ["C", "A:0"], id="one instance is always there"
    ),
    pytest.param(Clone("C", primitive(), meta=plain({"clone-max": "-3"})), ["C", "A:0"], id="a limit isn't negative"),
    pytest.param(Group("G", ()), ["G"], id="a group may be empty"),
    pytest.param(
        Bundle(
            "B",
            "podman",
            {"image": "i", "replicas": "2"},
            BundleNetwork({"ip-range-start": "10.0.0.254"}),
            (),
            primitive(),
        ),
        ["B", "B-podman-0", "B-ip-10.0.0.254", "B-0", "B-podman-1", "B-ip-10.0.1.1", "B-1", "B-clone", "A:0", "A:1"],
        id="a bundle has containers, addresses, connections and a clone of what runs inside",
    ),
]


@pytest.mark.parametrize(("configured", "expected"), TREES)
def test_trees(configured: Primitive | Group | Clone | Bundle, expected: list[str]) -> None:
    assert [text for top in read(cib(configured)).resources for text in texts(top)] == expected


DROPPED = [
    pytest.param(Primitive("A", template="none"), id="a template that there isn't"),
    pytest.param(
        promotable("P", Primitive("A", Agent("lsb", "x"))), id="a promotable clone of an agent that knows no promotion"
    ),
    pytest.param(Bundle("B", "docker", {}, None, (), primitive()), id="a bundle that can't reach what it runs"),
]


@pytest.mark.parametrize("configured", DROPPED)
def test_what_cannot_be_made_is_left_out_whole(configured: Primitive | Clone | Bundle) -> None:
    cluster = read(cib(configured, primitive("other")))
    assert [resource.id for resource in cluster.resources] == ["other"]
    assert find(cluster, "A") is None


def test_a_unique_clone_of_an_agent_that_cannot_be_becomes_anonymous() -> None:
    meta = plain({"globally-unique": "true", "clone-max": "5", "clone-node-max": "2"})
    clone = made(read(cib(Clone("C", Primitive("A", Agent("lsb", "x")), meta=meta))), "C")
    assert clone.clone is not None
    assert (clone.configured.unique, clone.clone.clone_max, clone.clone.clone_node_max) == (False, 2, 1)
    assert [instance.configured.unique for instance in clone.children] == [False, False]


def test_resources_are_ordered_by_priority_then_as_written() -> None:
    configured = [primitive("a"), primitive("b", {"priority": "5"}), primitive("c"), primitive("d", {"priority": "5"})]
    assert [resource.id for resource in read(cib(*configured)).resources] == ["b", "d", "a", "c"]


def with_template(one: Primitive) -> Cib:
    template = Template(
        "T",
        DUMMY,
        params=plain({"p": "template", "q": "template"}),
        operations=(Operation("monitor", "10s", id="t10"), Operation("monitor", "20s", {"role": "Promoted"}, id="t20")),
    )
    made = cib(one)
    return replace(made, configuration=replace(made.configuration, templates=(template,)))


def test_a_template_gives_what_the_primitive_lacks() -> None:
    own = Primitive("A", template="T", params=plain({"p": "own"}), operations=(Operation("monitor", "30s", id="own"),))
    cluster = read(with_template(own))
    resource = made(cluster)
    from reconciler.scheduler.evaluating.parameters import parameters

    assert resource.configured.agent == DUMMY
    assert parameters(cluster, resource, None) == {"p": "own", "q": "template"}
    assert [operation.id for operation in resource.configured.operations] == ["own", "t20"], (
        "by name and role, whatever the interval"
    )
    assert cluster.templates == {"T": ["A"]}


META = [
    pytest.param({}, {}, {}, {}, "0", id="nothing said"),
    pytest.param({}, {}, {}, {"x": "default"}, "default", id="the defaults"),
    pytest.param({}, {}, {"x": "clone"}, {"x": "default"}, "clone", id="the clone before the defaults"),
    pytest.param({}, {"x": "group"}, {"x": "clone"}, {"x": "default"}, "group", id="the group before the clone"),
    pytest.param({"x": "own"}, {"x": "group"}, {"x": "clone"}, {"x": "default"}, "own", id="its own before all"),
    pytest.param({"x": "own"}, {"x": "#default"}, {}, {}, "own", id="an ancestor's #default doesn't reach its own"),
    pytest.param({"x": "own"}, {}, {}, {"x": "#default"}, "0", id="but the defaults' does"),
    pytest.param({}, {"x": "group"}, {"x": "#default"}, {}, "group", id="the nearest ancestor's value is unset by a further one's, "
                 "and comes back from its table"),
]  # fmt: skip


@pytest.mark.parametrize(("own", "group", "clone", "defaults", "expected"), META)
def test_where_a_meta_attribute_comes_from(
    own: dict[str, str], group: dict[str, str], clone: dict[str, str], defaults: dict[str, str], expected: str
) -> None:
    inner = Group("G", (primitive("A", own),), meta=plain(group))
    tree = Clone("C", inner, meta=plain({"clone-max": "1", **clone}))
    cluster = read(cib(tree, defaults=Defaults(resources=plain(defaults))))
    assert made(cluster, "A:0").configured.meta.get("x", "0") == expected


def test_rules_see_the_agent_of_the_resource_also_in_its_ancestors_blocks() -> None:
    for_dummies = AttributeBlock({"x": "dummy"}, (Rule((AgentExpression("ocf", "pacemaker", "Dummy"),)),))
    tree = Group("G", (primitive("A"), Primitive("B", Agent("systemd", "b"))), meta=(for_dummies,))
    cluster = read(cib(tree))
    assert [made(cluster, id).configured.meta.get("x") for id in ("A", "B", "G")] == ["dummy", None, None]


FIELDS = [
    pytest.param({"is-managed": "2"}, "managed", False, id="is-managed: what isn't true is false"),
    pytest.param({"is-managed": "Default"}, "managed", True, id="is-managed: the word default"),
    pytest.param({"maintenance": "true"}, "managed", False, id="maintenance means unmanaged"),
    pytest.param({"migration-threshold": "-3"}, "migration_threshold", 1, id="a negative threshold is one"),
    pytest.param({"migration-threshold": "default"}, "migration_threshold", INFINITY, id="the word default"),
    pytest.param({"resource-stickiness": "INFINITY"}, "stickiness", INFINITY, id="stickiness is a score"),
    pytest.param({"failure-timeout": "1999ms"}, "failure_timeout_s", 1, id="a failure timeout in whole seconds"),
    pytest.param({"critical": "no"}, "critical", False, id="critical unless it says otherwise"),
    pytest.param({"multiple-active": "BLOCK"}, "multiple_active", "block", id="words in any case"),
    pytest.param({"priority": "abc"}, "priority", 0, id="a priority that can't be read"),
]


@pytest.mark.parametrize(("meta", "field", "expected"), FIELDS)
def test_what_meta_attributes_set(meta: dict[str, str], field: str, expected: object) -> None:
    assert getattr(made(read(cib(primitive("A", meta)))).configured, field) == expected


def test_maintenance_mode_leaves_nothing_managed() -> None:
    resource = made(read(cib(primitive("A", {"is-managed": "true"}), options={"maintenance-mode": "true"})))
    assert (resource.managed, resource.configured.maintenance) == (False, True)


ROLES = [
    pytest.param("Stopped", False, "Stopped", id="Stopped limits"),
    pytest.param("stopped", False, "Stopped", id="in any case"),
    pytest.param("Started", False, "Unknown", id="Started doesn't"),
    pytest.param("Unpromoted", False, "Unknown", id="Unpromoted doesn't limit what isn't promotable"),
    pytest.param("Slave", True, "Unpromoted", id="what is, it does, also by its old name"),
    pytest.param("Promoted", True, "Unknown", id="Promoted doesn't"),
    pytest.param("asleep", True, "Unknown", id="nor does an unknown word"),
]


@pytest.mark.parametrize(("word", "is_promotable", "expected"), ROLES)
def test_target_roles(word: str, is_promotable: bool, expected: str) -> None:
    one = primitive("A", {"target-role": word})
    cluster = read(cib(promotable("P", one) if is_promotable else one))
    assert str(made(cluster, "A:0" if is_promotable else "A").placed.next_role) == expected


def test_tables_hold_the_nodes_known_by_then_with_their_scores() -> None:
    from reconciler.model.cluster import NodeDefinition

    cluster = read(cib(primitive(), nodes=[NodeDefinition("n1", id="n1", score="7"), NodeDefinition("n2", id="n2")]))
    assert made(cluster).placed.table.scores == {0: 7, 1: 0}


def test_in_an_opt_in_cluster_tables_are_empty() -> None:
    cluster = read(cib(primitive("A", {"remote-node": "guest"}), options={"symmetric-cluster": "false"}))
    assert len(made(cluster).placed.table) == 0
    assert len(made(cluster, "guest").placed.table) == 3, "but for connections to guest nodes"


def test_an_instance_in_a_bundle_may_run_in_its_own_container_only() -> None:
    network = BundleNetwork({"control-port": "1234"})
    cluster = read(cib(Bundle("B", "podman", {"image": "i"}, network, (), primitive("A", {}, params={"x": "1"}))))
    node = cluster.node_index["B-0"]
    assert node.is_guest
    assert made(cluster, "A:0").placed.table.scores == {node.index: 500}
    assert made(cluster, "B-0").placed.table.scores == {0: 0, 1: 0}


def test_the_options_of_a_container() -> None:
    from reconciler.scheduler.evaluating.parameters import parameters

    network = BundleNetwork({"ip-range-start": "10.0.0.1", "control-port": "9"})
    attributes = {"image": "web", "replicas": "2", "options": "--log-driver=journald", "network": "net0"}
    cluster = read(cib(Bundle("B", "podman", attributes, network, (), primitive())))
    options = parameters(cluster, made(cluster, "B-podman-1"), None)
    assert options["run_opts"] == (
        " -h B-1 -e PCMK_stderr=1 --net=net0 -e PCMK_remote_port=9"
        " -v /etc/pacemaker/authkey:/etc/pacemaker/authkey -v /var/log/pacemaker/bundles/B-1:/var/log"
        " -p 10.0.0.2:9:9 --log-driver=journald  --add-host=B-0:10.0.0.1 --add-host=B-1:10.0.0.2"
    )
    assert (options["mount_points"], options["run_cmd"]) == (
        "/var/log/pacemaker/bundles/B-1",
        "/usr/sbin/pacemaker-remoted",
    )


def test_nodes_are_ordered_as_people_count() -> None:
    cluster = read(cib(nodes=["n10", "N9", "n1", "n007", "n7"]))
    assert [node.name for node in cluster.nodes] == ["n1", "n7", "n007", "N9", "n10"]


def test_a_resource_may_be_inside_another_but_not_inside_itself() -> None:
    cluster = read(
        cib(primitive("A", {"container": "B"}), primitive("B", {"container": "B"}), primitive("C", {"container": "?"}))
    )
    assert [resource.container and resource.container.id for resource in cluster.resources] == ["B", None, None]
    assert [filler.id for filler in made(cluster, "B").fillers] == ["A"]
