"""What the members share, message by message: what each leaves in the state, and what is read from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.analysis.recording import Launched
from reconciler.cib import Cib
from reconciler.cib.observations import AttributeSet, NodeObserved, transient
from reconciler.controller.fencing.record import FenceCause, Fencing, Wanted
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import (
    Abandoned,
    Accept,
    Activate,
    AgentOrder,
    GraceOver,
    Joined,
    Propose,
    Reject,
    Release,
    Report,
    Reported,
    Run,
    Shutdown,
    Underway,
)
from reconciler.controller.shared import _MOST_PROPOSALS as MOST_PROPOSALS
from reconciler.controller.shared import (
    MOST_ACTIVATIONS,
    Activation,
    Prepared,
    Shared,
    activation_of,
    agreed,
    chained,
    deliver,
    differing,
    lineage,
    observed,
)
from reconciler.controller.standing import PRESENT, Member
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent


def activation(commit: str, source: str) -> Activation:
    return Activation("0.1.0", commit, None, source, "", "digest", 0)


@pytest.mark.parametrize(
    ("source", "last"),
    [("site", "b"), ("other", "c"), ("unknown", None), ("apply", None), ("rollback", None)],
)
def test_a_source_goes_on_from_its_own_last_commit_that_was_active(source: str, last: str | None) -> None:
    made = [("a", "site"), ("b", "site"), ("c", "other"), ("d", "apply"), ("e", "rollback")]
    shared = Shared(activations=tuple(activation(*one) for one in made))
    assert lineage(shared, source) == last


def report(node: str, boot: str) -> Report:
    return Report(node, boot, (), (), (), 0)


def test_with_its_word_a_member_tells_which_start_of_its_machine_it_is() -> None:
    shared = deliver(Shared(boots={"n1": "before", "n2": "other"}), "n1", report("n1", "now"))
    assert shared.boots == {"n1": "now", "n2": "other"}
    assert shared.reported == ("n1",)


def test_who_tells_twice_is_named_once_and_in_order() -> None:
    shared = Shared()
    for node in ("n2", "n1", "n2"):
        shared = deliver(shared, node, report(node, "b"))
    assert shared.reported == ("n1", "n2")


def proposed(shared: Shared, commit: str, source: str = "git") -> Shared:
    return deliver(shared, "n1", Propose(commit, shared.commit, source, "", False, shared.term))


def test_of_too_many_open_proposals_the_first_by_name_goes_whatever_their_order() -> None:
    """Members that took the state over have them in another order, and all must drop the same one."""
    shared = Shared()
    for number in range(MOST_PROPOSALS, 0, -1):
        shared = proposed(shared, f"{number:040x}")
    assert len(shared.proposals) == MOST_PROPOSALS
    shared = proposed(shared, "f" * 40)
    assert set(shared.proposals) == {"f" * 40, *(f"{number:040x}" for number in range(2, MOST_PROPOSALS + 1))}


def test_a_proposal_is_based_on_what_is_in_force_when_it_is_delivered() -> None:
    shared = replace(Shared(), commit="b" * 40)
    told = deliver(shared, "n1", Propose("c" * 40, "a" * 40, "git", "", False, 0)).proposals["c" * 40]
    assert (told.base, told.proposer) == ("b" * 40, "n1")


def test_what_is_in_force_or_open_on_top_of_it_is_not_opened_anew() -> None:
    shared = proposed(replace(Shared(), commit="b" * 40), "c" * 40)
    assert proposed(shared, "b" * 40) is shared
    assert proposed(shared, "c" * 40, "other") is shared
    assert proposed(replace(shared, commit="d" * 40), "c" * 40).proposals["c" * 40].base == "d" * 40


# What nobody told is not so, and what is told is chained


def test_a_state_of_which_nothing_was_told_says_nothing() -> None:
    empty = Shared()
    assert (empty.seq, empty.beside, empty.term, empty.transition, empty.clock_ms, empty.ignored) == (0, 0, 0, 0, 0, 0)
    assert (empty.quorate, empty.contested, empty.withheld) == (False, False, False)
    assert (empty.commit, empty.rejected, empty.settled, empty.ends_within_ms) == (None, None, None, 0)


@pytest.mark.parametrize(
    ("quorate", "withheld", "seq", "beside"),
    [(True, False, 1, 0), (True, True, 0, 1), (False, False, 0, 1), (False, True, 0, 1)],
)
def test_what_is_delivered_where_nothing_is_decided_outranks_nothing(
    quorate: bool, withheld: bool, seq: int, beside: int
) -> None:
    after = chained(replace(Shared(), quorate=quorate, withheld=withheld), "n1", b"x", taken=True, at_ms=7)
    assert (after.seq, after.beside, after.clock_ms) == (seq, beside, 7)


def test_the_chain_tells_who_said_what_after_what_and_whether_it_was_taken_in() -> None:
    def chain(*heard: tuple[str, bytes, bool]) -> str:
        shared = Shared()
        for sender, data, taken in heard:
            shared = chained(shared, sender, data, taken=taken)
        return shared.chain

    one, two = ("n1", b"x", True), ("n1", b"y", True)
    chains = [chain(), chain(one), chain(two), chain(("n2", b"x", True)), chain(("n1", b"x", False))]
    chains += [chain(one, two), chain(two, one)]
    assert len(set(chains)) == len(chains)
    assert chain(one, two) == chain(one, two)


def test_the_clusters_time_never_goes_back() -> None:
    assert chained(replace(Shared(), clock_ms=9), "n1", b"", taken=True, at_ms=7).clock_ms == 9


# Observations


def test_each_observation_of_a_known_node_is_a_new_version_of_the_status_and_others_are_counted() -> None:
    known = observed(Shared(), (NodeObserved("n1", "n1", {"in_ccm": "true"}),))
    assert (known.cib.version.num_updates, known.ignored) == (1, 0)
    assert observed(known, ()) is known
    strange = AttributeSet("n9", "x", "1")
    after = observed(known, (strange,))
    assert (after.cib, after.ignored) == (known.cib, 1)
    after = observed(known, (strange, AttributeSet("n1", "x", "1")))
    assert (after.cib.version.num_updates, after.ignored) == (2, 1)


def test_a_shutdown_says_since_when_in_seconds_and_a_release_that_the_node_is_expected_to_be_down() -> None:
    known = observed(Shared(nodes={"n1": Member(Presence.ONLINE)}), (NodeObserved("n1", "n1", PRESENT),))
    (state,) = deliver(known, "n1", Shutdown("n1", 5_999)).cib.status.nodes
    assert transient(state) == {"shutdown": "5"}
    released = deliver(known, "n1", Release("n1", 0, 0, 0))
    assert released.nodes["n1"].leaving
    assert released.cib.status.nodes[0].attributes["expected"] == "down"
    assert deliver(known, "n1", Release("n9", 0, 0, 0)).nodes == known.nodes


# The wait for a lost node


def missing(
    presence: Presence, *, fencing: bool, quorate: bool = True, policy: str = "stop", contested: bool = False
) -> Shared:
    options = plain({"stonith-enabled": str(fencing).lower(), "no-quorum-policy": policy})
    nodes = {"n1": Member(Presence.ONLINE, incarnation="n1-1"), "n2": Member(presence, boot="b2")}
    return Shared(
        cib=Cib(configuration=Configuration(options=options)), nodes=nodes, votes=dict.fromkeys(nodes, 1),
        quorate=quorate, contested=contested,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("shared", "after"),
    [
        (missing(Presence.PENDING, fencing=True), Presence.UNCLEAN),
        (missing(Presence.UNCLEAN, fencing=False), Presence.WAITED),
        (missing(Presence.PENDING, fencing=False), Presence.PENDING),
        (missing(Presence.UNCLEAN, fencing=True), Presence.UNCLEAN),
        (missing(Presence.PENDING, fencing=True, quorate=False), Presence.PENDING),
        (missing(Presence.UNCLEAN, fencing=False, quorate=False), Presence.UNCLEAN),
        (missing(Presence.UNCLEAN, fencing=False, policy="ignore"), Presence.UNCLEAN),
        (missing(Presence.UNCLEAN, fencing=False, contested=True), Presence.UNCLEAN),
        (missing(Presence.ONLINE, fencing=True), Presence.ONLINE),
        (missing(Presence.DOWN, fencing=True), Presence.DOWN),
    ],
    ids=[
        "its process did not come back: it is fenced", "it has stopped by itself", "its machine may run what it ran",
        "it is fenced already", "we have no quorum: with fencing", "we have no quorum: without", "it stops nothing",
        "others may be quorate, too", "it is there", "it is down",
    ],
)  # fmt: skip
def test_when_the_wait_is_over(shared: Shared, after: Presence) -> None:
    told = deliver(shared, "n1", GraceOver("n2"))
    assert told.nodes["n2"].presence is after
    assert (told.cib is shared.cib) is (after is shared.nodes["n2"].presence), "the status says so, if it is news"
    assert told.fencing.is_open("n2") is (shared.nodes["n2"].presence is Presence.PENDING and after is Presence.UNCLEAN)
    assert deliver(shared, "n1", GraceOver("n9")) is shared


# What is under way


def underway(*actions: int) -> Mapping[str, tuple[Underway, ...]]:
    return {"n1": tuple(Underway(1, 2, action, "a", "start", 5) for action in actions), "n2": ()}


def result(action: int, **more: Any) -> Reported:
    return replace(Reported(1, 2, action, "a", "start", 0, "n1", 0, 0, False, "", 1, (), 4), **more)


@pytest.mark.parametrize(
    ("told", "left"),
    [
        (result(3), (4,)),
        (result(5), (3, 4)),
        (result(3, term=2), (3, 4)),
        (result(3, transition=3), (3, 4)),
        (result(3, node="n9"), (3, 4)),
        (result(3, resource="b", task="stop"), (4,)),
    ],
)
def test_a_result_ends_the_order_that_it_answers(told: Reported, left: tuple[int, ...]) -> None:
    shared = deliver(replace(Shared(), underway=underway(3, 4)), "n1", told)
    assert shared.underway == underway(*left)


@pytest.mark.parametrize(
    ("told", "ended"), [(result(0), True), (result(0, task="stop"), False), (result(0, resource="b"), False)]
)
def test_what_a_node_did_by_itself_is_told_by_what_it_was(told: Reported, ended: bool) -> None:
    shared = deliver(replace(Shared(), underway=underway(0)), "n1", told)
    assert ("n1" not in shared.underway) is ended


def test_what_is_waited_for_no_more_is_under_way_no_more() -> None:
    shared = replace(Shared(), underway={**underway(3), "n2": underway(4)["n1"]})
    assert set(deliver(shared, "n1", Abandoned("n1")).underway) == {"n2"}


def test_a_report_says_what_is_under_way_and_one_without_says_nothing_of_it() -> None:
    shared = replace(Shared(), underway=underway(3))
    assert deliver(shared, "n1", report("n1", "b")).underway == underway(3)
    told = replace(report("n1", "b"), underway=underway(4)["n1"])
    assert deliver(shared, "n1", told).underway == underway(4)


def test_a_join_begins_a_term_after_every_other_and_clears_what_was_proposed() -> None:
    shared = proposed(replace(Shared(), term=5, seq=9), "c" * 40)
    for term, after in ((3, 6), (8, 9)):
        joined = deliver(shared, "n2", Joined("n2", term, "boot", (), (), 0))
        assert (joined.term, joined.seq, joined.proposals, joined.boots) == (after, 0, {}, {"n2": "boot"})


def test_orders_are_pending_from_the_second_in_which_they_were_given() -> None:
    known = observed(replace(Shared(), transition=7), (NodeObserved("n1", "n1", PRESENT),))
    launched = Launched("a", "start", "n1", "n1", Agent("ocf", "Dummy", "reconciler"), "1:1:0:run")
    for number, after in ((5, 7), (9, 9)):
        told = deliver(known, "n1", Run(1, number, (AgentOrder(1, 5, launched),), 9_999))
        assert told.transition == after
        (entry,) = told.cib.status.nodes[0].history[0].entries
        assert (entry.attributes["op-status"], entry.attributes["last-rc-change"]) == ("-1", "9")


# Proposals


def test_an_answer_counts_for_the_proposal_on_the_base_that_was_judged() -> None:
    shared = proposed(replace(Shared(), commit="b" * 40), "c" * 40)
    told = deliver(shared, "n2", Accept("c" * 40, "b" * 40, "digest", 0, 3))
    assert told.proposals["c" * 40].answers == {"n2": "digest"}
    assert told.proposals["c" * 40].compilers == {"n2": 3}
    assert deliver(shared, "n2", Accept("c" * 40, "a" * 40, "digest", 0, 3)) is shared
    assert deliver(shared, "n2", Accept("d" * 40, "b" * 40, "digest", 0, 3)) is shared


def answered(**digests: str) -> Shared:
    shared = proposed(replace(Shared(), commit="b" * 40), "c" * 40)
    for node, told in digests.items():
        shared = deliver(shared, node, Accept("c" * 40, "b" * 40, told, 0, 3))
    return shared


@pytest.mark.parametrize(
    ("digests", "is_agreed", "is_disputed"),
    [
        ({}, False, False),
        ({"n1": "x"}, False, False),
        ({"n1": "x", "n2": "x"}, True, False),
        ({"n1": "x", "n2": "y"}, False, True),
        ({"n1": "x", "n3": "y"}, False, False),
        ({"n1": "x", "n2": "x", "n3": "y"}, True, False),
    ],
)
def test_all_members_agree_or_differ_and_who_has_not_answered_does_neither(
    digests: dict[str, str], is_agreed: bool, is_disputed: bool
) -> None:
    shared = answered(**digests)
    assert (agreed(shared, ("n1", "n2")) is not None) is is_agreed
    assert (differing(shared, ("n1", "n2")) is not None) is is_disputed


def test_what_all_accepted_does_not_follow_on_another_commit_than_it_was_judged_on() -> None:
    assert agreed(replace(answered(n1="x"), commit="d" * 40), ("n1",)) is None


def test_a_refusal_ends_a_proposal_and_is_kept_until_something_is_activated() -> None:
    shared = answered(n1="x")
    told = deliver(shared, "n2", Reject("c" * 40, "no", (), 0, 5))
    assert (told.proposals, told.rejected.by if told.rejected else None) == ({}, "n2")
    assert deliver(told, "n2", Reject("c" * 40, "no", (), 0, 5)) is told


def test_an_activation_is_a_version_of_its_own_and_the_next_epoch() -> None:
    shared = replace(answered(n1="x"), rejected=None)
    prepared = Prepared("x", Configuration())
    told = deliver(shared, "n1", Activate("c" * 40, 1, "x", 5, 0), prepared)
    assert (told.commit, told.digest, told.proposals, told.rejected) == ("c" * 40, "x", {}, None)
    (made,) = told.activations
    assert (made.version, made.commit, made.parent, made.source, made.at_ms) == ("0.1.0", "c" * 40, "b" * 40, "git", 5)
    for wrong in (
        Activate("c" * 40, 2, "x", 5, 0),
        Activate("c" * 40, 0, "x", 5, 0),
        Activate("c" * 40, 1, "y", 5, 0),
        Activate("d" * 40, 1, "x", 5, 0),
        Activate("c" * 40, 1, "x", 5, 0, "0.9.9"),
    ):
        assert deliver(shared, "n1", wrong, prepared) is shared
    assert deliver(replace(shared, term=1), "n1", Activate("c" * 40, 1, "x", 5, 0), prepared).commit == "b" * 40
    assert deliver(shared, "n1", Activate("c" * 40, 1, "x", 5, 0), None) is shared
    assert deliver(shared, "n1", Activate("c" * 40, 1, "x", 5, 0, str(shared.cib.version)), prepared).commit == "c" * 40


@pytest.mark.parametrize(("enabled", "wanted"), [("true", ["n1", "n2", "n3"]), ("false", ["n3"])])
def test_where_a_commit_switches_fencing_off_who_was_lost_is_to_be_fenced_no_more(
    enabled: str, wanted: list[str]
) -> None:
    """What a plan wants for itself (unfencing) is the plan's."""
    causes = {"n1": FenceCause.LOST, "n2": FenceCause.FAILED, "n3": FenceCause.UNFENCE}
    records = {name: Wanted(name, "b", cause, "reboot", "", 0) for name, cause in causes.items()}
    shared = replace(answered(n1="x"), fencing=Fencing(records=records), quorate=True)
    prepared = Prepared("x", Configuration(options=plain({"stonith-enabled": enabled})))
    told = deliver(shared, "n1", Activate("c" * 40, 1, "x", 5, 0), prepared)
    assert (told.commit, sorted(told.fencing.records)) == ("c" * 40, wanted)


def test_the_newest_thousand_activations_are_remembered() -> None:
    shared = replace(
        answered(n1="x"), activations=tuple(activation(str(number), "git") for number in range(MOST_ACTIVATIONS))
    )
    told = deliver(shared, "n1", Activate("c" * 40, 1, "x", 5, 0), Prepared("x", Configuration()))
    assert len(told.activations) == MOST_ACTIVATIONS == 1000
    assert (told.activations[0].commit, told.activations[-1].commit) == ("1", "c" * 40)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("0.2.0", "b"), ("abcd", "abcd2"), ("abcd1", "abcd1"), ("abc", None), ("0.2", None), ("", None), ("bcd1", None)],
)
def test_a_version_is_found_by_its_name_or_by_four_letters_of_its_commit(wanted: str, found: str | None) -> None:
    """Of several the newest: a commit may have been active more than once."""
    made = (replace(activation("b", "git"), version="0.2.0"), activation("abcd1", "git"), activation("abcd2", "git"))
    told = activation_of(made, wanted)
    assert (told.commit if told else None) == found
