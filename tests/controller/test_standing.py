"""How long a node that is gone is waited for, case by case."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib, Version
from reconciler.controller.installing import Installed, facts, install
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import Settled
from reconciler.controller.shared import Shared, deliver
from reconciler.controller.standing import GRACE_MS, Member, grace_ms, present
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent, Operation, Primitive

from .conftest import SingleNode
from .written import configuration, primitive

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


THREE = {name: Member(Presence.ONLINE, 1, f"boot-{name}", f"{name}-1", 3) for name in ("n1", "n2", "n3")}


def without_n3(shared: Shared) -> Member:
    """What is known of n3 once the others have installed a view without it."""
    pair = ("n1", "n2")
    installed = Installed(
        cluster="c",
        term=4,
        members=pair,
        dc="n1",
        quorate=True,
        ranks={"n1": 1, "n2": 2},
        boots={name: f"boot-{name}" for name in pair},
        incarnations={name: f"{name}-1" for name in pair},
        hosts=pair,
    )
    return install(shared, installed).nodes["n3"]


@pytest.mark.parametrize(("former_ms", "wanted"), [(0, "its own"), (7_000_000, 7_000_000), (None, None)])
def test_who_is_lost_may_have_the_configuration_before(former_ms: int | None, wanted: object) -> None:
    """Before all have settled on a configuration, one that is lost may not have got it."""
    stopping = cib(no_quorum_policy="stop", stonith_enabled="false")
    lost = without_n3(Shared(cib=stopping, nodes=THREE, term=3, ends_within_ms=former_ms))
    own_ms = grace_ms(stopping, Presence.UNCLEAN, fencing=False)
    assert lost.ends_within_ms == (own_ms if wanted == "its own" else wanted)


def test_an_activation_keeps_how_long_who_lacks_it_goes_on_until_all_have_settled(single: SingleNode) -> None:
    single.apply(configuration(primitive("a"), no_quorum_policy="freeze"))
    single.converge()
    assert single.node.replica.shared.ends_within_ms == 0
    single.apply(configuration(primitive("a", x="2"), no_quorum_policy="stop"))
    assert single.node.replica.shared.ends_within_ms is None, "under freeze it goes on for ever"
    single.converge()
    assert single.node.replica.shared.ends_within_ms == 0


@pytest.mark.parametrize(("version", "wanted"), [("0.4.7", 0), ("0.3.7", 9_000), ("0.40.7", 9_000)])
def test_a_word_that_all_have_settled_is_about_its_own_version(version: str, wanted: int) -> None:
    """Another configuration may have been activated while it was on its way."""
    shared = Shared(cib=Cib(version=Version(0, 4, 1)), ends_within_ms=9_000)
    assert deliver(shared, "n1", Settled(version, None, (), 1)).ends_within_ms == wanted


def test_a_hello_tells_as_whom_each_node_was_met() -> None:
    told = facts(
        Shared(nodes=THREE), "n1", promised=0, blank=False, incarnation="n1-2", boot="boot-n1", protocols=(1, 2)
    )
    assert told.seen == {"n1": "n1-1", "n2": "n2-1", "n3": "n3-1"}
