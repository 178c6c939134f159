"""What follows from the hellos of a view, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.controller.membership.agreement import TERM_LEAP, Exclusion, agree
from reconciler.controller.membership.history import MOST_TERMS, Rank, StateId, TermEnd, extended, has_tail
from reconciler.controller.membership.messages import Hello
from reconciler.controller.membership.presence import Attendance, Presence, after_grace, presences
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.frozen import replace

VOTES = {"n1": 1, "n2": 1, "n3": 1}
RING = RingVerdict(True, 2)


def state(decided: int, seq: int, chain: str = "", beside: int = 0, admin: int = 0) -> StateId:
    return StateId(Rank(admin, decided, seq), beside, chain or f"{decided}.{seq}")


def hello(node: str, id: StateId | None = None, *, promised: int = 3, **more: object) -> Hello:
    plain = Hello(
        "c", node, f"{node}-1", f"boot-{node}", (1, 1), promised, False, id or state(3, 5), False, 0, RING, VOTES
    )
    return replace(plain, **more)


def agreed(*hellos: Hello, silent: dict[str, Exclusion] | None = None):
    found = agree({one.node: one for one in hellos}, silent or {})
    assert found is not None
    return found


def test_equal_members_need_no_transfer_and_take_a_term_above_all_promises() -> None:
    found = agreed(hello("n1"), hello("n2", promised=7))
    assert (found.term, found.receivers, found.quorate, found.promised) == (8, frozenset(), True, frozenset())


def test_the_donor_has_the_highest_state_and_of_equals_the_lowest_name() -> None:
    assert agreed(hello("n1"), hello("n2", state(3, 6)), hello("n3", state(3, 6))).donor == "n2"
    assert agreed(hello("n1", state(2, 900)), hello("n2", state(3, 0))).donor == "n2"
    assert agreed(hello("n1", state(9, 9)), hello("n2", state(1, 1, admin=1))).donor == "n2"


def test_a_promise_outranks_no_history() -> None:
    assert agreed(hello("n1", state(3, 6)), hello("n2", state(2, 9), promised=40)).donor == "n1"


def test_what_was_delivered_without_quorum_outranks_nothing() -> None:
    lonely = hello("n1", state(3, 5, "aside", beside=1000))
    found = agreed(lonely, hello("n2"), hello("n3", state(3, 6)))
    assert (found.donor, found.receivers) == ("n3", {"n1", "n2"})
    found = agreed(lonely, hello("n2"))
    assert (found.donor, found.receivers) == ("n2", {"n1"})


def test_a_blank_member_neither_counts_nor_gives() -> None:
    found = agreed(hello("n1", state(9, 9), blank=True), hello("n2"))
    assert (found.quorate, found.donor, found.term) == (False, "n2", None)
    found = agreed(hello("n1", blank=True), hello("n2"), hello("n3"))
    assert (found.quorate, found.receivers) == (True, {"n1"})


def test_a_disk_that_forgot_a_promise_is_blank_by_what_others_know() -> None:
    found = agreed(hello("n1", promised=1), hello("n2", known={"n1": 2}), hello("n3"))
    assert found.blank == {"n1"}


def test_without_quorum_no_term_begins_but_a_taken_state_keeps_its_own() -> None:
    alone = RingVerdict(False, 2)
    found = agreed(hello("n1", ring=alone), hello("n2", state(2, 1), promised=2, ring=alone))
    assert (found.term, found.must_promise("n2"), found.receivers) == (None, 3, {"n2"})


TWO = {"votes": {"n1": 1, "n2": 1}, "ring": RingVerdict(True, 1)}


def test_where_others_may_be_quorate_too_no_term_begins_before_they_are_accounted_for() -> None:
    found = agreed(hello("n1", **TWO))
    assert (found.quorate, found.term, found.doubtful) == (True, None, {"n2"})
    found = agreed(hello("n1", **TWO, gone=("n2",)))
    assert (found.quorate, found.term, found.doubtful) == (True, 3 + TERM_LEAP, frozenset())


def test_who_holds_the_same_state_may_know_who_is_gone_and_who_holds_another_does_not() -> None:
    four = {"votes": dict.fromkeys(("n1", "n2", "n3", "n4"), 1), "ring": RingVerdict(True, 2)}
    found = agreed(hello("n1", **four), hello("n2", **four, gone=("n3", "n4")))
    assert (found.term, found.doubtful) == (3 + TERM_LEAP, frozenset())
    found = agreed(hello("n1", **four), hello("n2", state(3, 4), **four, gone=("n3", "n4")))
    assert (found.term, found.doubtful) == (None, {"n3", "n4"})


def test_a_majority_of_all_votes_doubts_nobody() -> None:
    assert agreed(hello("n1"), hello("n2")).doubtful == frozenset()


def test_who_was_gone_for_the_donor_and_was_met_since_is_doubtful_all_the_same() -> None:
    """It was fenced, came back into a minority with another member, and went on from there with the others."""
    four = {"ring": RingVerdict(True, 2), "votes": dict.fromkeys(("n1", "n2", "n3", "n4"), 1)}
    donor = hello("n1", **four, gone=("n3", "n4"), seen={"n3": "n3-1", "n4": "n4-1"})
    same = hello("n2", state(3, 4), **four, seen={"n3": "n3-1"})
    assert agreed(donor, same).doubtful == frozenset()
    assert agreed(donor, replace(same, seen={"n3": "n3-2"})).doubtful == {"n3"}


def test_where_few_may_have_gone_on_a_majority_of_whom_nobody_saw_it_doubts_the_missing() -> None:
    """last_man_standing: n3 may have gone on alone once the others were fenced, and has lost its daemon since."""
    standing = {"ring": RingVerdict(True, 2, fewest=1)}
    found = agreed(hello("n1", **standing), hello("n2", **standing))
    assert (found.quorate, found.quorum.intersecting, found.term, found.doubtful) == (True, False, None, {"n3"})
    seen = agreed(hello("n1", **standing), hello("n2", **standing, witness=True))
    assert (seen.quorum.intersecting, seen.doubtful) == (True, frozenset()), "n3 had to fence it first"
    forgot = agreed(hello("n1", **standing), hello("n2", **standing), hello("n3", **standing, witness=True, blank=True))
    assert forgot.doubtful == frozenset(), "nobody is missing"
    four = {"ring": RingVerdict(True, 3, fewest=1), "votes": dict.fromkeys(("n1", "n2", "n3", "n4"), 1)}
    blank = agreed(hello("n1", **four), hello("n2", **four), hello("n3", **four, witness=True, blank=True))
    assert not blank.quorate, "a blank disk is no witness, nor a vote"


def test_the_device_votes_as_the_members_are_told_that_count() -> None:
    """The third is new, and its host's client of the device is not there yet: the two keep their quorum."""
    device = {"votes": {"n1": 1, "n2": 1}, "ring": RingVerdict(True, 3, 1, 1)}
    new = hello("n3", **{**device, "ring": RingVerdict(True, 3, 0, 0)}, blank=True)
    assert agreed(hello("n1", **device), hello("n2", **device), new).quorate
    assert not agreed(hello("n1", **device), hello("n2", **{**device, "ring": RingVerdict(True, 3, 0, 1)}), new).quorate


