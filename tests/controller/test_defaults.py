"""What nobody said or did yet: no part of a node, no state and no agreement begins with more than that."""

from __future__ import annotations

import pytest

from reconciler.analysis.recording import Launched
from reconciler.cib import Cib
from reconciler.controller.cluster_clock import ClusterClock
from reconciler.controller.confirmation import Confirmation
from reconciler.controller.events import Emit
from reconciler.controller.fencing.record import FenceCause, FenceOrder, FenceProgress, Wanted
from reconciler.controller.flow import ANSWER_BYTES, Flow
from reconciler.controller.job import Recurring
from reconciler.controller.members import node_state, with_members
from reconciler.controller.membership.history import Rank, StateId
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import AgentOrder, Kept
from reconciler.controller.moment import Moment
from reconciler.controller.own import Own
from reconciler.controller.pulse import Pulse
from reconciler.controller.quorum.votes import RingVerdict, Votequorum
from reconciler.controller.replica import Partition, Replica
from reconciler.controller.shared import Activation, Shared
from reconciler.controller.standing import Member
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.resource import Agent
from reconciler.model.status import NodeState, Status


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (Votequorum({}, 0), {"two_node": False, "wait_for_all": False, "last_man_standing": False, "qdevice_votes": 0}),
        (Votequorum({}, 0), {"all_seen": False, "auto_tie_breaker": False}),
        (RingVerdict(True, 1), {"qdevice_votes": 0}),
        (
            FenceOrder(1, "n2", 1, "b", FenceProgress(), (), 1, True, "n1", "n1-1", 5),
            {"delay_ms": 0, "delay_most_ms": 0},
        ),
        (FenceProgress(), {"level": 0, "step": 0, "tries": 0, "rounds": 0}),
        (Wanted("n2", "b", FenceCause.LOST, "off", "", 0), {"not_before_ms": 0}),
        (Rank(), {"admin_epoch": 0, "decided": 0, "seq": 0}),
        (StateId(), {"beside": 0, "chain": ""}),
        (Own(), {"promised": 0, "blank": False}),
        (Partition(), {"view": "", "members": (), "installed": False, "protocol": 0}),
        (Member(Presence.ONLINE), {"rank": 0, "term": 0, "leaving": False, "stale": False, "ends_within_ms": 0}),
    ],
)
def test_a_value_that_nobody_told_says_nothing(value: object, fields: dict[str, object]) -> None:
    assert {name: getattr(value, name) for name in fields} == fields


def test_a_moment_is_meant_in_utc_unless_it_says_otherwise() -> None:
    moment = Moment(1_999, 5)
    assert (moment.offset_s, moment.boot_ms, moment.epoch_s) == (0, 0, 1)


def test_what_passed_is_what_any_clock_of_the_machine_says() -> None:
    earlier = Moment(0, 10, 0, 100)
    assert Moment(0, 15, 0, 103).since_ms(earlier) == 5
    assert Moment(0, 15, 0, 900).since_ms(earlier) == 800, "it was suspended"


def test_before_anybody_tells_the_time_a_machine_has_its_own() -> None:
    assert ClusterClock(0).at(Moment(0, 0), dc=False) == Moment(0, 0)
    assert ClusterClock(7).at(Moment(0, 0), dc=False).wall_ms == 7


def test_a_recurring_operation_begins_with_no_result_and_nothing_to_do_besides() -> None:
    launched = Launched("a", "monitor", "n1", "n1", Agent("ocf", "Dummy", "reconciler"), "1:1:0:run", interval_ms=5)
    recurring = Recurring(AgentOrder(1, 5, launched), (1, 1))
    assert (recurring.reported, recurring.queued, recurring.again, recurring.unwatched) == (None, False, False, False)
    assert recurring.watch_from_ms == 0


def test_a_node_that_has_begun_has_no_beats_bytes_or_pings_behind_it() -> None:
    pulse, flow = Pulse("n1"), Flow("n1")
    assert (pulse.number, pulse.members) == (0, ())
    assert (flow.waiting, flow.heard) == (0, {})
    flow.begin(("n1", "n2"))
    assert flow.delivered("n2", ANSWER_BYTES - 1) is False
    flow.begin(("n1", "n2"))
    assert flow.delivered("n2", ANSWER_BYTES - 1) is False, "in another view it is counted anew"
    assert flow.delivered("n2", 1) is True
    assert flow.delivered("n9", ANSWER_BYTES) is False, "of nobody who is there"


def test_the_first_word_that_makes_a_majority_is_told_and_once() -> None:
    shared = Shared(
        commit="c", activations=(Activation("0.0.0", "c", None, "git", "", "d", 0),), votes={"n1": 1, "n2": 1, "n3": 1}
    )
    confirmation = Confirmation("n1", Replica("n1", shared))
    assert confirmation.heard(Kept("n1", "c", 0)) == []
    (told,) = confirmation.heard(Kept("n2", "c", 0))
    assert isinstance(told, Emit)
    assert (told.fields["by"], told.fields["votes"], told.fields["of"]) == (["n1", "n2"], 2, 3)
    assert confirmation.heard(Kept("n3", "c", 0)) == []
    assert confirmation.by == ("n1", "n2", "n3")
    assert confirmation.heard(Kept("n3", "other", 0)) == []


# Nodes


def test_who_has_a_state_is_planned_for_and_all_go_by_their_names() -> None:
    nodes = (NodeDefinition("n1", id="1"), NodeDefinition("n2"))
    states = tuple(NodeState(name, name) for name in ("n1", "n3"))
    cib = with_members(Cib(configuration=Configuration(nodes=nodes), status=Status(nodes=states)))
    assert [(node.name, node.id) for node in cib.configuration.nodes] == [("n1", None), ("n2", None), ("n3", None)]
    plain = Cib(configuration=Configuration(nodes=nodes[1:]), status=Status(nodes=(NodeState("n2", "n2"),)))
    assert with_members(plain) is plain


def test_of_who_was_never_seen_there_is_no_history() -> None:
    assert node_state(Cib(), "n1") == NodeState("n1", "n1", has_history=False)
