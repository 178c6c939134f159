"""What is delivered is skipped alike by all, or written down and taken in; what others build upon waits for the disk."""

from __future__ import annotations

import base64
import hashlib

import pytest

from reconciler.cib.observations import AttributeSet
from reconciler.controller import events as ev
from reconciler.controller.envelope import Chunk, seal
from reconciler.controller.fencing.messages import FenceOrdered
from reconciler.controller.fencing.record import FenceOrder, FenceProgress
from reconciler.controller.fencing.topology import FenceStep
from reconciler.controller.membership.messages import Exclude
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import (
    Activate,
    Cleanup,
    Message,
    Observe,
    Ping,
    Propose,
    Settled,
)
from reconciler.controller.node import Node
from reconciler.controller.standing import Member
from reconciler.frozen import replace
from reconciler.simulator.host import Host

from .among import cluster_of, emitted, enveloped, hear, hear_in_pieces, node_of, of_kind, run_of, told
from .written import configuration


@pytest.fixture
def host() -> Host:
    """The second of three members: it is not the DC."""
    return cluster_of("n1", "n2", "n3").hosts["n2"]


@pytest.fixture
def node(host: Host) -> Node:
    assert host.node is not None
    return host.node


CLEANUP = Cleanup(("a",), 5)


def skipped(effects: list[ev.Effect]) -> str:
    """Why a message was skipped, without the sender; empty when it was taken in."""
    (text,) = emitted(effects, "message-skipped") or [""]
    return text.partition("skipped: ")[2]


@pytest.mark.parametrize(
    ("sender", "message", "head", "why"),
    [
        ("n3", CLEANUP, {}, ""),
        ("n3", CLEANUP, {"sender": "n1"}, "it says that it is from n1"),
        ("n3", CLEANUP, {"view": "before"}, "it was sent in another view"),
        ("n9", CLEANUP, {}, "it is of nobody who takes part"),
        ("n3", CLEANUP, {"cluster": "theirs"}, "it is of another cluster"),
        ("n3", Settled("1", None, (), 0), {}, "this member may not send a Settled"),
        ("n1", Settled("1", None, (), 0), {}, ""),
        ("n3", Chunk("digest", 1, 2, ""), {}, "read a piece of a message: another was expected"),
    ],
)
def test_in_an_installed_view_what_is_of_its_members_and_theirs_to_say_is_taken_in(
    host: Host, sender: str, message: Message, head: dict[str, str], why: str
) -> None:
    assert skipped(hear(host, sender, message, head=head)) == why


def test_nobody_is_understood_who_speaks_above_the_protocol_of_the_view(host: Host, node: Node) -> None:
    assert skipped(hear(host, "n3", CLEANUP)) == ""
    spoken = node.replica.partition.protocol
    node.replica.partition = replace(node.replica.partition, protocol=spoken - 1)
    why = skipped(hear(host, "n3", CLEANUP))
    assert why == f"it is of protocol {spoken}, and the view speaks {spoken - 1}"


@pytest.mark.parametrize(
    ("message", "why"),
    [(CLEANUP, "the view was not installed yet"), (Exclude(("n9",), ""), "")],
)
def test_before_a_view_is_installed_only_membership_is_spoken_of(
    host: Host, node: Node, message: Message, why: str
) -> None:
    """Whose cluster it is, a hello says: none is known before."""
    node.replica.partition = replace(node.replica.partition, installed=False)
    before = node.replica.shared
    effects = hear(host, "n3", message, head={"cluster": "theirs"})
    assert skipped(effects) == why
    assert node.replica.shared is before, "what is skipped before counts nowhere: others may not have heard it"
    assert not of_kind(effects, ev.Write)


def test_what_is_skipped_in_an_installed_view_is_noted_alike_by_all(host: Host, node: Node) -> None:
    before, count = node.replica.shared, node.skipped
    effects = hear(host, "n3", CLEANUP, head={"view": "before"})
    assert [effect.record.kind for effect in of_kind(effects, ev.Write)] == ["K"]
    after = node.replica.shared
    assert (after.seq, after.chain != before.chain, after.cib) == (before.seq + 1, True, before.cib)
    assert node.skipped == count + 1
    hear(host, "n3", CLEANUP)
    assert node.skipped == count + 1


