"""Whether a commit may follow: the table row by row, and the stories of sources that it decides."""

from __future__ import annotations

import itertools

import pytest

from reconciler.controller import events as ev
from reconciler.controller.admission import (
    FIRST_PAUSE_MS,
    LONGEST_PAUSE_MS,
    Course,
    DoNothing,
    LookAgain,
    Offer,
    Refusal,
    Relation,
    Rest,
    Stray,
    Tip,
    TryAgain,
    admit,
    follows,
    refused,
    stray_finding,
)
from reconciler.controller.messages import Activate, Propose, Reject
from reconciler.controller.shared import Proposal
from reconciler.errors import Finding
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent, Primitive

NONE, SAME, AHEAD, BEHIND, APART = (
    Relation.NONE,
    Relation.SAME,
    Relation.AHEAD,
    Relation.BEHIND,
    Relation.APART,
)
TIP = Tip("git", "tip", "subject", "active", AHEAD, content="tip")

ROWS = [
    # to the active, to the own last one, not asked, asked, not asked and may rewrite
    (NONE, NONE, Course.FIRST, Course.FIRST, Course.FIRST),
    (NONE, SAME, Course.FIRST, Course.FIRST, Course.FIRST),
    (NONE, AHEAD, Course.FIRST, Course.FIRST, Course.FIRST),
    (NONE, BEHIND, Course.FIRST, Course.FIRST, Course.FIRST),
    (NONE, APART, Course.FIRST, Course.FIRST, Course.FIRST),
    (SAME, NONE, Rest.IN_FORCE, Rest.IN_FORCE, Rest.IN_FORCE),
    (SAME, SAME, Rest.IN_FORCE, Rest.IN_FORCE, Rest.IN_FORCE),
    (SAME, AHEAD, Rest.IN_FORCE, Rest.IN_FORCE, Rest.IN_FORCE),
    (SAME, BEHIND, Rest.IN_FORCE, Rest.IN_FORCE, Rest.IN_FORCE),
    (SAME, APART, Rest.IN_FORCE, Rest.IN_FORCE, Rest.IN_FORCE),
    (AHEAD, NONE, Course.CONTINUE, Course.CONTINUE, Course.CONTINUE),
    (AHEAD, SAME, Rest.OVERTAKEN, Course.CONTINUE, Rest.OVERTAKEN),
    (AHEAD, AHEAD, Course.CONTINUE, Course.CONTINUE, Course.CONTINUE),
    (AHEAD, BEHIND, Course.CONTINUE, Course.CONTINUE, Course.CONTINUE),
    (AHEAD, APART, Course.CONTINUE, Course.CONTINUE, Course.CONTINUE),
    (BEHIND, NONE, Rest.CONTAINED, Rest.CONTAINED, Rest.CONTAINED),
    (BEHIND, SAME, Rest.CONTAINED, Rest.CONTAINED, Rest.CONTAINED),
    (BEHIND, AHEAD, Rest.CONTAINED, Rest.CONTAINED, Rest.CONTAINED),
    (BEHIND, BEHIND, None, None, Course.GO_BACK),
    (BEHIND, APART, Rest.CONTAINED, Rest.CONTAINED, Rest.CONTAINED),
    (APART, NONE, None, None, Course.REWRITE),
    (APART, SAME, Rest.OVERTAKEN, None, Rest.OVERTAKEN),
    (APART, AHEAD, Course.OVERTAKE, Course.OVERTAKE, Course.OVERTAKE),
    (APART, BEHIND, None, None, Course.GO_BACK),
    (APART, APART, None, None, Course.REWRITE),
]


@pytest.mark.parametrize(("to_active", "to_lineage", "plain", "asked", "rewriting"), ROWS)
def test_how_a_commit_follows(to_active, to_lineage, plain, asked, rewriting) -> None:
    assert follows(to_active, to_lineage, may_rewrite=False, asked=False) == plain
    assert follows(to_active, to_lineage, may_rewrite=False, asked=True) == asked
    assert follows(to_active, to_lineage, may_rewrite=True, asked=False) == rewriting


