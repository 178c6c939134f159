"""The worked examples of placement (specification part 2, appendix D): every score line, in the order in which it is decided."""

from __future__ import annotations

import pytest
from small_clusters import (
    bundle,
    cib,
    clone,
    colocation,
    group,
    location,
    placed,
    plan_of,
    primitive,
    promotable,
    score_lines,
)

from reconciler.cib import Cib

THREE = ("n1", "n2", "n3")

EXAMPLES = [
    pytest.param(
        cib(
            primitive("A"),
            primitive("B"),
            nodes=THREE,
            constraints=[location("B", "n2", 10), location("A", "n3", 7), colocation("A", "B", 500)],
        ),
        ["B: n1 0, n2 10, n3 1", "A: n1 0, n2 500, n3 7"],
        {"A": "n2", "B": "n2"},
        id="an optional colocation places the primary first and lets a thousandth of the dependent's wishes count, at least 1",
    ),
    pytest.param(
        cib(
            primitive("A"),
            primitive("B"),
            nodes=THREE,
            constraints=[
                location("B", "n2", 10),
                location("A", "n2", "-INFINITY"),
                location("A", "n1", 3),
                colocation("A", "B", "INFINITY"),
            ],
        ),
        ["B: n1 3, n2 -INFINITY, n3 0", "A: n1 3, n2 -INFINITY, n3 -INFINITY"],
        {"A": "n1", "B": "n1"},
        id="a mandatory colocation keeps the primary off where its dependent is banned",
    ),
    pytest.param(
        cib(
            group("G", "a", "b"),
            primitive("X"),
            primitive("Y"),
            constraints=[
                location("Y", "n2", 1000),
                colocation("G", "X", "INFINITY"),
                colocation("Y", "G", 100_000),
            ],
        ),
        [
            "group G: n1 0, n2 0",
            "group a: n1 0, n2 0",
            "group b: n1 0, n2 0",
            "X: n1 0, n2 200",
            "a: n1 -INFINITY, n2 100",
            "b: n1 -INFINITY, n2 100",
            "Y: n1 0, n2 101000",
        ],
        {"X": "n2", "a": "n2", "b": "n2", "Y": "n2"},
        id="what follows a group counts twice: by way of its members, and of its last member's followers",
    ),
    pytest.param(
        cib(
            clone("C", group("g", "a", "b"), {"clone-max": "2"}),
            nodes=THREE,
            constraints=[location("C", "n3", 500)],
            active={"a": ["n1", "n2"], "b": ["n1", "n2"]},
        ),
        [
            "clone C: n1 0, n2 0, n3 500",
            "clone g:0: n1 0, n2 0, n3 500",
            "clone a:0: n1 1, n2 0, n3 500",
            "clone b:0: n1 1, n2 0, n3 0",
            "clone g:1: n1 0, n2 0, n3 500",
            "clone a:1: n1 0, n2 1, n3 500",
            "clone b:1: n1 0, n2 1, n3 0",
            "group g:0: n1 0, n2 0, n3 500",
            "group a:0: n1 1, n2 0, n3 500",
            "group b:0: n1 1, n2 0, n3 0",
            "a:0: n1 2, n2 0, n3 500",
            "b:0: n1 -INFINITY, n2 -INFINITY, n3 0",
            "group g:1: n1 0, n2 0, n3 500",
            "group a:1: n1 0, n2 1, n3 500",
            "group b:1: n1 0, n2 1, n3 0",
            "a:1: n1 0, n2 2, n3 500",
            "b:1: n1 -INFINITY, n2 -INFINITY, n3 0",
        ],
        {"a:0": "n3", "b:0": "n3", "a:1": "n3", "b:1": "n3"},
        id="a cloned group that was to stay and went elsewhere is not taken back, nor counted there",
    ),
    pytest.param(
        cib(
            promotable("P", "p"),
            primitive("X"),
            constraints=[location("X", "n1", 100), colocation("X", "P", "INFINITY", with_role="Promoted")],
            active={"p": ["n1", "n2"]},
            attributes={"n1": {"master-p": "5"}, "n2": {"master-p": "7"}},
        ),
        [
            "clone P: n1 100, n2 0",
            "clone p:0: n1 6, n2 0",
            "clone p:1: n1 0, n2 8",
            "p:1: n1 0, n2 8",
            "p:0: n1 6, n2 -INFINITY",
            "promotion p:0: n1 205",
            "promotion p:1: n2 7",
            "X: n1 106, n2 -INFINITY",
        ],
        {"p:0": "n1", "p:1": "n2", "X": "n1"},
        id="what follows the promoted instance pulls the promotion to where it wants to be",
    ),
    pytest.param(
        cib(bundle("B", primitive("b"), replicas=2)),
        [
            "bundle B: n1 0, n2 0",
            "bundle B-podman-0: n1 0, n2 0",
            "bundle B-0: n1 0, n2 0",
            "bundle B-podman-1: n1 0, n2 0",
            "bundle B-1: n1 0, n2 0",
            "bundle B-clone: B-0 -INFINITY, B-1 -INFINITY, n1 0, n2 0",
            "bundle b:0: B-0 500",
            "bundle b:1: B-1 500",
            "B-podman-0: n1 0, n2 0",
            "B-podman-1: n1 -INFINITY, n2 0",
            "B-0: n1 10000, n2 0",
            "b:0: B-0 INFINITY",
            "B-1: n1 0, n2 10000",
            "b:1: B-1 INFINITY",
            "clone B-clone: B-0 0, B-1 0, n1 -INFINITY, n2 -INFINITY",
            "clone b:0: B-0 INFINITY",
            "clone b:1: B-1 INFINITY",
        ],
        {"B-podman-0": "n1", "B-podman-1": "n2", "b:0": "B-0", "b:1": "B-1"},
        id="a bundle places its containers, then each connection near its container, then what runs inside",
    ),
]


@pytest.mark.parametrize(("given", "lines", "nodes"), EXAMPLES)
def test_worked_examples(given: Cib, lines: list[str], nodes: dict[str, str]) -> None:
    plan = plan_of(given)
    assert score_lines(plan) == lines
    assert {id: placed(plan)[id] for id in nodes} == nodes
