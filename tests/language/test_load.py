"""Loading: sections of many files become one configuration, in the model's words, whatever the order of files."""

from __future__ import annotations

import itertools

import pytest

from reconciler.errors import Place
from reconciler.language import load
from reconciler.model.attributes import AttributeBlock, plain, secret_name
from reconciler.model.cluster import Configuration, FencingLevel
from reconciler.model.constraint import Colocation, Location, Order, ResourceSet
from reconciler.model.resource import Agent, Clone, Group, Primitive
from reconciler.model.rule import AttributeExpression, DateExpression, Rule

QUIET = b"cluster: {options: {fencing-enabled: false}}\nnodes: {n1: {}}\n"


def loaded(*texts: str, quiet: bytes = QUIET) -> Configuration:
    files = {f"{number}.yaml": text.encode() for number, text in enumerate(texts)}
    answer = load(files | {"quiet.yaml": quiet})
    assert answer.configuration is not None, "\n".join(str(finding) for finding in answer.findings)
    return answer.configuration


def test_the_order_of_files_changes_nothing() -> None:
    parts = [
        b"primitives: {b: {agent: 'ocf:x:y'}, a: {agent: 'ocf:x:y'}}\n",
        b"groups: {g: {members: [b, a]}}\ntags: {t: [g]}\n",
        b"constraints: {orders: {z: {first: p, then: g}, y: {sets: [[p], [g]]}}}\nprimitives: {p: {agent: 'lsb:p'}}\n",
        QUIET,
    ]
    found = [
        load({f"{n}.yaml": part for n, part in enumerate(some)}).configuration for some in itertools.permutations(parts)
    ]
    assert found[0] is not None
    assert all(one == found[0] for one in found)


def test_resources_are_put_together() -> None:
    configuration = loaded(
        "primitives: {a: {agent: 'ocf:x:y'}, b: {agent: 'systemd:b@1:x'}, c: {template: t}}\n"
        "templates: {t: {agent: 'ocf:x:y'}}\n"
        "groups: {g: {members: [b, a]}}\nclones: {k: {resource: g, promotable: false}}\n"
        "bundles: {u: {container: {type: podman, image: i, replicas: 2}, network: {control-port: 3121}, primitive: c}}\n"
    )
    bundle, clone = sorted(configuration.resources, key=lambda one: type(one).__name__)
    group = Group("g", (Primitive("b", Agent("systemd", "b@1:x")), Primitive("a", Agent("ocf", "y", "x"))))
    assert clone == Clone("k", group, (AttributeBlock({"promotable": "false", "interleave": "true"}),))
    assert bundle.primitive == Primitive("c", template="t")  # type: ignore[union-attr]  # The test says that it is one.
    assert bundle.container_attributes == {"image": "i", "replicas": "2"}  # type: ignore[union-attr]  # The same.


@pytest.mark.parametrize(
    ("text", "interleave"),
    [
        ("clones: {k: {resource: a}}", "true"),
        ("clones: {k: {resource: a, meta: {interleave: false}}}", "false"),
        ("clones: {k: {resource: a}}\ndefaults: {resources: {interleave: false}}", None),
    ],
)
def test_a_clone_interleaves_unless_it_or_the_defaults_say_otherwise(text: str, interleave: str | None) -> None:
    [clone] = loaded(f"primitives: {{a: {{agent: 'ocf:x:y'}}}}\n{text}\n").resources
    assert next((block.values.get("interleave") for block in clone.meta), None) == interleave


def test_parameters_keep_their_source_text() -> None:
    [primitive] = loaded(
        "primitives: {a: {agent: 'ocf:x:y', params: {v: 1.10, mode: 0644, on: yes, t: true, n: -0, s: '', pw: {secret: db}}}}\n"
    ).resources
    [block] = primitive.params
    pw = block.values.pop("pw")  # type: ignore[attr-defined]  # It is a dict.
    assert block.values == {"v": "1.10", "mode": "0644", "on": "yes", "t": "true", "n": "-0", "s": ""}
    assert secret_name(pw) == "db"


def test_words_for_scores_are_read() -> None:
    configuration = loaded(
        "primitives: {a: {agent: 'ocf:x:y'}, b: {agent: 'ocf:x:y'}}\nconstraints:\n  locations:\n"
        "    l1: {resource: a, node: n1, score: require}\n    l2: {resource: a, node: n1, prefer: 50, role: Started}\n"
        "    l3: {resource: a, node: n1, avoid: 50}\n    l4: {resource: b, node: n1, score: -INFINITY, role: Promoted}\n"
    )
    assert [one.score for one in configuration.constraints if isinstance(one, Location)] == [
        "INFINITY",
        "50",
        "-50",
        "-INFINITY",
    ]


def test_former_names_become_the_models() -> None:
    answer = load(
        {
            "a.yaml": b"cluster: {options: {fencing-enabled: false, fencing-timeout: 70s, no-quorum-policy: fence}}\n"
            b"primitives: {a: {agent: 'ocf:x:y', meta: {target-role: Slave}}}\n"
            b"clones: {k: {resource: a, promotable: true, meta: {master-max: 1}}}\n"
        }
    )
    configuration = answer.configuration
    assert configuration is not None
    assert configuration.options == plain(
        {"stonith-enabled": "false", "stonith-timeout": "70s", "no-quorum-policy": "suicide"}
    )
    [clone] = configuration.resources
    assert isinstance(clone, Clone)
    assert clone.meta[0].values["promoted-max"] == "1"
    assert clone.resource.meta[0].values["target-role"] == "Unpromoted"


