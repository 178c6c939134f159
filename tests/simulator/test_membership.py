"""Members install views over a network that does what CPG does, while anything breaks.

Nothing acknowledged is lost, and once all is mended, all agree.
"""

from __future__ import annotations

from random import Random

import pytest
from members import Cluster

SEEDS = 120


def disturb(cluster: Cluster, chance: Random, replaced: set[str]) -> None:
    """One fault, or one mended."""
    names = sorted(cluster.members)
    name = chance.choice(names)
    member = cluster.members[name]
    match chance.choice(
        ("cut", "cut", "heal", "kill", "start", "start", "freeze", "thaw", "slow", "late", "replace", "copy")
    ):
        case "cut":
            chance.shuffle(names)
            at = chance.randint(1, len(names) - 1)
            cluster.network.cut([names[:at], names[at:]] if chance.random() < 0.8 else [])
        case "heal":
            cluster.network.heal()
        case "kill" if member.up and name not in cluster.network.frozen:
            member.stop()
        case "start" if not member.up:
            member.start()
        case "freeze" if member.up:
            cluster.network.freeze(name)
        case "thaw":
            cluster.network.thaw(name)
        case "slow":
            member.disk.slow_us = chance.choice((0, 0, 20_000, 4_000_000))
        case "late":
            cluster.network.verdicts_late = not cluster.network.verdicts_late
            cluster.network.slow = {name} if chance.random() < 0.5 else set()
        case "copy":
            member.disk.copy()
        case "replace" if not replaced - {name} and name not in cluster.network.frozen:
            replaced.add(name)
            if member.up:
                member.stop()
            # Who restores an older copy says so: that nobody who is there knows of the time since can't be found out.
            member.blank = member.disk.roll_back()
            if not member.blank:
                member.disk.replace()
            member.start()


def heal(cluster: Cluster) -> None:
    for name, member in cluster.members.items():
        cluster.network.thaw(name)
        member.disk.slow_us = 0
        if not member.up:
            member.start()
    cluster.network.slow.clear()
    cluster.network.verdicts_late = False
    cluster.network.heal()
    cluster.run(60_000)


def live(seed: int, names: tuple[str, ...] = ("n1", "n2", "n3"), steps: int = 40) -> Cluster:
    cluster, chance = Cluster(seed, names), Random(-seed)
    replaced: set[str] = set()
    cluster.run(2_000)
    for step in range(steps):
        for number in range(chance.randint(0, 3)):
            cluster.members[chance.choice(names)].propose(f"{step}.{number}")
        cluster.run(chance.choice((1, 2, 5, 20, 300, 2_000, 6_000)))
        if chance.random() < 0.5:
            disturb(cluster, chance, replaced)
    heal(cluster)
    return cluster


@pytest.mark.parametrize("block", range(4))
def test_nothing_acknowledged_is_lost_and_all_agree_in_the_end(block: int) -> None:
    acknowledged = 0
    for seed in range(block * SEEDS // 4, (block + 1) * SEEDS // 4):
        cluster = live(seed)
        assert cluster.book.faults == [], f"seed {seed}"
        states = {member.held for member in cluster.members.values()}
        assert len(states) == 1, f"seed {seed}: {states}"
        assert all(m.installed is not None and m.installed.quorate for m in cluster.members.values()), f"seed {seed}"
        (state,) = states
        assert set(cluster.book.acknowledged) <= set(state.entries), f"seed {seed}"
        acknowledged += len(cluster.book.acknowledged)
    assert acknowledged > 100, "nothing was put to the test"


def test_members_do_have_to_give_something_up() -> None:
    assert any(live(seed).book.tails for seed in range(SEEDS))


def test_five_members_too() -> None:
    for seed in range(15):
        cluster = live(seed, ("n1", "n2", "n3", "n4", "n5"))
        assert cluster.book.faults == [], f"seed {seed}"
        assert len({member.held for member in cluster.members.values()}) == 1, f"seed {seed}"
