"""A planned fencing is wanted in the shared record, and the action of the plan ends when that says how it stands."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.controller.coordinator import Coordinator
from reconciler.controller.events import Broadcast, Emit
from reconciler.controller.fencing.messages import FenceWanted
from reconciler.controller.fencing.record import Down, FenceCause, Fencing, Wanted
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import Observe
from reconciler.controller.moment import Moment
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Shared
from reconciler.controller.standing import Member
from reconciler.controller.transition import Transition
from reconciler.frozen import replace
from reconciler.model.date import Instant
from reconciler.scheduler import schedule
from reconciler.scheduler.plan import ActionKind, PlannedAction

NOW = Moment(1_800_000_000_000, 1_000)
ONLINE, GONE = Member(Presence.ONLINE, 1, "boot-2"), Member(Presence.UNCLEAN, 1, "boot-2")
PLAN = schedule(Cib(), Instant(1_800_000_000))


def carried_out(shared: Shared, how: str) -> tuple[Coordinator, list]:
    """A plan of the one fencing of n2, begun where the state is this."""
    replica = Replica("n1")
    replica.shared = shared
    told = {"CRM_meta_digests_all": "all", "CRM_meta_digests_secure": "secure"}
    action = PlannedAction(1, ActionKind.CLUSTER, "stonith", f"stonith-n2-{how}", node="n2", layers=(told,))
    coordinator = Coordinator("n1", "run")
    coordinator.transition = Transition(3, 7, replace(PLAN, actions=(action,)), NOW)
    return coordinator, coordinator.decide(replica, ("n1", "n2"), NOW)


def wanted(wishes: list) -> list[FenceWanted]:
    sent = [wish.message for wish in wishes if isinstance(wish, Broadcast)]
    return [message for message in sent if isinstance(message, FenceWanted)]


@pytest.mark.parametrize(
    ("known", "boot", "cause"),
    [(ONLINE, "boot-2", FenceCause.FAILED), (GONE, "boot-2", FenceCause.LOST), (None, "", FenceCause.LOST)],
    ids=["a member", "one that was lost", "one that was never seen"],
)
def test_being_there_is_no_cure_for_a_member_and_is_one_for_who_was_lost(known, boot, cause) -> None:
    coordinator, wishes = carried_out(Shared(nodes={} if known is None else {"n2": known}), "reboot")
    (told,) = wanted(wishes)
    assert (told.target, told.boot, told.cause, told.action) == ("n2", boot, cause, "reboot")
    assert coordinator.transition is not None, "it goes on until the target is down"


@pytest.mark.parametrize(("how", "action"), [("off", "off"), ("reboot", "reboot"), ("poweroff", "off")])
def test_how_a_node_is_fenced_is_what_was_planned(how, action) -> None:
    _, wishes = carried_out(Shared(nodes={"n2": GONE}), how)
    assert [told.action for told in wanted(wishes)] == [action]


def test_who_is_down_already_is_not_fenced_again_and_the_action_is_done() -> None:
    down = Fencing(records={"n2": Down("n2", "boot-2", "n1", 0)})
    _, wishes = carried_out(Shared(nodes={"n2": GONE}, fencing=down), "reboot")
    assert wanted(wishes) == []
    done = next(wish.fields for wish in wishes if isinstance(wish, Emit) and wish.type == "transition_done")
    assert (done["complete"], done["done"], done["failed"]) == (True, 1, 0)


def test_what_is_wanted_already_is_awaited() -> None:
    open_ = Wanted("n2", "boot-2", FenceCause.LOST, "reboot", "", 0)
    shared = Shared(nodes={"n2": GONE}, fencing=Fencing(records={"n2": open_}))
    coordinator, wishes = carried_out(shared, "reboot")
    assert wanted(wishes) == []
    assert coordinator.transition is not None


def test_an_unknown_way_of_fencing_fails_the_action() -> None:
    _, wishes = carried_out(Shared(nodes={"n2": GONE}), "nudge")
    assert wanted(wishes) == []
    texts = [str(wish.fields) for wish in wishes if isinstance(wish, Emit)]
    assert any("nudge is no action that nodes are fenced with here" in text for text in texts)


def test_a_member_is_unfenced_in_the_life_that_it_is_in() -> None:
    _, wishes = carried_out(Shared(nodes={"n2": ONLINE}), "on")
    (told,) = wanted(wishes)
    assert (told.target, told.boot, told.cause, told.action) == ("n2", "boot-2", FenceCause.UNFENCE, "on")


@pytest.mark.parametrize("known", [None, ONLINE], ids=["never seen", "under way"])
def test_who_was_never_seen_or_is_being_fenced_is_not_unfenced(known) -> None:
    open_ = Wanted("n2", "boot-2", FenceCause.ASKED, "off", "", 0)
    records = {} if known is None else {"n2": open_}
    nodes = {} if known is None else {"n2": known}
    _, wishes = carried_out(Shared(nodes=nodes, fencing=Fencing(records=records)), "on")
    assert wanted(wishes) == []


def test_once_it_was_unfenced_the_node_remembers_when_and_with_which_devices() -> None:
    coordinator, _ = carried_out(Shared(nodes={"n2": ONLINE}), "on")
    shared = Shared(nodes={"n2": ONLINE})
    before = replace(shared, fencing=Fencing(records={"n2": Wanted("n2", "", FenceCause.UNFENCE, "on", "", 0)}))
    (told,) = coordinator.fenced(before, shared, NOW, "n2")
    assert isinstance(told.message, Observe)
    assert (told.message.term, told.message.transition, told.message.action) == (3, 7, 1)
    assert {seen.name: seen.value for seen in told.message.observations} == {
        "#node-unfenced": "1800000000",
        "#digests-all": "all",
        "#digests-secure": "secure",
    }


@pytest.mark.parametrize("left", [{}, {"n2": Down("n2", "boot-2", "n1", 0)}], ids=["given up", "done"])
def test_what_an_operator_had_asked_for_unfences_nobody(left) -> None:
    coordinator, _ = carried_out(Shared(nodes={"n2": ONLINE}), "on")
    asked = Fencing(records={"n2": Wanted("n2", "boot-2", FenceCause.ASKED, "off", "ann", 0)})
    before, shared = (Shared(nodes={"n2": ONLINE}, fencing=one) for one in (asked, Fencing(records=left)))
    wishes = coordinator.fenced(before, shared, NOW, "n2")
    assert not [wish for wish in wishes if isinstance(wish, Broadcast)]
    assert coordinator.transition is None or not coordinator.transition.running


@pytest.mark.parametrize("how", ["on", "off"])
@pytest.mark.parametrize("about", ["n3", None], ids=["of another target", "a configuration"])
def test_what_is_told_before_the_wish_was_delivered_ends_nothing(how: str, about: str | None) -> None:
    """Else a node counted as unfenced that was not, and what needs that was started there."""
    shared = Shared(nodes={"n2": ONLINE})
    coordinator, _ = carried_out(shared, how)
    assert coordinator.fenced(shared, shared, NOW, about) == []
    assert coordinator.transition is not None
    assert list(coordinator.transition.running) == [1]
    wanted_now = replace(shared, fencing=Fencing(records={"n2": Wanted("n2", "", FenceCause.UNFENCE, how, "", 0)}))
    assert coordinator.fenced(shared, wanted_now, NOW, "n2") == [], "it was delivered, and is not done"
    assert coordinator.fenced(wanted_now, shared, NOW, about) != [], "what was open, and is not any more, is over"
