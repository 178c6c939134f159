"""How long a node that is gone is waited for, case by case."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.controller.membership.presence import Presence
from reconciler.controller.standing import GRACE_MS, Member, grace_ms, present
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent, Operation, Primitive

STOPPED_IN = Primitive(
    "a", Agent("ocf", "Dummy", "reconciler"), operations=(Operation("stop", "0", attributes={"timeout": "90s"}),)
)


def cib(**options: str) -> Cib:
    written = {name.replace("_", "-"): value for name, value in options.items()}
    return Cib(configuration=Configuration(options=plain(written), resources=(STOPPED_IN,)))


@pytest.mark.parametrize("presence", [Presence.ONLINE, Presence.DOWN, Presence.WAITED])
@pytest.mark.parametrize("fencing", [True, False])
def test_who_is_there_or_down_or_was_waited_for_is_not_waited_for(presence: Presence, fencing: bool) -> None:
    assert grace_ms(cib(), presence, fencing=fencing) is None


def test_with_fencing_a_process_that_is_gone_may_be_back_and_a_lost_node_is_fenced() -> None:
    assert grace_ms(cib(), Presence.PENDING, fencing=True) == GRACE_MS
    assert grace_ms(cib(), Presence.UNCLEAN, fencing=True) is None


def test_without_fencing_a_machine_that_is_there_is_waited_for_without_end() -> None:
    assert grace_ms(cib(), Presence.PENDING, fencing=False) is None


def test_without_fencing_a_lost_node_has_the_time_to_stop_what_it_runs() -> None:
    told = grace_ms(cib(no_quorum_policy="stop"), Presence.UNCLEAN, fencing=False)
    assert told is not None
    assert told > 90_000, "its slowest stop may take as long"
    assert grace_ms(cib(no_quorum_policy="stop"), Presence.UNCLEAN, fencing=False, exclusive=False) is None
    assert grace_ms(cib(no_quorum_policy="ignore"), Presence.UNCLEAN, fencing=False) is None


def test_what_a_lost_node_goes_by_makes_the_wait_longer_and_never_shorter() -> None:
    def told(ends_within_ms: int | None, **options: str) -> int | None:
        return grace_ms(cib(**options), Presence.UNCLEAN, fencing=False, ends_within_ms=ends_within_ms)

    plain = told(0, no_quorum_policy="stop")
    assert plain is not None
    assert told(plain + 1, no_quorum_policy="stop") == plain + 1
    assert told(plain - 1, no_quorum_policy="stop") == plain
    assert told(None, no_quorum_policy="stop") is None, "by its own policy it goes on"
    assert told(0, no_quorum_policy="freeze") is None
    assert told(None, lost_node_grace="7s") == 7_000, "the operator says so"


def test_only_members_of_the_view_are_present() -> None:
    nodes = {one.value: Member(one, 1, f"boot-{one.value}", f"{one.value}-1") for one in Presence}
    assert {name: (one.incarnation, one.boot) for name, one in present(nodes).items()} == {
        "online": ("online-1", "boot-online")
    }