# What the view may not begin


def without(node: Node, **stand: object) -> None:
    """The third member is lost, and the state is otherwise so."""
    shared = node.replica.shared
    nodes = {**shared.nodes, "n3": Member(Presence.UNCLEAN, boot="b3")}
    node.replica.shared = replace(shared, nodes=nodes, **stand)


@pytest.mark.parametrize(
    ("tasks", "stand", "why"),
    [
        (("start",), {}, "the members of this view may not begin what a Run begins"),
        (("stop", "promote"), {}, "the members of this view may not begin what a Run begins"),
        (("stop", "monitor"), {}, ""),
        (("start",), {"contested": False}, ""),
        (("start",), {"quorate": False}, ""),
    ],
    ids=[
        "a start",
        "a promotion besides a stop",
        "nothing begins",
        "nobody else is quorate",
        "the policy is the plan's",
    ],
)
def test_nothing_is_begun_where_others_may_be_quorate_too(
    host: Host, node: Node, tasks: tuple[str, ...], stand: dict[str, bool], why: str
) -> None:
    without(node, **({"quorate": True, "contested": True} | stand))
    assert skipped(hear(host, "n1", run_of(node, *tasks))) == why


@pytest.mark.parametrize(("contested", "skips"), [(True, True), (False, False)])
def test_nothing_is_activated_where_others_may_be_quorate_too(
    host: Host, node: Node, contested: bool, skips: bool
) -> None:
    without(node, contested=contested)
    effects = hear(host, "n1", Activate("c" * 40, 2, "digest", 0, node.replica.term))
    assert skipped(effects) == "the members of this view may not begin what a Activate begins" * skips


# Pieces


LARGE = Observe((), "x" * 600_000, 5)


def test_a_message_in_pieces_is_taken_in_with_its_last_one(host: Host, node: Node) -> None:
    before = node.replica.shared.seq
    effects = hear_in_pieces(host, "n3", LARGE)
    assert skipped(effects) == ""
    assert len(of_kind(effects, ev.Write)) == 1
    assert node.replica.shared.seq == before + 1


def test_what_comes_in_pieces_is_looked_at_as_what_comes_whole(host: Host) -> None:
    problems = Settled("x" * 600_000, None, (), 0)
    assert skipped(hear_in_pieces(host, "n3", problems)) == "this member may not send a Settled"


def test_another_view_forgets_the_pieces_of_the_one_before(host: Host, node: Node) -> None:
    one, two = Chunk("digest", 0, 3, "YQ=="), Chunk("digest", 1, 3, "YQ==")
    assert skipped(hear(host, "n3", one)) == ""
    node.intake.view_changed()
    assert skipped(hear(host, "n3", two)) == "read a piece of a message: another was expected"


def test_pieces_are_of_messages_and_not_of_pieces(host: Host, node: Node) -> None:
    piece = seal(enveloped(node, "n3", Chunk("digest", 0, 2, "YQ==")))
    whole = Chunk(hashlib.sha256(piece).hexdigest(), 0, 1, base64.b64encode(piece).decode())
    assert skipped(hear(host, "n3", whole)) == "a piece is in pieces"


# What members may send no more of than the slowest takes


@pytest.mark.parametrize(
    ("sender", "message", "head", "counted"),
    [
        ("n3", LARGE, {}, True),
        ("n3", LARGE, {"view": "before"}, False),
        ("n3", LARGE, {"sender": "n1"}, False),
        ("n3", Exclude((), "x" * 1_100_000), {}, False),
    ],
    ids=["of this view", "of another one", "in the name of another", "of membership"],
)
def test_after_a_mebibyte_of_a_view_a_member_says_how_much_it_has_heard(
    host: Host, node: Node, sender: str, message: Message, head: dict[str, str], counted: bool
) -> None:
    effects = hear(host, sender, message, head=head) + hear(host, sender, message, head=head)
    heard = [one.heard for one in told(effects) if isinstance(one, Ping)]
    assert [one["n3"] > 1024 * 1024 for one in heard] == [True] * counted
    assert (node.parts.flow.heard["n3"] > 1_000_000) is counted


