"""When the active version can't be lost any more: once members with most of the votes have told that it is on their disks."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib, Version
from reconciler.controller.confirmation import Confirmation
from reconciler.controller.events import Broadcast, Emit, Wish
from reconciler.controller.messages import Kept
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Activation, Shared
from reconciler.frozen import replace

COMMIT = "a" * 40


def at(epoch: int, votes: dict[str, int]) -> Confirmation:
    activation = Activation(f"0.{epoch}.0", COMMIT, None, "site", "s", "d", 0)
    shared = Shared(cib=Cib(version=Version(0, epoch, 0)), commit=COMMIT, activations=(activation,), votes=votes)
    return Confirmation("n1", Replica("n1", shared))


def told(wishes: list[Wish]) -> list[tuple[list[str], int, int]]:
    return [(one.fields["by"], one.fields["votes"], one.fields["of"]) for one in wishes if isinstance(one, Emit)]


@pytest.mark.parametrize(
    ("votes", "heard", "confirmed"),
    [
        ({"n1": 1, "n2": 1, "n3": 1}, "n1", False),
        ({"n1": 1, "n2": 1, "n3": 1}, "n1 n3", True),
        ({"n1": 1, "n2": 1}, "n2", False),
        ({"n1": 1, "n2": 1}, "n2 n1", True),
        ({"n1": 1, "n2": 1, "n3": 3}, "n1 n2", False),
        ({"n1": 1, "n2": 1, "n3": 3}, "n3", True),
        ({"n1": 1, "n2": 1, "n3": 1}, "n1 n1 n1 n9", False),
    ],
)
def test_it_takes_most_of_the_votes(votes: dict[str, int], heard: str, confirmed: bool) -> None:
    confirmation = at(1, votes)
    wishes = [wish for node in heard.split() for wish in confirmation.heard(Kept(node, COMMIT, 1))]
    assert (confirmation.confirmed, len(told(wishes))) == (confirmed, int(confirmed))


def test_it_is_told_once_with_who_has_it() -> None:
    confirmation = at(1, {"n1": 1, "n2": 1, "n3": 1})
    assert told(confirmation.heard(Kept("n2", COMMIT, 1))) == []
    assert told(confirmation.heard(Kept("n1", COMMIT, 1))) == [(["n1", "n2"], 2, 3)]
    assert told(confirmation.heard(Kept("n3", COMMIT, 1))) == []
    assert confirmation.by == ("n1", "n2", "n3")


def test_what_is_told_of_another_version_counts_for_nothing() -> None:
    confirmation = at(2, {"n1": 1, "n2": 1, "n3": 1})
    for kept in (Kept("n2", COMMIT, 1), Kept("n3", "b" * 40, 2), Kept("n3", COMMIT, 3)):
        assert confirmation.heard(kept) == []
    assert confirmation.by == ()
    confirmation.heard(Kept("n2", COMMIT, 2))
    confirmation.replica.shared = replace(confirmation.replica.shared, cib=Cib(version=Version(0, 3, 0)))
    assert confirmation.by == ()
    assert told(confirmation.heard(Kept("n1", COMMIT, 3))) == []


def test_each_member_tells_and_one_that_is_alone_has_told_itself() -> None:
    assert at(1, {"n1": 1, "n2": 1}).durable() == [Broadcast(Kept("n1", COMMIT, 1))]
    assert told(at(1, {"n1": 1}).durable()) == [(["n1"], 1, 1)]
    empty = Confirmation("n1", Replica("n1"))
    assert (empty.durable(), empty.by, empty.confirmed) == ([], (), False)


def test_each_member_of_a_view_tells_anew_that_it_has_the_version() -> None:
    confirmation = at(2, {"n1": 1, "n2": 1, "n3": 1})
    pair = ("n1", "n2")
    for node, epoch, everywhere in (("n1", 2, False), ("n3", 2, False), ("n2", 1, False), ("n2", 2, True)):
        confirmation.heard(Kept(node, COMMIT, epoch))
        assert confirmation.everywhere(pair) is everywhere
    confirmation.begin()
    assert not confirmation.everywhere(pair)
    assert confirmation.by == ("n1", "n2", "n3"), "it is on their disks all the same"


def test_what_a_member_tells_before_it_is_active_here_counts_once_it_is() -> None:
    confirmation = at(2, {"n1": 1, "n2": 1})
    shared = confirmation.replica.shared
    for node in ("n1", "n2"):
        confirmation.heard(Kept(node, COMMIT, 3))
    assert not confirmation.everywhere(("n1", "n2"))
    confirmation.replica.shared = replace(shared, cib=Cib(version=Version(0, 3, 0)))
    assert confirmation.everywhere(("n1", "n2"))
