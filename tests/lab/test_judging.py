"""The judge of lives sees what it is there for."""

from __future__ import annotations

from typing import Any

from reconciler.cli.node.client import Client

from .judging import Chronicle, twice


class Told(Client):
    """A node that says what it is told to."""

    def __init__(self, *commits: str, dc: str = "n1", options: str = "") -> None:
        super().__init__("nowhere")
        self._entries = [{"version": f"0.{at}.0", "commit": commit} for at, commit in enumerate(commits)]
        self._cib = {"dc_id": dc, "options": options}

    def get(self, path: str, query: Any = None) -> dict[str, Any]:
        return {"entries": self._entries[::-1], "cib": self._cib}


def test_who_agrees_and_has_all_is_well() -> None:
    chronicle = Chronicle()
    assert chronicle.read({"n1": Told("a", "b"), "n2": Told("a", "b", dc="n2")}) == []
    assert chronicle.lacks(["a", "b"]) == []


def test_what_one_node_lacks_is_lost() -> None:
    chronicle = Chronicle()
    assert chronicle.read({"n1": Told("a", "b"), "n2": Told("a")}) == ["the nodes have different histories"]
    assert chronicle.lacks(["a", "b"]) == ["n2 has lost the acknowledged commit b"]


def test_a_history_that_is_another_than_before_was_rewritten() -> None:
    chronicle = Chronicle()
    chronicle.read({"n1": Told("a", "b")})
    assert chronicle.read({"n1": Told("a", "c")}) == ["n1 says that c was active as 0.1.0, and said b"]


def test_a_difference_of_the_state_is_seen() -> None:
    read = Chronicle().read({"n1": Told("a"), "n2": Told("a", options="another")})
    assert read == ["the nodes have different states"]


def test_only_what_runs_twice_is_told() -> None:
    assert twice([["1", "start", "s1", "n1", "7"], ["2", "TWICE", "s1", "n2", "8"]]) == [
        "active twice: 2 TWICE s1 n2 8"
    ]