def test_who_was_fenced_is_turned_away_by_the_state_that_all_go_on_with() -> None:
    """Each side of a cut fenced others, and what was decided without quorum ranks alike: one state counts, and not another one's word."""
    two = hello("n2", state(3, 5, "x", 1), fenced={"n3": "boot-n3"})
    three = hello("n3", state(3, 5, "y", 2), fenced={"n1": "boot-n1"})
    found = agreed(hello("n1", state(3, 5, "z", 3)), two, three)
    assert (found.donor, found.excluded) == ("n2", {"n3": Exclusion.FENCED})
    known = agreed(
        hello("n1", fenced={"n1": "boot-n1", "n2": "boot-n2"}), hello("n2", state(3, 4)), hello("n3", state(3, 4))
    )
    assert (known.donor, known.excluded) == ("n3", {"n1": Exclusion.FENCED, "n2": Exclusion.FENCED}), (
        "it knows it itself"
    )


def test_one_that_was_told_no_quorum_is_enough_for_none() -> None:
    assert not agreed(hello("n1"), hello("n2", ring=RingVerdict(False, 2))).quorate


def test_the_fast_path_takes_the_promises_of_the_hellos() -> None:
    found = agreed(hello("n1", promised=4, early=True), hello("n2", promised=4, early=True))
    assert (found.term, found.promised) == (4, {"n1", "n2"})


def test_no_fast_path_when_anything_differs() -> None:
    early = [hello("n1", promised=4, early=True), hello("n2", promised=4, early=True)]
    for other in (
        replace(early[1], promised=5),
        replace(early[1], early=False),
        replace(early[1], state=state(3, 4)),
        replace(early[1], blank=True),
    ):
        found = agreed(early[0], other, hello("n3", promised=4, early=True))
        assert found.term == 1 + max(other.promised, 4), other
        assert found.promised == frozenset(), other


