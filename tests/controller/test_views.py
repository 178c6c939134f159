"""A view of several members, seen from one of them: whoever keeps silent is not waited for without end."""

from __future__ import annotations

from reconciler.controller import events as ev
from reconciler.controller.installing import Installed, install
from reconciler.controller.membership.events import View
from reconciler.controller.messages import Exclude
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.controller.shared import Shared

from .written import configuration, primitive, sent


def installed(shared: Shared, *, term: int | None, members: tuple[str, ...]) -> Shared:
    """The state once a view of these members is installed."""
    named = dict.fromkeys(members, "")
    ranks = dict.fromkeys(members, 1)
    return install(shared, Installed("c", term, members, members[0], term is not None, ranks, named, named, members))


def test_a_member_that_says_nothing_is_named_and_the_others_go_on_without_it(single) -> None:
    single.apply(configuration(primitive("a")))
    single.converge()
    members = ("n1", "n2", "n3")
    single.feed(ev.ViewChanged(single.now, View("half deaf", members, RingVerdict(True, 2), members)))
    single.run(30_000)
    assert sent(single, Exclude)[0].nodes == ("n2", "n3")
    view = [event for event in single.events("daemon") if event["what"] == "view"][-1]
    assert view["members"] == ["n1"]
    assert set(view["excluded"]) == {"n2", "n3"}


def test_views_without_quorum_lead_to_states_that_are_told_apart() -> None:
    before = installed(Shared(), term=3, members=("n1", "n2", "n3"))
    alone, others = (installed(before, term=None, members=members) for members in (("n1",), ("n2",)))
    assert before.chain != alone.chain != others.chain != before.chain
    assert (alone.term, alone.seq, alone.beside) == (3, 0, 1), "it outranks nothing"