def test_the_table_has_a_row_for_every_case() -> None:
    assert {row[:2] for row in ROWS} == set(itertools.product(Relation, Relation))


@pytest.mark.parametrize(
    ("tip", "refusal", "judged", "now_ms", "decision"),
    [
        (TIP, None, (), 0, Offer(Course.CONTINUE)),
        (replace(TIP, active="older"), None, (), 0, LookAgain()),
        (replace(TIP, active=None, to_active=NONE), None, (), 0, LookAgain()),
        (replace(TIP, to_active=SAME), None, (), 0, DoNothing(Rest.IN_FORCE)),
        (TIP, None, ("tip",), 0, DoNothing(Rest.UNDER_EXAMINATION)),
        (TIP, Refusal("tip", "tip", "active"), (), 0, DoNothing(Rest.REFUSED_BEFORE)),
        (TIP, Refusal("tip", "tip", "older"), (), 0, DoNothing(Rest.REFUSED_BEFORE)),
        (TIP, Refusal("tip", "tip", "active", strays=True), (), 0, DoNothing(Rest.REFUSED_BEFORE)),
        (TIP, Refusal("tip", "tip", "older", strays=True), (), 0, Offer(Course.CONTINUE)),
        (replace(TIP, asked=True), Refusal("tip", "tip", "active"), (), 0, Offer(Course.CONTINUE)),
        (TIP, Refusal("other", "other", "active"), (), 0, Offer(Course.CONTINUE)),
        (replace(TIP, content="same"), Refusal("other", "same", "older"), (), 0, DoNothing(Rest.REFUSED_BEFORE)),
        (replace(TIP, content=""), Refusal("other", "", "active"), (), 0, Offer(Course.CONTINUE)),
        (TIP, Refusal("tip", "tip", "active", again_at_ms=9, pause_ms=5), (), 8, TryAgain(9)),
        (TIP, Refusal("tip", "tip", "active", again_at_ms=9, pause_ms=5), (), 9, Offer(Course.CONTINUE)),
        (replace(TIP, asked=True), Refusal("tip", "tip", "active", again_at_ms=9), (), 0, Offer(Course.CONTINUE)),
    ],
)
def test_what_is_done_about_a_tip(tip, refusal, judged, now_ms, decision) -> None:
    assert admit(tip, "active", refusal, frozenset(judged), now_ms) == decision


@pytest.mark.parametrize(
    ("lineage", "to_lineage", "code", "named"),
    [(None, NONE, "not-descendant", "active"), ("line", APART, "history-rewritten", "line")],
)
def test_a_stray_is_told_what_it_does_not_continue(lineage, to_lineage, code, named) -> None:
    tip = replace(TIP, to_active=APART, lineage=lineage, to_lineage=to_lineage)
    decision = admit(tip, "active", None, frozenset(), 0)
    assert isinstance(decision, Stray)
    assert decision.finding.code == code
    assert "tip" in decision.finding.text
    assert named in decision.finding.text
    assert "history: rewrite" in decision.finding.hint


def test_pauses_double_up_to_the_longest() -> None:
    refusal, pauses = None, []
    for _ in range(10):
        refusal = refused(TIP, refusal, "active", (), transient=True, now_ms=1000)
        pauses.append(refusal.pause_ms)
        assert refusal.again_at_ms == 1000 + refusal.pause_ms
    assert pauses[:3] == [FIRST_PAUSE_MS, 2 * FIRST_PAUSE_MS, 4 * FIRST_PAUSE_MS]
    assert pauses[-2:] == [LONGEST_PAUSE_MS] * 2
    other = refused(replace(TIP, commit="other"), refusal, "active", (), transient=True, now_ms=0)
    assert other.pause_ms == FIRST_PAUSE_MS
    final = refused(TIP, refusal, "active", (), transient=False, now_ms=0)
    assert (final.again_at_ms, final.pause_ms) == (None, 0)