def test_who_was_fenced_in_this_life_is_turned_away() -> None:
    found = agreed(hello("n1", state(3, 6), fenced={"n3": "boot-n3"}), hello("n2"), hello("n3"))
    assert found.excluded == {"n3": Exclusion.FENCED}
    found = agreed(hello("n1", state(3, 6), fenced={"n3": "boot-n3"}), hello("n2"), hello("n3", boot="later"))
    assert found.excluded == {}


def test_only_the_highest_state_says_who_was_fenced() -> None:
    """n3 fenced n1 alone with two_node; the others went on without it and know better."""
    found = agreed(hello("n1", state(4, 0)), hello("n3", fenced={"n1": "boot-n1"}))
    assert found.excluded == {}


def test_another_cluster_is_turned_away_and_a_new_member_belongs_to_any() -> None:
    found = agreed(hello("n1"), hello("n2", cluster="other"), hello("n3", cluster="", blank=True))
    assert (found.excluded, found.cluster) == ({"n2": Exclusion.FOREIGN}, "c")


def test_the_protocol_is_the_lowest_maximum_of_who_has_one_in_common() -> None:
    found = agreed(hello("n1", protocols=(1, 3)), hello("n2", protocols=(2, 2)), hello("n3", protocols=(1, 4)))
    assert (found.protocol, found.excluded, found.dc) == (2, {}, "n2")
    found = agreed(hello("n1", protocols=(3, 4)), hello("n2", protocols=(3, 3)), hello("n3", protocols=(1, 2)))
    assert (found.protocol, found.excluded) == (3, {"n3": Exclusion.PROTOCOL})


def test_the_dc_is_who_joined_first_among_those_of_the_lowest_protocol() -> None:
    there = ("n1", "n2", "n3")
    found = agreed(hello("n1", online=there), hello("n2", rank=1), hello("n3", rank=2))
    assert (found.dc, dict(found.ranks)) == ("n2", {"n2": 1, "n3": 2, "n1": 3})


def test_who_was_away_by_the_donors_state_comes_after_all_who_stayed() -> None:
    alone = state(3, 4, beside=9)
    found = agreed(
        hello("n1", alone, rank=1, online=("n1",)),
        hello("n2", rank=2, online=("n2", "n3")),
        hello("n3", rank=3, online=("n2", "n3")),
    )
    assert (found.donor, found.dc, dict(found.ranks)) == ("n2", "n2", {"n2": 2, "n3": 3, "n1": 4})


def test_ranks_that_collide_after_a_cut_go_by_name() -> None:
    there = ("n1", "n2", "n3")
    assert dict(agreed(hello("n1", rank=2, online=there), hello("n2", rank=2), hello("n3", rank=1)).ranks) == {
        "n3": 1,
        "n1": 2,
        "n2": 3,
    }


def test_nobody_left_is_no_agreement() -> None:
    assert agree({"n1": hello("n1")}, {"n1": Exclusion.SILENT}) is None


hellos = st.builds(
    lambda node, decided, seq, beside, promised, blank, early, rank, known: hello(
        node,
        state(decided, seq, beside=beside),
        promised=decided + promised,
        blank=blank,
        early=early,
        rank=rank,
        known={"n1": known},
    ),
    st.sampled_from(sorted(VOTES)),
    *(st.integers(0, 3),) * 4,
    st.booleans(),
    st.booleans(),
    *(st.integers(0, 3),) * 2,
)


@given(st.lists(hellos, min_size=1, unique_by=lambda one: one.node))
def test_the_order_of_hellos_is_of_no_account_and_no_term_is_one_promised_before(told: list[Hello]) -> None:
    found = agreed(*told)
    assert agreed(*reversed(told)) == found
    assert found.donor in found.members
    assert found.dc in found.members
    assert len(set(found.ranks.values())) == len(found.members)
    if found.term is not None:
        assert all(one.promised < found.term or (one.early and one.promised == found.term) for one in told)
        assert found.promised in (frozenset(), frozenset(found.members))
    assert all(one.state.rank <= found.state.rank for one in told if one.node not in found.blank)


