"""What the members share, message by message: what each leaves in the state, and what is read from it."""

from __future__ import annotations

import pytest

from reconciler.controller.messages import Propose, Report
from reconciler.controller.shared import _MOST_PROPOSALS as MOST_PROPOSALS
from reconciler.controller.shared import Activation, Shared, deliver, lineage
from reconciler.frozen import replace


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