class Sources:
    """Sources of one node over a little history: a commit is a path from its root, `a.b.c` a child of `a.b`."""

    def __init__(self, single) -> None:  # type: ignore[no-untyped-def]
        self.single = single
        self.at: dict[str, str] = {}
        self.may_rewrite: set[str] = set()
        self.answers: dict[str, tuple[str, ...]] = {}
        single.look = self.look
        single.answer = self.answered
        single.commits = Commits()

    def answered(self, source: str, _commit: str, findings: tuple[Finding, ...]) -> None:
        self.answers[source] = tuple(finding.code for finding in findings)

    def push(self, source: str, commit: str, *, asked: bool = False) -> None:
        """The source's newest commit is this one."""
        self.at[source] = commit
        self.look(source, asked=asked)
        self.single.settle()

    def looks(self, *sources: str) -> None:
        """The sources look again, and see what they saw."""
        for source in sources:
            self.look(source)
            self.single.settle()

    def look(self, source: str, *, asked: bool = False) -> None:
        replica = self.single.node.replica
        commit = self.at[source]
        lineage = next((one.commit for one in reversed(replica.activations) if one.source == source), None)
        tip = Tip(
            source,
            commit,
            commit,
            replica.commit,
            relation(commit, replica.commit),
            lineage,
            relation(commit, lineage),
            commit,
            source in self.may_rewrite,
            asked,
        )
        self.single.pending.append(ev.TipSeen(self.single.now, tip))

    def apply(self, commit: str, *, rewrite: bool = False, source: str = "apply") -> None:
        self.single.feed(ev.CommitArrived(self.single.now, commit, source, "by hand", rewrite))

    @property
    def active(self) -> str | None:
        return self.single.node.replica.commit

    def proposed(self) -> list[str]:
        return [event["commit"] for event in self.single.events("proposed")]


class Commits(dict):
    """Every commit is valid but those that end with `bad`."""

    def get(self, commit, default=None):
        return None if commit.endswith("bad") else Configuration(name=commit)


def relation(commit: str, other: str | None) -> Relation:
    if other is None:
        return NONE
    if commit == other:
        return SAME
    if commit.startswith(f"{other}."):
        return AHEAD
    return BEHIND if other.startswith(f"{commit}.") else APART


@pytest.fixture
def sources(single) -> Sources:
    return Sources(single)


def test_a_branch_is_followed(sources) -> None:
    for commit in ("a", "a.b", "a.b.c.d"):
        sources.push("git", commit)
        assert sources.active == commit
        sources.looks("git")
    assert sources.proposed() == ["a", "a.b", "a.b.c.d"]


def test_a_reset_of_the_branch_is_refused_or_followed(sources) -> None:
    sources.push("git", "a.b")
    sources.push("git", "a")
    assert (sources.active, sources.answers["git"]) == ("a.b", ("history-rewritten",))
    sources.push("git", "a.x")
    assert (sources.active, sources.answers["git"]) == ("a.b", ("history-rewritten",))
    sources.push("git", "a.b.c")
    assert (sources.active, sources.answers["git"]) == ("a.b.c", ())
    sources.may_rewrite.add("git")
    sources.push("git", "a.b")
    assert (sources.active, sources.answers["git"]) == ("a.b", ())
    sources.push("git", "z")
    assert sources.active == "z"


@pytest.mark.parametrize("asked", [False, True])
def test_what_was_done_by_hand_holds_until_the_branch_moves(sources, asked) -> None:
    sources.push("git", "a.b")
    sources.apply("a.b.x")
    sources.push("git", "a.b", asked=asked)
    assert sources.active == "a.b.x"
    sources.push("git", "a.b.c")
    assert sources.active == "a.b.c"
    assert [event["what"] for event in sources.single.events("daemon")][-1] == "overtake"
    sources.apply("a", rewrite=True)
    sources.push("git", "a.b.c", asked=False)
    assert sources.active == "a", "it was in force, and somebody went back"
    sources.push("git", "a.b.c", asked=True)
    assert sources.active == "a.b.c"


