"""What is configured, found, placed and planned of a resource is kept apart, and each is written by its own stages alone.

The cluster and its nodes keep their fields in one object, which inner loops ask: of each field it is said here who writes it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import reconciler.scheduler
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.action import Action
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.configured import Configured
from reconciler.scheduler.working.constraints import TicketHold
from reconciler.scheduler.working.found import Found
from reconciler.scheduler.working.node import ClusterNode
from reconciler.scheduler.working.placed import Placed
from reconciler.scheduler.working.planned import Planned
from reconciler.scheduler.working.resource import BundleFields, BundleReplica, CloneFields, Resource

ROOT = Path(reconciler.scheduler.__file__).parent

WRITERS = {
    "configured": {"reading"},
    "found": {"recalling", "noting"},
    "placed": {"constraining", "placing", "noting"},
    "planned": {"acting", "ordering", "noting"},
}
"""The records of a resource, and the rooms that may write into them."""

OF_CLUSTER = {
    "evaluating": "digests operation_values options unfencing",
    "noting": "actions actions_by_key next_action_id orderings",
    "reading": "dc has_remote_nodes node_ids node_index node_keys nodes nodes_by_index resource_count templates",
    "recalling": "container_stops expired_entries failed failed_keys node_states status_index",
    "state": "blocked_count disabled_count instance_count tags",
    "constraining": "colocations locations",
    "placing": "assigners assignment_log attribute_values available name_ranks score_lines tangled_steps",
    "inside": "sanitized show_scores",
    "": "cib feature_set have_quorum now",
    "evaluating reading": "has_fence_device",
    "reading recalling": "resource_index",
    "noting reading recalling": "start_table",
    "constraining state": "tickets",
    "placing reading": "resources",
    "constraining placing": "messages",
    "acting recalling": "deferred_checks",
}
"""By the rooms that write them, the fields of a cluster; `recheck_by_s` is told by every room, through `recheck_at`."""

OF_NODE = {
    "reading": "discovery_mode failures is_dc",
    "recalling": "discovery_enabled expected_up history_unpacked maintenance_recorded pending running standby_on_fail was_fenced",
    "noting": "fence_reason",
    "placing": "assigned_count capacity",
    "": "is_remote",
    "reading recalling": "base_score unseen",
    "noting recalling": "requires_reset",
    "placing recalling": "online shutdown",
    "noting placing reading recalling": "unclean",
}
"""The same of a node, as far as no other noun of the working state has a field of that name."""

RECORDS = (Configured, Found, Placed, Planned, BundleFields, BundleReplica, CloneFields)

KEPT = {"param_cache", "operation_index"}
"""Fields that keep what was computed from what is configured, which `evaluating` does."""

CHANGING = frozenset(
    {
        "add",
        "append",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "raise_mode",
        "remove",
        "set",
        "setdefault",
        "sort",
        "update",
    }
)
"""Methods that change a list, a set, a dictionary or a table of scores."""


def changes(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Record, field and line of every place that assigns a record's field, or changes what it holds."""
    names = dict(_named(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                changed: ast.expr = node
            case ast.Call(func=ast.Attribute(attr=name, value=value)) if name in CHANGING:
                changed = value
            case _:
                continue
        yield from ((record, field, node.lineno) for record, field in _path(changed, names))


def _named(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Names that stand for a record: what `found = x.found` makes."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute(attr=record)) if record in WRITERS:
                yield name, record


def _path(changed: ast.expr, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The fields of records that the expression goes through: `x.placed.table.modes[i]` goes through `placed.table`."""
    while isinstance(changed, ast.Attribute | ast.Subscript):
        match changed:
            case ast.Attribute(attr=field, value=ast.Attribute(attr=record)) if record in WRITERS:
                yield record, field
            case ast.Attribute(attr=field, value=ast.Name(id=name)) if name in names:
                yield names[name], field
        changed = changed.value


def written() -> set[tuple[str, str, str]]:
    """Room, record and field of every change in the scheduler."""
    found = set()
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        found |= {(room, record, field) for record, field, _ in changes(ast.parse(path.read_text()))}
    return found


def writers(fields: set[str], is_owner: Callable[[ast.expr], bool]) -> dict[str, set[str]]:
    """The rooms that write each of the fields, of whatever `is_owner` takes for their owner. What makes the owner is not asked."""
    found: dict[str, set[str]] = {field: set() for field in fields}
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if room != "working":
            for field in _written(ast.parse(path.read_text()), fields, is_owner):
                found[field].add(room)
    return found


def _written(tree: ast.AST, fields: set[str], is_owner: Callable[[ast.expr], bool]) -> Iterator[str]:
    aliases = {
        node.targets[0].id: node.value.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Attribute)
        if node.value.attr in fields and is_owner(node.value.value)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                changed: ast.expr = node
            case ast.Call(func=ast.Attribute(attr=name, value=value)) if name in CHANGING:
                changed = value
            case _:
                continue
        while isinstance(changed, ast.Attribute | ast.Subscript):
            if isinstance(changed, ast.Attribute) and changed.attr in fields and is_owner(changed.value):
                yield changed.attr
            changed = changed.value
        if changed is not node and isinstance(changed, ast.Name) and changed.id in aliases:
            yield aliases[changed.id]


def _is_cluster(owner: ast.expr) -> bool:
    match owner:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in ("cluster", "_cluster")
    return False


def as_table(found: Mapping[str, set[str]]) -> dict[str, str]:
    """By the rooms, sorted, the fields that they write, sorted."""
    table: dict[str, list[str]] = {}
    for field in sorted(found):
        table.setdefault(" ".join(sorted(found[field])), []).append(field)
    return {rooms: " ".join(fields) for rooms, fields in table.items()}


def test_of_each_field_of_the_cluster_it_is_known_who_writes_it():
    assert as_table(writers(set(Cluster.__slots__) - {"recheck_by_s"}, _is_cluster)) == OF_CLUSTER


def test_of_each_field_of_a_node_it_is_known_who_writes_it():
    others = {field for noun in (Cluster, Resource, Action, TicketHold, *RECORDS) for field in noun.__slots__}
    others |= {"attributes", "name"}  # Rules and operations have such fields, too.
    assert as_table(writers(set(ClusterNode.__slots__) - others, lambda owner: True)) == OF_NODE


def test_each_record_is_written_by_its_own_stages():
    allowed = {(room, record) for record, rooms in WRITERS.items() for room in rooms}
    strangers = {
        (room, record, field)
        for room, record, field in written()
        if (room, record) not in allowed and not (room == "evaluating" and field in KEPT)
    }
    assert strangers == set()


def test_every_stage_that_may_write_a_record_does():
    assert {(room, record) for room, record, _ in written()} >= {
        (room, record) for record, rooms in WRITERS.items() for room in rooms
    }


@pytest.mark.parametrize(
    "line",
    [
        "x.found.role = 1",
        "x.a, y.found.role = 1, 2",
        "x.found.count += 1",
        "del x.found.known[1]",
        "x.found.known[1] = 2",
        "x.found.active.append(1)",
        "x.found.table.scores[1] = 2",
        "x.parent.found.table.set(1, 2)",
        "seen = x.found\nseen.role = 1",
    ],
)
def test_the_rule_sees_a_change_however_it_is_written(line: str):
    assert {record for record, _, _ in changes(ast.parse(line))} == {"found"}


@pytest.mark.parametrize("line", ["y = x.found.role", "x.found.active.index(1)", "found.role = 1", "x.found.role == 1"])
def test_reading_is_no_change(line: str):
    assert list(changes(ast.parse(line))) == []


def test_a_record_has_no_field_of_another():
    resource = Resource("A", Kind.PRIMITIVE)
    fields = [field for record in WRITERS for field in type(getattr(resource, record)).__slots__]
    assert len(set(fields)) == len(fields)
    assert not set(fields) - {"managed", "priority", "failure_timeout_s"} & set(dir(Resource))


def test_what_is_found_overrides_what_is_configured_without_changing_it():
    resource = Resource("A", Kind.PRIMITIVE)
    resource.configured.managed = resource.configured.allow_migrate = True
    resource.configured.failure_timeout_s, resource.configured.priority = 60, 5
    assert (resource.managed, resource.may_migrate, resource.failure_timeout_s, resource.priority) == (
        True,
        True,
        60,
        5,
    )
    resource.found.left_alone = resource.found.migration_failed = resource.found.failures_stay = True
    resource.placed.promotion_priority = 0
    assert (resource.managed, resource.may_migrate, resource.failure_timeout_s, resource.priority) == (
        False,
        False,
        0,
        0,
    )
    assert (resource.configured.managed, resource.configured.allow_migrate) == (True, True)
    assert (resource.configured.failure_timeout_s, resource.configured.priority) == (60, 5)
