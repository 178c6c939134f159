"""What a watchdog device is told of a node that has lost its state: more may run there than it knows of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from reconciler.daemon.shell import Shell
from reconciler.daemon.watched_node import NodeOfShell


class Told:
    """A node that says what it was told to say."""

    def __init__(self) -> None:
        self.quorate = self.is_heard = self.converged = self.endangers = False
        self.fresh = True

    @property
    def cut_off(self) -> Told:
        return self

    def feeds_watchdog(self, *, turning: bool, now: object) -> bool:
        return turning and ((self.quorate and self.is_heard and self.fresh) or not self.endangers)


@pytest.fixture
def told() -> Told:
    return Told()


def watched(told: Told, *, lost: bool) -> NodeOfShell:
    return NodeOfShell(cast(Shell, SimpleNamespace(node=told, abreast=True)), lost=lost)


def test_whose_state_is_whole_is_fed_as_long_as_it_runs_nothing(told: Told) -> None:
    node = watched(told, lost=False)
    assert (node.member, node.may_feed, node.active) == (False, True, False)
    told.endangers = True
    assert (node.may_feed, node.active) == (False, True)


def test_whose_state_was_lost_may_run_what_it_does_not_know_until_a_dc_has_looked(told: Told) -> None:
    node = watched(told, lost=True)
    assert (node.may_feed, node.active) == (False, True), "nobody has looked"
    told.quorate = told.is_heard = True
    assert (node.may_feed, node.active) == (True, True), "it is a member, and what runs is looked for"
    told.converged = True
    assert not node.active
    told.quorate = False
    assert (node.may_feed, node.active) == (True, False)


def test_who_is_not_answered_is_no_member_for_the_device(told: Told) -> None:
    told.quorate = told.is_heard = told.endangers = True
    node = watched(told, lost=False)
    assert node.member
    told.fresh = False
    assert (node.member, node.may_feed) == (False, False)
