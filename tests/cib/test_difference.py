"""The difference of two configurations: in the operator's terms, and enough to make one from the other."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "language"))
from configurations import Draw, configuration_of

from reconciler.cib.canonical import from_json, to_json
from reconciler.cib.difference import ConfigChange, StaleChangeError, apply, diff
from reconciler.errors import Place
from reconciler.language import load
from reconciler.model.cluster import Configuration

BASE = b"""
cluster: {options: {batch-limit: 5, fencing-enabled: false}}
primitives:
  ip:
    agent: ocf:heartbeat:IPaddr2
    params: {ip: 10.0.0.1}
    operations:
      monitor: {interval: 10s}
  web: {agent: 'ocf:heartbeat:apache'}
groups:
  site: {members: [ip, web]}
constraints:
  locations:
    here: {resource: site, node: n1, score: 50}
"""


def loaded(text: bytes) -> Configuration:
    answer = load({"c.yaml": text})
    assert answer.configuration is not None, answer.findings
    return answer.configuration


def told(text: bytes) -> list[tuple[str, str, object, object, str]]:
    """What changes from BASE to the text, shortly."""
    changes = diff(loaded(BASE), loaded(text))
    return [
        (change.action, "/".join(change.address), change.before, change.after, str(change.place)) for change in changes
    ]


def test_the_same_differs_in_nothing() -> None:
    assert told(BASE) == []


INTERVAL = "primitives/ip/operations/monitor/interval"
TIMEOUT = "primitives/ip/operations/monitor/timeout"
SCORE = "constraints/locations/here/score"
IP = "primitives/ip/params/ip"


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        pytest.param(
            "10.0.0.1",
            "10.0.0.2",
            ("change", IP, "10.0.0.1", "10.0.0.2", "c.yaml:6:18"),
            id="a parameter",
        ),
        pytest.param(
            "interval: 10s",
            "interval: 20s",
            ("change", INTERVAL, "10s", "20s", "c.yaml:8:27"),
            id="an interval",
        ),
        pytest.param(
            "10s}",
            "10s, timeout: 5s}",
            ("add", TIMEOUT, None, "5s", "c.yaml:8:41"),
            id="a timeout",
        ),
        pytest.param(
            "[ip, web]",
            "[web, ip]",
            ("change", "groups/site/members", ["ip", "web"], ["web", "ip"], "c.yaml:11:19"),
            id="the order of members",
        ),
        pytest.param(
            "score: 50",
            "score: 60",
            ("change", SCORE, "50", "60", "c.yaml:14:45"),
            id="a score",
        ),
        pytest.param(
            "batch-limit: 5",
            "batch-limit: 6",
            ("change", "cluster/options/batch-limit", "5", "6", "c.yaml:2:34"),
            id="an option",
        ),
        pytest.param(
            "here:", "there:", ("rename", "constraints/locations/here", "here", "there", "c.yaml:14:12"), id="a name"
        ),
    ],
)
def test_one_change_is_told_as_the_operator_made_it(old: str, new: str, change: tuple[object, ...]) -> None:
    assert told(BASE.replace(old.encode(), new.encode())) == [change]


def test_what_is_added_and_removed_is_told_as_a_whole() -> None:
    text = BASE.replace(
        b"    here: {resource: site, node: n1, score: 50}", b"    gone: {resource: site, node: n2, score: 7}"
    )
    assert [one[:2] for one in told(text)] == [
        ("add", "constraints/locations/gone"),
        ("remove", "constraints/locations/here"),
    ]


def test_the_place_of_what_was_removed_is_in_the_old_files() -> None:
    [change] = diff(
        loaded(BASE), loaded(BASE.replace(b", score: 50", b", score: 50").replace(b"    params: {ip: 10.0.0.1}\n", b""))
    )
    assert (change.action, change.place) == ("remove", Place("c.yaml", 6, 13))


def mutated(configuration: Configuration, seed: int) -> Configuration:
    """The configuration with some parts left out, reordered, or taken from another one."""
    rng = random.Random(seed)
    plain = to_json(configuration)
    other = to_json(Draw(seed).configuration())
    for key in (
        "nodes",
        "templates",
        "resources",
        "constraints",
        "fencing_levels",
        "tags",
        "alerts",
        "acl_roles",
        "options",
    ):
        items = [_mutated(item, rng) for item in plain.get(key, []) if rng.random() < 0.7]
        taken = {_name(item) for item in items}
        items += [item for item in other.get(key, []) if rng.random() < 0.3 and _name(item) not in taken]
        if rng.random() < 0.2:
            rng.shuffle(items)
        plain[key] = items
    return from_json(Configuration, plain)


def _name(item: dict[str, object]) -> object:
    return item.get("id") or item.get("name")


def _mutated(item: dict[str, object], rng: random.Random) -> dict[str, object]:
    optional = (
        "params",
        "meta",
        "utilization",
        "operations",
        "description",
        "extra",
        "score",
        "rules",
        "lifetime",
        "attributes",
    )
    return {key: value for key, value in item.items() if key not in optional or rng.random() < 0.7}


def has_unique_names(configuration: Configuration) -> bool:
    try:
        return diff(configuration, configuration) == ()
    except Exception as error:
        if type(error).__name__ != "CatalogueError":
            raise
        return False


seeds = st.integers(0, 2**32)


@settings(max_examples=400, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seeds, seeds)
def test_applying_the_difference_gives_the_other(one: int, other: int) -> None:
    old = configuration_of(one)
    new = mutated(old, other) if other % 4 else configuration_of(other)
    if has_unique_names(new):
        assert apply(diff(old, new), old) == new


@settings(max_examples=100, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seeds, seeds)
def test_equal_configurations_are_those_without_difference(one: int, other: int) -> None:
    old = configuration_of(one)
    new = mutated(old, other)
    if has_unique_names(new):
        assert (diff(old, new) == ()) == (old == new)


@pytest.mark.parametrize(
    "change",
    [
        ConfigChange(("primitives", "nope", "params", "ip"), "change", "1", "2", None, ("primitives", "nope")),
        ConfigChange(("primitives", "ip", "params", "ip"), "change", "9", "2", None, ("primitives", "ip")),
        ConfigChange(("primitives", "ip"), "add", None, {"id": "ip"}, None, ("primitives", "ip")),
        ConfigChange(("groups", "site"), "remove", {"id": "site"}, None, None, ("groups", "site")),
    ],
)
def test_a_change_of_something_else_is_refused(change: ConfigChange) -> None:
    with pytest.raises(StaleChangeError):
        apply([change], loaded(BASE))


def test_a_rename_is_seen_in_whatever_order_the_values_come() -> None:
    old = loaded(BASE.replace(b"params: {ip: 10.0.0.1}", b"params: {nic: eth0, ip: 10.0.0.1}"))
    sent = from_json(Configuration, json.loads(json.dumps(to_json(old), sort_keys=True)))
    new = loaded(
        BASE.replace(b"params: {ip: 10.0.0.1}", b"params: {nic: eth0, ip: 10.0.0.1}")
        .replace(b"  ip:\n", b"  vip:\n")
        .replace(b"[ip, web]", b"[vip, web]")
    )
    found = [(one.action, one.before, one.after) for one in diff(sent, new) if one.object == ("primitives", "ip")]
    assert found == [("rename", "ip", "vip")]
    assert apply(diff(sent, new), sent) == new
