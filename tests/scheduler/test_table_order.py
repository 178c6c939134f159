"""The order of hash tables and the shape of the sort (specification part 2, appendix A)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cib import Cib
from reconciler.model.date import Instant
from reconciler.scheduler.reading.nodes import add_node
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.node import NodeKind
from reconciler.scheduler.working.table import NodeTable
from reconciler.scheduler.working.table_order import hash_order, in_table_order, merge_sort

KNOWN = [
    ("three nodes", ["n1", "n2", "n3"], ["n2", "n1", "n3"]),
    (
        "seven nodes, after growing",
        [f"node{number}" for number in range(1, 8)],
        [f"node{number}" for number in (2, 4, 6, 1, 3, 5, 7)],
    ),
    (
        "collisions",
        ["alpha", "beta", "host-a", "host-b", "zeta"],
        ["zeta", "host-a", "alpha", "beta", "host-b"],
    ),
]


@pytest.mark.parametrize(("keys", "order"), [pytest.param(keys, order, id=name) for name, keys, order in KNOWN])
def test_known_orders(keys: list[str], order: list[str]) -> None:
    assert hash_order(keys) == order


@given(st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=300))
def test_every_key_comes_once(keys: list[str]) -> None:
    assert sorted(hash_order(keys)) == sorted(keys)


def table_of(names: list[str]) -> tuple[Cluster, NodeTable]:
    """A table with a node of each name."""
    cluster = Cluster(Cib(), Instant(0))
    table = NodeTable()
    for name in names:
        table.set(add_node(cluster, name, name, NodeKind.CLUSTER, 0).index, 0)
    return cluster, table


def names_in_order(cluster: Cluster, table: NodeTable) -> list[str]:
    return [cluster.nodes_by_index[index].name for index in in_table_order(cluster, table)]


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=3), unique=True, min_size=1, max_size=40), st.integers(0, 5))
def test_a_copy_is_filled_in_the_order_of_its_original(names: list[str], copies: int) -> None:
    cluster, table = table_of(names)
    expected = names
    for _ in range(copies):
        table = table.copy()
        expected = hash_order(expected)
    assert names_in_order(cluster, table) == hash_order(expected)


def test_what_is_added_after_copying_comes_after_what_was_copied() -> None:
    names = [f"host-{letter}" for letter in "abcdefghijk"]
    cluster, table = table_of(names[:6])
    copied = table.copy()
    for name in names[6:]:
        copied.set(add_node(cluster, name, name, NodeKind.CLUSTER, 0).index, 0)
    assert names_in_order(cluster, copied) == hash_order(hash_order(names[:6]) + names[6:])
    assert names_in_order(cluster, copied.copy()) == hash_order(names_in_order(cluster, copied))


@given(st.lists(st.integers(0, 9)))
def test_sorting_is_stable(numbers: list[int]) -> None:
    marked = list(enumerate(numbers))
    assert merge_sort(marked, lambda one, other: one[1] - other[1]) == sorted(marked, key=lambda pair: pair[1])


def test_a_circle_is_cut_where_the_halves_meet() -> None:
    beats = {("rock", "scissors"), ("scissors", "paper"), ("paper", "rock")}

    def compare(one: str, other: str) -> int:
        return -1 if (one, other) in beats else 1

    assert merge_sort(["rock", "scissors", "paper"], compare) == ["rock", "scissors", "paper"]
    assert merge_sort(["paper", "rock", "scissors"], compare) == ["paper", "rock", "scissors"]
