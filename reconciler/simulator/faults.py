"""What may go wrong, as values: a life is told by its seed and a list of these, and shrunk by leaving some out."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from random import Random

from reconciler.frozen import frozen, replace


class Trouble(enum.Enum):
    """One thing that happens to a cluster; what `Fault.detail` means stands beside it."""

    KILL = "the process dies"
    KILL_SOON = "the process dies after a number of effects"
    POWER_SOON = "the host loses its power after a number of effects"
    START = "the process starts, if there is none"
    POWER_OFF = "the host loses its power"
    POWER_ON = "the host boots"
    FREEZE = "the host stands still"
    THAW = "the host goes on"
    PAUSE = "the process stands still, and its host does not"
    RESUME = "the process goes on"
    CUT = "the host is cut off, and those with it"
    HEAL = "all hosts reach each other"
    SLOW_NETWORK = "messages take up to a number of milliseconds"
    SLOW_LEARNER = "the host's side learns late of changes"
    LATE_VERDICTS = "quorum verdicts come after their views"
    STALE_VERDICTS = "quorum verdicts are of the view before"
    SLOW_DISK = "the disk is slow, by a number of milliseconds"
    FULL_DISK = "the disk is full"
    FAILING_DISK = "synchronising the disk fails"
    MEND_DISK = "the disk is well"
    REPLACE_DISK = "the disk is another, and empty"
    COPY_DISK = "the disk is copied"
    RESTORE_DISK = "the disk is restored from an older copy"
    RESOURCE_DIES = "a resource dies by itself"
    AGENT_FAILS = "an agent fails"
    AGENT_HANGS = "an agent does not answer"
    AGENT_LIES = "an agent says that it started something, and did not"
    ATTRIBUTE = "an agent has another value for an attribute"
    MEND_AGENTS = "all agents do what they should"
    SKEW = "the wall clock is wrong by a number of milliseconds"
    FENCING_FAILS = "fence devices fail"
    FENCING_SLOW = "fence devices are slow, by a number of milliseconds"
    FENCING_LATE = "fence devices fail, and do it later all the same"
    FENCING_LIES = "fence devices say that they did, and did not"
    MEND_FENCING = "fence devices do what they should"
    CONFIRM = "an operator confirms that the host is off, if it is"
    DEMAND = "an operator has the host fenced"
    COMMIT = "a commit arrives"
    TWO_COMMITS = "two commits arrive at once, at the host and another"
    INVALID_COMMIT = "a commit arrives that is invalid"
    REFUSED_COMMIT = "a commit arrives that the host refuses by its own policy"
    DISPUTED_COMMIT = "a commit arrives that the host understands otherwise"
    CLEANUP = "an operator cleans a resource up"
    REFRESH = "an operator refreshes a resource"
    STOP = "an operator stops the node"
    MEMORY = "the node has no memory left for the next message that it takes in"
    FORGERY = "the node orders a start as if it were the DC"
    DEAF = "the fabric stands still on the host, and the process does not"
    UPGRADE = "the process ends in order, and the host runs on"


@frozen
class Fault:
    """Something that goes wrong (or is mended) at a time: where, and how much or which one."""

    at_ms: int
    trouble: Trouble
    host: str
    detail: int = 0
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = f" ({self.detail})" if self.detail else ""
        others = f" with {', '.join(self.others)}" if self.others else ""
        return f"{self.trouble.value}: {self.host}{others}{more}"


_WEIGHTS = {
    Trouble.KILL: 3,
    Trouble.KILL_SOON: 5,
    Trouble.START: 8,
    Trouble.POWER_OFF: 2,
    Trouble.POWER_ON: 5,
    Trouble.FREEZE: 3,
    Trouble.THAW: 6,
    Trouble.PAUSE: 2,
    Trouble.RESUME: 4,
    Trouble.CUT: 4,
    Trouble.HEAL: 6,
    Trouble.SLOW_NETWORK: 1,
    Trouble.SLOW_LEARNER: 1,
    Trouble.LATE_VERDICTS: 1,
    Trouble.STALE_VERDICTS: 1,
    Trouble.SLOW_DISK: 2,
    Trouble.FULL_DISK: 1,
    Trouble.FAILING_DISK: 1,
    Trouble.MEND_DISK: 4,
    Trouble.REPLACE_DISK: 1,
    Trouble.COPY_DISK: 1,
    Trouble.RESTORE_DISK: 1,
    Trouble.RESOURCE_DIES: 5,
    Trouble.AGENT_FAILS: 2,
    Trouble.AGENT_HANGS: 2,
    Trouble.AGENT_LIES: 1,
    Trouble.ATTRIBUTE: 3,
    Trouble.MEND_AGENTS: 4,
    Trouble.SKEW: 1,
    Trouble.FENCING_FAILS: 2,
    Trouble.FENCING_SLOW: 2,
    Trouble.FENCING_LATE: 1,
    Trouble.FENCING_LIES: 1,
    Trouble.MEND_FENCING: 3,
    Trouble.CONFIRM: 2,
    Trouble.DEMAND: 2,
    Trouble.COMMIT: 10,
    Trouble.TWO_COMMITS: 2,
    Trouble.INVALID_COMMIT: 1,
    Trouble.REFUSED_COMMIT: 1,
    Trouble.DISPUTED_COMMIT: 1,
    Trouble.CLEANUP: 2,
    Trouble.REFRESH: 1,
    Trouble.STOP: 1,
    Trouble.MEMORY: 1,
    Trouble.FORGERY: 1,
}
_FENCING = frozenset(
    {
        Trouble.FENCING_FAILS,
        Trouble.FENCING_SLOW,
        Trouble.FENCING_LATE,
        Trouble.FENCING_LIES,
        Trouble.MEND_FENCING,
        Trouble.CONFIRM,
        Trouble.DEMAND,
    }
)
_LOSE_DISKS = frozenset({Trouble.REPLACE_DISK, Trouble.COPY_DISK, Trouble.RESTORE_DISK})
_AMONG_SEVERAL = frozenset(
    {
        Trouble.CUT,
        Trouble.HEAL,
        Trouble.SLOW_LEARNER,
        Trouble.SLOW_NETWORK,
        Trouble.TWO_COMMITS,
        Trouble.DISPUTED_COMMIT,
        Trouble.MEMORY,
        Trouble.FORGERY,
    }
)
ALONE = frozenset(_WEIGHTS) - _AMONG_SEVERAL - _LOSE_DISKS - _FENCING | {Trouble.POWER_SOON}
"""What may happen to a cluster of one."""
_MAJORITY_LEFT = 3
"""How many hosts it takes so that one may lose its disk and the others still know everything."""
_NUMBERED = frozenset(
    {
        Trouble.COMMIT,
        Trouble.TWO_COMMITS,
        Trouble.REFUSED_COMMIT,
        Trouble.DISPUTED_COMMIT,
        Trouble.RESOURCE_DIES,
        Trouble.AGENT_FAILS,
        Trouble.AGENT_HANGS,
        Trouble.AGENT_LIES,
        Trouble.ATTRIBUTE,
        Trouble.CLEANUP,
        Trouble.DEMAND,
        Trouble.REFRESH,
        Trouble.FORGERY,
    }
)
"""Whose detail picks one of what there is."""
_DEAF = 0.5
"""So often something else happens where nodes may count as fenced by their watchdogs."""
_POWER = 0.3
"""So often the power goes where the process would have died amid its effects."""
_PAUSES_MS = (1, 3, 10, 50, 300, 2_000, 6_000, 20_000)


def draw(chance: Random, hosts: Sequence[str], count: int, *, fencing: bool = False) -> tuple[Fault, ...]:
    """So many faults, each a while after the one before. Disks are lost on one host alone: two at once are lost for good."""
    allowed = [trouble for trouble in _WEIGHTS if _may_happen(trouble, len(hosts), fencing=fencing)]
    weights = [_WEIGHTS[trouble] for trouble in allowed]
    at_ms, faults = 3_000, []
    for trouble in chance.choices(allowed, weights, k=count):
        at_ms += chance.choice(_PAUSES_MS) + chance.randint(0, 5)
        host = hosts[-1] if trouble in _LOSE_DISKS else chance.choice(hosts)
        faults.append(Fault(at_ms, trouble, host, _detail(chance, trouble), _others(chance, trouble, host, hosts)))
    return tuple(faults)


def with_power(seed: int, faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """The same faults, but that in some places the host loses its power amid its effects, and not the process alone.

    That is drawn apart: lives in which no process dies so stay what they are.
    """
    chance = Random(f"{seed} power")
    return tuple(
        replace(one, trouble=Trouble.POWER_SOON)
        if one.trouble is Trouble.KILL_SOON and chance.random() < _POWER
        else one
        for one in faults
    )


def with_deafness(seed: int, faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """The same faults, but that in some places the fabric alone stands still, or the process ends in order. That is drawn apart, too."""
    chance = Random(f"{seed} deafness")
    instead = {Trouble.FREEZE: Trouble.DEAF, Trouble.PAUSE: Trouble.DEAF, Trouble.KILL: Trouble.UPGRADE}
    return tuple(
        replace(one, trouble=instead[one.trouble]) if one.trouble in instead and chance.random() < _DEAF else one
        for one in faults
    )


def _may_happen(trouble: Trouble, hosts: int, *, fencing: bool) -> bool:
    if hosts == 1:
        return trouble in ALONE
    return (fencing or trouble not in _FENCING) and (hosts >= _MAJORITY_LEFT or trouble not in _LOSE_DISKS)


def _detail(chance: Random, trouble: Trouble) -> int:
    match trouble:
        case Trouble.KILL_SOON:
            return chance.randint(0, 20)
        case Trouble.SLOW_DISK:
            return chance.choice((20, 300, 4_000, 30_000))
        case Trouble.SLOW_NETWORK:
            return chance.choice((0, 20, 300, 2_000))
        case Trouble.FENCING_SLOW:
            return chance.choice((5_000, 40_000, 90_000))
        case Trouble.SKEW:
            return chance.choice((-86_400_000, -60_000, 2_000, 3_600_000))
        case _:
            return chance.randint(0, 1 << 16) if trouble in _NUMBERED else 0


def _others(chance: Random, trouble: Trouble, host: str, hosts: Sequence[str]) -> tuple[str, ...]:
    rest = [other for other in hosts if other != host]
    if trouble is Trouble.TWO_COMMITS:
        return (chance.choice(rest),)
    if trouble is not Trouble.CUT:
        return ()
    return tuple(sorted(chance.sample(rest, chance.randint(0, len(rest) - 1))))
