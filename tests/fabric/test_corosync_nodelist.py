"""corosync's node list as cmap gives it: what can be used, and what is said of what can't be."""

from __future__ import annotations

from ctypes import c_uint64
from typing import Any

import pytest

from reconciler.fabric.corosync.connection import Connection, NodeList, NodeListError, _fewest_votes
from reconciler.fabric.corosync.events import NodesFaulty, NodesRead, Process, QuorumTold, Ring
from reconciler.fabric.corosync.library import CS_ERR_NOT_EXIST, CS_OK, VotequorumInfo


class Cmap:
    """A map of keys, by the calls that a node list makes."""

    def __init__(self, **names: str | None) -> None:
        self.names = list(names.values())

    def cmap_initialize(self, _handle: Any) -> int:
        return CS_OK

    def cmap_iter_init(self, _handle: Any, _prefix: bytes, iterator: Any) -> int:
        iterator._obj.value = 0
        return CS_OK

    def cmap_iter_next(self, _handle: Any, iterator: Any, key: Any, *_: Any) -> int:
        place = iterator.value
        if place == len(self.names):
            return CS_ERR_NOT_EXIST
        key.value = f"nodelist.node.{place}.nodeid".encode()
        iterator.value += 1
        return CS_OK

    def cmap_iter_finalize(self, *_: Any) -> int:
        return CS_OK

    def cmap_get_uint32(self, _handle: Any, key: bytes, value: Any) -> int:
        value._obj.value = int(key.split(b".")[2]) + 1
        return CS_OK

    def cmap_get_string(self, _handle: Any, key: bytes, value: Any) -> int:
        name = self.names[int(key.split(b".")[2])]
        if name is None:
            return CS_ERR_NOT_EXIST
        value._obj.value = 1 + int(key.split(b".")[2])
        return CS_OK

    def take_string(self, pointer: Any) -> str:
        return str(self.names[pointer.value - 1])


def test_the_names_of_all_nodes_are_read() -> None:
    assert NodeList(Cmap(a="h1", b="db-2.example")).names() == {1: "h1", 2: "db-2.example"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cmap", "said", "advice"),
    [
        (Cmap(a="h1", b=None), "node 2 has no name", "corosync-cfgtool -R"),
        (Cmap(a="h1", b="h1"), "two nodes are called h1", "of its own"),
        (Cmap(a="h1", b="h2_"), "'h2_' can't be the name of a node", "first and last"),
        (Cmap(a="h1", b="höst"), "'h\\xf6st' can't be the name of a node", "letters, digits"),
        (Cmap(), "there is none", "nodelist"),
    ],
)
def test_what_cannot_be_used_is_said_with_what_to_do(cmap: Cmap, said: str, advice: str) -> None:
    with pytest.raises(NodeListError) as error:
        NodeList(cmap).names()  # type: ignore[arg-type]
    assert said in str(error.value)
    assert advice in error.value.advice


def test_a_list_that_cannot_be_used_any_more_leaves_the_names_of_before() -> None:
    """A node without a name in a list that is loaded anew took every member out of the cluster at once."""
    cmap = Cmap(a="h1", b="h2")
    connection = Connection.__new__(Connection)
    connection.nodes = NodeList(cmap)  # type: ignore[arg-type]
    assert connection._nodes_now() == NodesRead({1: "h1", 2: "h2"})
    cmap.names.append(None)
    told = connection._nodes_now()
    assert isinstance(told, NodesFaulty)
    assert "node 3 has no name" in told.why
    assert connection.names == {1: "h1", 2: "h2"}
    cmap.names[2] = "h3"
    assert connection._nodes_now() == NodesRead({1: "h1", 2: "h2", 3: "h3"})


class Votes(Cmap):
    """With what the quorum service says of the votes: the numbers never change."""

    def votequorum_getinfo(self, _handle: Any, _nodeid: int, info: Any) -> int:
        info._obj.quorum = 3
        return CS_OK


def test_a_node_that_changes_no_number_of_the_votes_is_told_all_the_same() -> None:
    """Of five, as of four, three are a quorum: the view went on with the names of before."""
    cmap = Votes(a="h1", b="h2", c="h3", d="h4")
    connection = Connection.__new__(Connection)
    connection._corosync = cmap  # type: ignore[assignment]
    connection.nodes = NodeList(cmap)  # type: ignore[arg-type]
    connection.names = connection.nodes.names()
    connection._votes, connection.process = c_uint64(), Process(1, 1)
    connection._faulty, connection._asked_again, connection._verdict = False, True, None
    connection._told, connection._rings = [], [(Ring(1, 1), True, (1, 2, 3, 4))]
    connection._tell_verdict()
    verdict = QuorumTold(Ring(1, 1), True, 3, 0, (1, 2, 3, 4))
    assert connection._told == [NodesRead(connection.names), verdict]
    connection._told.clear()
    connection._tell_verdict()
    assert connection._told == []
    cmap.names.append("h5")
    connection._tell_verdict()
    assert connection._told == [NodesRead({1: "h1", 2: "h2", 3: "h3", 4: "h4", 5: "h5"}), verdict]


@pytest.mark.parametrize(
    ("flags", "expected", "device", "fewest"),
    [
        (2, 3, 0, 0),
        (2 | 1, 2, 0, 1),
        (2 | 8, 5, 0, 2),
        (2 | 32, 5, 0, 1),
        (2 | 16, 4, 0, 2),
        (2, 5, 2, 0),
        (2 | 64, 5, 2, 1),
    ],
    ids=["majority", "two_node", "last_man_standing", "allow_downscale", "auto_tie_breaker", "no device", "a device"],
)
def test_with_how_few_votes_the_service_may_be_quorate(flags: int, expected: int, device: int, fewest: int) -> None:
    info = VotequorumInfo(highest_expected=expected, flags=flags, qdevice_votes=device)
    assert _fewest_votes(info) == fewest