def test_a_former_and_a_present_name_of_one_setting_exclude_each_other() -> None:
    answer = load({"a.yaml": b"cluster: {options: {fencing-enabled: false, stonith-enabled: true}}\n"})
    assert "given-twice" in [finding.code for finding in answer.findings]


def test_the_name_of_the_cluster_is_known_to_rules() -> None:
    configuration = loaded(
        "", quiet=b"cluster: {name: web, options: {fencing-enabled: false}}\nnodes: {n1: {standby: true}}\n"
    )
    assert configuration.name == "web"
    assert configuration.options[0].values["cluster-name"] == "web"
    assert configuration.nodes[0].attributes == plain({"standby": "true"})


def test_rules_are_read_as_text_and_in_parts() -> None:
    rule = Rule((AttributeExpression("rack", "eq", "a"), Rule((DateExpression("gt", "2026-01-01"),), "and")), "or")
    base = "primitives:\n  a:\n    agent: ocf:x:y\n    params:\n      - values: {x: 1}\n        rule:"
    text = loaded(f"{base} rack eq a or (date gt 2026-01-01)\n").resources[0].params[0].rules
    parts = (
        loaded(
            f"{base}\n          boolean-op: or\n          expressions:\n            - {{attribute: rack, operation: eq, value: a}}\n"
            "            - {rule: {expressions: [{date: {operation: gt, start: 2026-01-01}}]}}\n"
        )
        .resources[0]
        .params[0]
        .rules
    )
    assert text == parts == (rule,)


def test_short_and_long_constraints() -> None:
    configuration = loaded(
        "primitives: {a: {agent: 'ocf:x:y'}, b: {agent: 'ocf:x:y'}, c: {agent: 'ocf:x:y'}}\nconstraints:\n"
        "  locations:\n    by: {resource: a, rule: rack eq x, score: 7, role: Promoted}\n"
        "  colocations:\n    co: {sets: [[a, b], {resources: [c], role: Started}], score: 5}\n"
        "  orders:\n    o: {sets: [[a], {resources: [b, c], sequential: false, require-all: false}], kind: Optional}\n"
    )
    by, co, o = configuration.constraints
    assert by == Location(
        "by", "a", rules=(Rule((AttributeExpression("rack", "eq", "x"),), score="7", role="Promoted"),)
    )
    assert co == Colocation("co", sets=(ResourceSet(("a", "b")), ResourceSet(("c",), role="Started")), score="5")
    assert o == Order("o", sets=(ResourceSet(("a",)), ResourceSet(("b", "c"), "false", "false")), kind="Optional")


def test_the_order_where_pacemaker_goes_by_order_is_by_name_unless_said() -> None:
    text = "primitives: {c: {agent: 'ocf:x:y'}, a: {agent: 'ocf:x:y'}, b: {agent: 'ocf:x:y'}}\n"
    assert [one.id for one in loaded(text).resources] == ["a", "b", "c"]
    said = loaded(text, quiet=b"cluster: {options: {fencing-enabled: false}, order: [b]}\nnodes: {n1: {}}\n")
    assert [one.id for one in said.resources] == ["b", "a", "c"]


def test_fencing_levels_are_sorted_by_target_and_index() -> None:
    levels = "[{target: n1, index: 2, devices: [f]}, {target: n1, index: 1, devices: [f]}]"
    devices = f"fencing: {{devices: {{f: {{agent: 'stonith:x'}}}}, levels: {levels}}}\n"
    assert loaded(devices).fencing_levels == (FencingLevel("1", ("f",), "n1"), FencingLevel("2", ("f",), "n1"))


def test_places_lead_to_every_value() -> None:
    head = "primitives:\n  a:\n    agent: ocf:x:y\n"
    configuration = loaded(f"{head}    meta: {{priority: 5}}\n    operations: {{monitor: {{interval: 10s}}}}\n")
    places = configuration.places
    assert places["primitives", "a", "meta", "priority"] == Place("0.yaml", 4, 22)
    assert places["primitives", "a", "operations", "monitor", "interval"] == Place("0.yaml", 5, 38)
    assert places["nodes", "n1"] == Place("quiet.yaml", 2, 13)


def test_options_of_several_files_are_one() -> None:
    configuration = loaded("cluster: {options: {batch-limit: 5}}\n")
    assert configuration.options == (AttributeBlock({"batch-limit": "5", "stonith-enabled": "false"}),)
    twice = load(
        {"a.yaml": b"cluster: {options: {batch-limit: 5}}\n", "b.yaml": b"cluster: {options: {batch-limit: 6}}\n"}
    )
    assert [(one.code, str(one.place)) for one in twice.findings if one.code != "fencing-disabled"] == [
        ("defined-twice", "b.yaml:1:21")
    ]