def test_a_lineage_tells_a_beginning_from_a_tail() -> None:
    winner = (TermEnd(0, 1, 5, "a"), TermEnd(0, 2, 3, "b"), TermEnd(0, 4, 7, "c"))
    assert not has_tail(state(2, 3, "b"), winner)
    assert not has_tail(state(2, 1, "x"), winner), "in one term, who has less has a beginning"
    assert has_tail(state(2, 4, "y"), winner)
    assert has_tail(state(3, 0, "z"), winner), "a term that the winner never went through"
    assert has_tail(state(2, 3, "other"), winner)
    assert not has_tail(state(2, 3, "aside", beside=4), winner), "what was delivered without quorum is no tail"
    assert not has_tail(StateId(), winner)


def test_a_lineage_grows_with_its_term_and_stays_bounded() -> None:
    lineage = extended((), state(1, 0))
    lineage = extended(lineage, state(1, 4))
    assert lineage == (TermEnd(0, 1, 4, "1.4"),)
    for term in range(2, 2 * MOST_TERMS):
        lineage = extended(lineage, state(term, 1))
    assert len(lineage) == MOST_TERMS
    assert lineage[-1].term == 2 * MOST_TERMS - 1


ONLINE, DOWN, PENDING, UNCLEAN = Presence.ONLINE, Presence.DOWN, Presence.PENDING, Presence.UNCLEAN


def attendance(present: str, hosts: str = "", leaving: str = "") -> Attendance:
    return Attendance(frozenset(present.split()), frozenset(hosts.split()), frozenset(leaving.split()))


def test_how_nodes_stand_after_an_installation() -> None:
    before = {
        "there": ONLINE,
        "left": ONLINE,
        "crashed": ONLINE,
        "off": ONLINE,
        "down": DOWN,
        "lost": UNCLEAN,
        "back": UNCLEAN,
    }
    seen = attendance("there back", "there back crashed", "left")
    assert presences(before, seen, (), startup_fencing=True) == {
        "there": ONLINE,
        "back": ONLINE,
        "left": DOWN,
        "crashed": PENDING,
        "off": UNCLEAN,
        "down": DOWN,
        "lost": UNCLEAN,
    }


def test_a_node_whose_process_is_gone_is_lost_with_its_host_or_its_grace() -> None:
    before = {"n2": PENDING}
    assert presences(before, attendance("n1", "n1 n2"), (), startup_fencing=True)["n2"] is PENDING
    assert presences(before, attendance("n1", "n1"), (), startup_fencing=True)["n2"] is UNCLEAN
    assert after_grace(before, "n2") == {"n2": UNCLEAN}
    assert after_grace({"n2": ONLINE}, "n2") == {"n2": ONLINE}


def test_a_node_that_was_never_seen_may_run_anything() -> None:
    assert presences({}, attendance("n1"), ["n2"], startup_fencing=True)["n2"] is UNCLEAN
    assert presences({}, attendance("n1"), ["n2"], startup_fencing=False)["n2"] is DOWN


def test_without_quorum_nobody_is_doubted_for_nothing_is_decided_anyway() -> None:
    lonely = hello("n1", votes={"n1": 1, "n2": 1}, ring=RingVerdict(False, 1))
    found = agreed(lonely)
    assert (found.quorate, found.term, found.doubtful) == (False, None, frozenset())


def test_who_is_turned_away_takes_no_part_in_anything() -> None:
    """Neither as a member, nor with its promise, its verdict or what it sees."""
    strange = {"promised": 40, "hosts": (), "ring": RingVerdict(False, 3)}
    there = {"hosts": ("n1", "n2", "n3"), "fenced": {"n3": "boot-n3"}}
    for other, why in (
        (hello("n3", cluster="other", **strange), Exclusion.FOREIGN),
        (hello("n3", state(3, 4), **strange), Exclusion.FENCED),
        (hello("n3", boot="later", protocols=(7, 7), **strange), Exclusion.PROTOCOL),
    ):
        found = agreed(hello("n1", **there), hello("n2", **there), other)
        assert found.excluded == {"n3": why}
        assert (found.members, set(found.ranks), set(found.boots)) == (("n1", "n2"), {"n1", "n2"}, {"n1", "n2"})
        assert (found.quorate, found.term, found.hosts) == (True, 4, {"n1", "n2", "n3"})


def test_versions_that_run_together_leap_alike() -> None:
    """The term is no member's word: each computes it, and another leap would be another term."""
    assert agreed(hello("n1", **TWO, gone=("n2",))).term == 1_003