def test_a_refused_commit_is_judged_once_and_again_when_asked(sources) -> None:
    sources.push("git", "a")
    for _ in range(3):
        sources.push("git", "a.bad")
    assert sources.proposed() == ["a", "a.bad"]
    sources.push("git", "a.bad", asked=True)
    assert sources.proposed() == ["a", "a.bad", "a.bad"]
    sources.push("git", "a.bad.good")
    assert sources.active == "a.bad.good"


def test_a_commit_overtakes_one_that_waits_for_another_try(sources) -> None:
    sources.push("git", "a")
    sources.single.full = True
    sources.push("git", "a.b")
    assert sources.single.events("rejected")[-1]["transient"] is True
    sources.single.full = False
    sources.push("git", "a.b.c")
    assert sources.active == "a.b.c"
    sources.single.run(2 * FIRST_PAUSE_MS)
    assert sources.active == "a.b.c"
    assert sources.proposed().count("a.b") == 1


@pytest.mark.parametrize(("full", "drop"), [(True, None), (False, Activate)])
def test_what_may_pass_is_tried_again_by_itself(sources, full, drop) -> None:
    sources.push("git", "a")
    sources.single.full, sources.single.drop = full, drop
    sources.push("git", "a.b")
    assert sources.active == "a"
    sources.looks("git")
    sources.single.run(FIRST_PAUSE_MS // 2)
    sources.single.full, sources.single.drop = False, None
    assert sources.active == "a"
    sources.single.run(FIRST_PAUSE_MS)
    assert sources.active == "a.b"


def test_two_sources_do_not_fight(sources) -> None:
    """Each holds when it moved last; none takes back what the other one brought because somebody looked again."""
    sources.push("one", "a")
    sources.push("two", "a.x")
    assert sources.active == "a.x"
    sources.push("one", "a.b")
    assert sources.active == "a.b"
    for _ in range(3):
        sources.looks("two", "one")
    assert sources.active == "a.b"
    sources.push("two", "a.x.y")
    assert sources.active == "a.x.y"
    sources.push("three", "z")
    assert (sources.active, sources.answers["three"]) == ("a.x.y", ("not-descendant",))
    for _ in range(3):
        sources.looks("one", "two", "three")
    assert sources.active == "a.x.y"
    assert sources.proposed() == ["a", "a.x", "a.b", "a.x.y"]


def test_an_activation_has_every_source_look_again(sources) -> None:
    """Refused because of what was active: that is another question now."""
    sources.push("one", "a")
    sources.push("two", "z.y")
    assert sources.answers["two"] == ("not-descendant",)
    sources.apply("z", rewrite=True)
    assert sources.active == "z.y"


def test_what_is_offered_amid_an_activation_follows_it(sources) -> None:
    sources.push("one", "a")
    sources.at["one"] = "a.b.c"
    single = sources.single
    single.pending.append(ev.CommitArrived(single.now, "a.b", "apply", "by hand"))
    sources.looks("one")
    assert sources.active == "a.b.c"


def test_a_restart_takes_nothing_back(sources) -> None:
    sources.push("git", "a.b")
    sources.apply("a.b.x")
    sources.push("other", "a.b.x.y")
    sources.single.crash()
    sources.single.converge()
    sources.looks("git", "other")
    assert sources.active == "a.b.x.y"
    sources.push("git", "a.b.c")
    assert sources.active == "a.b.c"


def test_a_tip_that_comes_before_the_node_takes_part_waits(sources) -> None:
    agent = Agent("ocf", "fake", "test")
    options = plain({"stonith-enabled": "false"})
    running = Configuration(name="a", options=options, resources=(Primitive("r", agent=agent),))
    sources.single.commits = {"a": running, "a.b": Configuration(name="b")}
    sources.push("git", "a")
    sources.single.converge()
    sources.single.crash()
    assert not sources.single.node.recovered
    sources.push("git", "a.b")
    assert sources.active == "a"
    sources.single.converge()
    assert sources.active == "a.b"


def test_another_member_s_refusal_counts(sources) -> None:
    """Of a commit that is this source's newest, too: every member would say the same."""
    sources.push("git", "a")
    single = sources.single
    single.examine = lambda *_: None
    sources.push("git", "a.b")
    single.hear("n2", Reject("a.b", "no", (), single.node.replica.term, 0))
    sources.looks("git", "git")
    assert sources.proposed() == ["a", "a.b"]
    single.hear("n2", Propose("z", "a", "git", "x", False, single.node.replica.term))
    single.hear("n2", Reject("z", "no", (), single.node.replica.term, 0, True))
    single.run(2 * FIRST_PAUSE_MS)
    assert sources.proposed() == ["a", "a.b", "z"], "what another member's source offers is its own to offer again"


def test_what_was_asked_for_once_is_judged_again_once(sources) -> None:
    sources.push("git", "a")
    sources.push("git", "a.bad", asked=True)
    single = sources.single
    assert not any(isinstance(effect, ev.Send | ev.Broadcast) for effect in single.node.tips.reconsider(single.now))


def test_a_commit_that_is_invalid_stays_so_whatever_becomes_active(sources) -> None:
    sources.push("git", "a")
    sources.push("git", "a.bad")
    sources.apply("a.x")
    assert sources.active == "a.x"
    assert sources.proposed() == ["a", "a.bad", "a.x"]


def test_a_refusal_on_top_of_what_is_no_longer_in_force_is_another_question(sources) -> None:
    sources.push("git", "a")
    sources.push("git", "a.bad")
    looked: list[str] = []
    single = sources.single
    single.look = looked.append
    told = Reject("a.bad", "no", (stray_finding("a.bad", "older"),), single.node.replica.term, 0)
    proposal = Proposal("a.bad", "older", "git", "x", False, "n1")
    single.carry_out(single.node.tips.rejected(proposal, told, single.now))
    assert looked == ["git"]
    single.carry_out(single.node.tips.rejected(replace(proposal, base="a"), told, single.now))
    assert looked == ["git"]


@pytest.mark.parametrize(("newest", "rewrite"), [("a.b.c", False), ("a", True), ("z", True)])
def test_only_what_leaves_the_line_is_proposed_as_that(sources, newest, rewrite) -> None:
    """Members hold every other proposal against what is in force."""
    sources.may_rewrite.add("git")
    sources.push("git", "a.b")
    sources.single.examine = lambda *_: None
    sources.push("git", newest)
    assert sources.single.node.replica.proposals[newest].rewrite is rewrite


def test_no_other_try_is_left_over_once_the_source_has_moved(sources) -> None:
    sources.push("git", "a")
    sources.single.drop = Activate
    sources.push("git", "a.b")
    assert "offer git" in sources.single.timers
    sources.single.drop = None
    sources.push("git", "a.b.c")
    assert "offer git" not in sources.single.timers


def test_what_is_examined_on_top_of_something_older_is_proposed_again(sources) -> None:
    sources.push("git", "a")
    single = sources.single
    replica = single.node.replica
    replica.shared = replace(replica.shared, proposals={"a.b": Proposal("a.b", "older", "git", "x", False, "n1")})
    sources.push("git", "a.b")
    assert sources.active == "a.b"


def test_what_was_compared_with_what_is_no_longer_in_force_is_looked_at_again(single) -> None:
    single.apply(Configuration(name="one"))
    single.converge()
    looked: list[str] = []
    single.look = looked.append
    single.feed(ev.TipSeen(single.now, replace(TIP, active="older")))
    assert looked == ["git"]
    assert not single.events("proposed")[1:], "nothing was proposed"