def test_a_node_alone_counts_nothing() -> None:
    cluster = cluster_of("n1")
    host = cluster.hosts["n1"]
    effects = hear(host, "n1", LARGE) + hear(host, "n1", LARGE)
    assert told(effects) == []
    assert node_of(cluster, "n1").parts.flow.heard == {"n1": 0}


# What follows of itself


def test_what_nobody_could_read_is_skipped_as_well(host: Host, node: Node) -> None:
    effects = node.step(ev.Delivered(host.now, "n3", b"no message"))
    assert skipped(effects).startswith("read a message: ")
    assert [effect.record.kind for effect in of_kind(effects, ev.Write)] == ["K"]


@pytest.mark.parametrize(("who", "tells"), [("n1", False), ("n9", True)])
def test_what_is_told_of_a_node_that_nobody_knows_is_said(host: Host, who: str, tells: bool) -> None:
    effects = hear(host, "n1", Observe((AttributeSet(who, "x", "1"),), "", 0))
    assert bool(emitted(effects, "unknown-node")) is tells


@pytest.mark.parametrize(("sender", "waits"), [("n2", False), ("n3", True)])
def test_what_an_operator_wants_is_told_in_each_view_until_it_was_delivered(
    host: Host, node: Node, sender: str, waits: bool
) -> None:
    """Of ours: another member may have been asked for the same at the same time."""
    (asked,) = told(node.step(ev.CleanupAsked(host.now, ("a",))))
    hear(host, sender, asked)
    again = [wish.message for wish in node.parts.outbox.again(host.now) if isinstance(wish, ev.Broadcast)]
    assert again == [asked] * waits


@pytest.mark.parametrize(("fences", "skips"), [(True, False), (False, True)])
def test_nobody_is_fenced_by_those_who_may_not(host: Host, node: Node, fences: bool, skips: bool) -> None:
    """Here the configuration says whether there is fencing at all."""
    options = configuration(stonith_enabled=str(fences).lower())
    without(node, cib=replace(node.replica.shared.cib, configuration=options))
    order = FenceOrder(
        node.replica.term,
        "n3",
        1,
        "b3",
        FenceProgress(),
        (FenceStep("power", "off", True),),
        1,
        True,
        "n1",
        "n1-1",
        60_000,
    )
    effects = hear(host, "n1", FenceOrdered(order, 0))
    assert skipped(effects) == "the members of this view may not begin what a FenceOrdered begins" * skips


def test_what_there_is_no_memory_for_has_this_member_give_up_its_place(host: Host, node: Node) -> None:
    """The others may have taken it in. A node alone has nobody to go by, and the program around it sees to that."""
    host.exhausted = True
    host.tell(ev.Delivered(host.now, "n3", seal(enveloped(node, "n3", CLEANUP))))
    assert host.left == "no memory is left to take in what the others have"


def test_a_node_alone_does_not_give_up_what_there_is_no_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = cluster_of("n1")
    node = node_of(cluster, "n1")

    def run_out(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(node.replica, "take_in", run_out)
    with pytest.raises(MemoryError):
        hear(cluster.hosts["n1"], "n1", CLEANUP)


@pytest.mark.parametrize(
    ("message", "begins"), [(Propose("c" * 40, None, "git", "", False, 1), True), (CLEANUP, False)]
)
def test_what_begins_something_leaves_room_on_the_disk_for_its_end(host: Host, message: Message, begins: bool) -> None:
    assert [effect.begins for effect in of_kind(hear(host, "n3", message), ev.Write)] == [begins]


def test_what_was_held_after_something_was_skipped_is_compared_with_the_others(host: Host, node: Node) -> None:
    hear(host, "n3", CLEANUP, head={"view": "before"})
    shared = node.replica.shared
    for sender in ("n1", "n3"):
        ping = Ping(sender, 9, shared.term, shared.seq, shared.beside, "theirs", str(shared.cib.version), {}, 0)
        effects = hear(host, sender, ping)
    assert emitted(effects, "diverged") != []
