"""A commit becomes active when it was examined on top of what is active and understood alike, or it is refused, and why is told."""

from __future__ import annotations

import pytest

from reconciler.controller import events as ev
from reconciler.controller.envelope import unseal
from reconciler.controller.messages import Accept, Activate, Propose
from reconciler.controller.shared import Prepared, agreed, differing
from reconciler.errors import Finding, Place

from .written import configuration, primitive


def test_an_invalid_commit_changes_nothing(single, world):
    single.apply(configuration(primitive("a")))
    single.converge()
    version = single.cib.version
    single.feed(ev.CommitArrived(single.now, "bad", "test", "x"))
    single.converge()
    assert (single.cib.version, single.node.replica.commit) == (version, f"{1:040x}")
    assert single.events("rejected")[-1]["commit"] == "bad"


def test_an_activation_that_cannot_be_kept_is_refused(single, world):
    single.apply(configuration(primitive("a")))
    single.converge()
    single.drop = Activate
    commit = single.apply(configuration(primitive("b")))
    single.converge()
    assert set(world.running) == {"a"}
    assert single.events("rejected")[-1]["commit"] == commit
    single.drop = None
    single.apply(configuration(primitive("b")), commit)
    single.converge()
    assert set(world.running) == {"b"}


def test_of_two_proposals_the_second_is_judged_on_top_of_the_first(single):
    first, second = configuration(primitive("a")), configuration(primitive("b"))
    single.commits |= {"one": first, "two": second}
    single.pending.append(ev.CommitArrived(single.now, "one", "x", ""))
    single.feed(ev.CommitArrived(single.now, "two", "y", ""))
    single.converge()
    assert [event["commit"] for event in single.events("activated")] == ["one", "two"]
    assert single.node.replica.activations[-1].parent == "one"


def test_what_was_examined_on_top_of_another_commit_does_not_count(single):
    """The answer to an examination comes after another commit became active: it is examined again, and only that counts."""
    single.apply(configuration(primitive("a")), "one")
    single.converge()
    single.commits["two"] = configuration(primitive("b"))
    single.node.step(ev.CommitArrived(single.now, "two", "x", ""))
    replica = single.node.replica
    replica.take_in("n1", b"", Propose("two", "zero", "x", "", False, replica.term))
    replica.take_in("n1", b"", Accept("two", "zero", "digest", replica.term))
    replica.take_in("n1", b"", Propose("two", "one", "x", "", False, replica.term))
    assert agreed(replica.shared, ("n1",)) is None
    replica.take_in("n1", b"", Accept("two", "zero", "digest", replica.term))
    assert agreed(replica.shared, ("n1",)) is None
    replica.take_in("n1", b"", Accept("two", "one", "digest", replica.term))
    accepted = agreed(replica.shared, ("n1",))
    assert accepted is not None
    assert accepted.commit == "two"


def test_members_that_understand_a_commit_differently_refuse_it(single):
    replica = single.node.replica
    replica.take_in("n1", b"", Propose("two", None, "x", "", False, replica.term))
    replica.take_in("n1", b"", Accept("two", None, "one digest", replica.term))
    assert agreed(replica.shared, ("n1", "n2")) is None
    assert differing(replica.shared, ("n1", "n2")) is None
    replica.take_in("n2", b"", Accept("two", None, "other digest", replica.term))
    assert agreed(replica.shared, ("n1", "n2")) is None
    assert differing(replica.shared, ("n1", "n2")) is not None


def test_what_was_under_way_at_ends_in_a_row_is_refused_and_what_is_proposed_afterwards_is_not(single):
    active = single.apply(configuration(primitive("a")))
    single.converge()
    harmful = configuration(primitive("a"), primitive("b"))

    def end(*_: object) -> None:
        raise SystemExit

    single.node.parts.proposals.foresee = end
    with pytest.raises(SystemExit):
        single.apply(harmful)
    single.trouble = "the daemon ended 3 times in a row"
    single.start()
    single.run(5_000)
    single.apply(harmful)
    assert single.cib.configuration.resources == (primitive("a"),)
    assert (single.node.replica.commit, dict(single.node.replica.proposals)) == (active, {})
    assert "when the daemon ended 3 times" in single.events("rejected")[-1]["reason"]
    single.apply(configuration(primitive("c")))
    assert [one.id for one in single.cib.configuration.resources] == ["c"]


