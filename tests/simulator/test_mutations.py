"""Each rule of membership is needed: broken on purpose, a life shows it, and the seed that does is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import members
import pytest
from members import Cluster
from test_membership import live

from reconciler.controller.membership import agreement, machine
from reconciler.controller.membership.events import Installation, Promise


class Mutation(NamedTuple):
    """One rule broken: `seed` is a life that shows it, of so many nodes."""

    break_rule: Callable[[pytest.MonkeyPatch], None]
    seed: int


def compare_by_promised(patch: pytest.MonkeyPatch) -> None:
    def donor(heard, blank):
        return max(sorted(heard.keys() - blank) or sorted(heard), key=lambda node: heard[node].promised)

    patch.setattr(agreement, "_donor", donor)


def adopt_before_all_promised(patch: pytest.MonkeyPatch) -> None:
    def ready(now, sender, message):
        mine = isinstance(now, machine.Readied) and sender == now.sync.facts.node
        return machine._install(now.sync, now.agreement) if mine else (now, ())

    patch.setattr(machine, "_ready", ready)


def skip_the_sync_of_the_promise(patch: pytest.MonkeyPatch) -> None:
    carry_out = members.Member.carry_out

    def hastily(self, effect):
        if not isinstance(effect, Promise):
            return carry_out(self, effect)
        life = self.life
        self.cluster.clock.after(100, lambda: self._promised(effect.term) if self.up and self.life == life else None)
        return None

    patch.setattr(members.Member, "carry_out", hastily)


def count_a_blank_member(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(agreement, "_is_blank", lambda hello, heard: False)


def a_minority_gives_back_the_vote_of_a_blank_member(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Installation, "no_longer_blank", property(lambda self: self.agreement.blank))


def messages_without_quorum_count(patch: pytest.MonkeyPatch) -> None:
    append = members.Member._append

    def always(self, name, quorate):
        append(self, name, True)

    patch.setattr(members.Member, "_append", always)


MUTATIONS = {
    "compare by promised": Mutation(compare_by_promised, 7),
    "adopt before all promised": Mutation(adopt_before_all_promised, 59),
    "skip the promise's sync": Mutation(skip_the_sync_of_the_promise, 55),
    "count a blank member": Mutation(count_a_blank_member, 12),
    "a minority gives back a blank member's vote": Mutation(a_minority_gives_back_the_vote_of_a_blank_member, 18),
    "messages without quorum count": Mutation(messages_without_quorum_count, 0),
}


def fault(seed: int) -> str | None:
    """What is wrong with a life: a rule that was broken, or no agreement in the end."""
    try:
        cluster = live(seed)
    except AssertionError as error:
        return f"a member was asked for what can't be: {error}"
    return cluster.book.faults[0] if cluster.book.faults else _disagreement(cluster)


def _disagreement(cluster: Cluster) -> str | None:
    states = {member.held for member in cluster.members.values()}
    if len(states) > 1:
        return "the members do not hold the same in the end"
    lost = set(cluster.book.acknowledged) - set(next(iter(states)).entries)
    return f"{sorted(lost)} were acknowledged, and are gone" if lost else None


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_rule_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation = MUTATIONS[name]
    assert fault(mutation.seed) is None, "the life is sound with the rule"
    mutation.break_rule(monkeypatch)
    assert fault(mutation.seed) is not None