@pytest.mark.parametrize(
    ("one", "other", "quorate"),
    [
        (RingVerdict(True, 2), RingVerdict(True, 2), True),
        (RingVerdict(True, 2), RingVerdict(True, 3), False),
        (RingVerdict(True, 3, 1), RingVerdict(True, 3, 1), True),
        (RingVerdict(True, 3, 1), RingVerdict(True, 3, 0), False),
        (RingVerdict(True, 2), RingVerdict(False, 2), False),
    ],
    ids=["alike", "one asks for more", "a device votes", "it votes for one of them", "one has none"],
)
def test_of_what_members_are_told_of_quorum_the_strictest_counts(
    one: RingVerdict, other: RingVerdict, quorate: bool
) -> None:
    assert agreed(hello("n1", ring=one), hello("n2", ring=other)).quorate is quorate


def test_of_equal_states_the_donor_is_who_heard_least_besides_then_the_first_by_name() -> None:
    for besides, donor in (((3, 1, 1), "n2"), ((0, 0, 0), "n1"), ((2, 2, 1), "n3")):
        told = [hello(name, state(3, 5, "x", beside)) for name, beside in zip(VOTES, besides, strict=True)]
        assert agreed(*told).donor == donor


def test_where_all_are_blank_the_donor_is_one_of_them_and_takes_nothing() -> None:
    found = agreed(hello("n1", blank=True), hello("n2", state(3, 6), blank=True))
    assert (found.donor, found.receivers, found.blank, found.quorate) == ("n2", {"n1"}, {"n1", "n2"}, False)


def test_before_there_is_a_state_everybody_who_is_here_has_a_vote() -> None:
    found = agreed(*(hello(name, StateId(), votes={}, promised=0, cluster="") for name in VOTES))
    assert (found.quorum.votes, found.quorum.total, found.term, found.cluster) == (3, 3, 1, "")


def test_who_comes_again_knows_a_node_by_a_later_installation_and_not_by_the_same() -> None:
    for known, blank in ((3, set()), (4, {"n1"})):
        assert agreed(hello("n1"), hello("n2", known={"n1": known}), hello("n3")).blank == blank


def test_of_two_clusters_the_one_that_more_name_goes_on_and_of_equals_the_first() -> None:
    for clusters, name in ((("b", "b", "a"), "b"), (("b", "a", ""), "a")):
        told = [hello(node, cluster=cluster) for node, cluster in zip(VOTES, clusters, strict=True)]
        assert agreed(*told).cluster == name


def test_as_many_go_on_as_understand_each_other_and_of_equal_choices_with_the_newest_protocol() -> None:
    rows = [((1, 2), (3, 3), (3, 4), 3, {"n1"}), ((1, 1), (2, 2), (3, 3), 3, {"n1", "n2"})]
    for *protocols, spoken, strange in rows:
        told = [hello(node, protocols=both) for node, both in zip(VOTES, protocols, strict=True)]
        found = agreed(*told)
        assert (found.protocol, set(found.excluded)) == (spoken, strange)


def test_a_machine_is_there_if_all_members_see_it() -> None:
    found = agreed(hello("n1", hosts=("n1", "n2", "n3")), hello("n2", hosts=("n1", "n2")))
    assert found.hosts == {"n1", "n2"}


def test_who_was_never_a_member_and_may_form_a_cluster_of_its_own_is_doubted() -> None:
    told = {"votes": {"n1": 1, "n2": 1}, "ring": RingVerdict(True, 1), "gone": ("n2",)}
    assert agreed(hello("n1", **told)).doubtful == frozenset()
    assert agreed(hello("n1", **told, nodes=("n1", "n2", "n9"))).doubtful == {"n9"}


def test_who_is_gone_by_what_all_know_and_was_met_by_nobody_since_is_not_doubted() -> None:
    four = {"ring": RingVerdict(True, 2), "votes": dict.fromkeys(("n1", "n2", "n3", "n4"), 1), "gone": ("n3", "n4")}
    seen = {"n3": "n3-1"}
    found = agreed(hello("n1", **four, seen=seen), hello("n2", **four, seen=seen))
    assert found.doubtful == frozenset()
    found = agreed(hello("n1", **four, seen=seen), hello("n2", **four, seen={**seen, "n4": "n4-1"}))
    assert found.doubtful == {"n4"}, "the donor never met it"


def test_a_term_is_above_all_that_was_promised_in_this_view_also_by_who_was_excluded() -> None:
    early = [hello(name, promised=4, early=True) for name in ("n1", "n2")]
    for earlier, term, promised in ((4, 4, {"n1", "n2"}), (5, 6, set())):
        found = agree({one.node: one for one in early}, {}, earlier)
        assert found is not None
        assert (found.term, found.promised) == (term, promised)