def test_silence_is_never_acceptance(single):
    single.commits["slow"] = configuration()
    single.feed(ev.TimerFired(single.now, "recheck"))
    effects = single.node.step(ev.CommitArrived(single.now, "slow", "x", ""))
    (proposed,) = [effect.data for effect in effects if isinstance(effect, ev.Send)]
    told = single.node.step(ev.Delivered(single.now, "n1", proposed))
    single.carry_out([effect for effect in told if not isinstance(effect, ev.Examine)])
    assert "examine slow" in single.timers
    single.run(61_000)
    assert "no answer" in single.events("rejected")[-1]["reason"]
    assert single.node.replica.commit is None


def test_a_commit_that_arrives_amid_an_activation_is_not_lost(single):
    """The activation is in the journal, but not delivered yet, when the next commit comes."""
    single.apply(configuration(primitive("a")), "one")
    single.converge()
    single.commits |= {"two": configuration(primitive("b")), "three": configuration(primitive("c"))}
    send = single.send

    def slow(data):
        send(data)
        message = unseal(data).message
        if isinstance(message, Activate) and message.commit == "two":
            held = single.pending.pop()
            single.carry_out(single.node.step(ev.CommitArrived(single.now, "three", "git", "")))
            proposed = single.pending.pop()
            single.pending += [held, proposed]

    single.send = slow
    single.feed(ev.CommitArrived(single.now, "two", "git", ""))
    single.converge()
    assert [event["commit"] for event in single.events("activated")] == ["one", "two", "three"]
    assert single.events("rejected") == []
    assert single.node.replica.activations[-1].parent == "two"


def test_a_proposal_that_makes_room_for_another_leaves_nothing(single):
    replica = single.node.replica
    for number in range(200):
        commit = f"{number:040x}"
        replica.take_in("n1", b"", Propose(commit, None, "x", "", False, replica.term))
        replica.prepare(commit, Prepared("digest", configuration()))
    assert len(replica.proposals) < 100
    assert set(replica.own.prepared) == set(replica.proposals)


def test_a_refusal_says_whether_it_may_pass(single):
    """A full store, silence: the same commit may be taken later. An invalid one never is."""
    single.full = True
    commit = single.apply(configuration(primitive("a")))
    assert "can't keep it" in single.events("rejected")[-1]["reason"]
    assert single.events("rejected")[-1]["transient"] is True
    single.full = False
    single.drop = Activate
    single.apply(configuration(primitive("a")), commit)
    assert "could not make it durable" in single.events("rejected")[-1]["reason"]
    assert single.events("rejected")[-1]["transient"] is True
    single.drop = None
    single.feed(ev.CommitArrived(single.now, "bad", "test", "x"))
    assert single.events("rejected")[-1]["transient"] is False
    single.examine = lambda *_: None
    single.feed(ev.CommitArrived(single.now, "slow", "test", "x"))
    single.run(61_000)
    assert single.events("rejected")[-1]["commit"] == "slow"
    assert single.events("rejected")[-1]["transient"] is True


def test_any_refusal_fits_into_a_message(single):
    """A thousand findings that quote a value of a megabyte, in a file whose name is no text."""
    finding = Finding("code", Place("\udcff.yaml", 1, 1), "x" * 1_000_001, "y" * 1_000_001)
    single.examine = lambda commit, base: single.pending.append(
        ev.Examined(single.now, commit, base, reason="z" * 1_000_001, findings=(finding,) * 1000)
    )
    single.feed(ev.CommitArrived(single.now, "bad", "test", "x"))
    (rejected,) = single.events("rejected")
    assert rejected["findings"][0]["file"] == "\\udcff.yaml"
    assert 100 <= len(rejected["findings"]) <= 1000
