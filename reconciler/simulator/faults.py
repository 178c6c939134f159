"""What may go wrong, as values: a life is told by its seed and a list of these, and shrunk by leaving some out."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from random import Random

from reconciler.frozen import frozen


class Trouble(enum.Enum):
    """One thing that happens to a cluster; what `Fault.detail` means stands beside it."""

    KILL = "the process dies"
    KILL_SOON = "the process dies after a number of effects"
    START = "the process starts, if there is none"
    POWER_OFF = "the host loses its power"
    POWER_ON = "the host boots"
    FREEZE = "the host stands still"
    THAW = "the host goes on"
    CUT = "the host is cut off, and those with it"
    HEAL = "all hosts reach each other"
    SLOW_LEARNER = "the host's side learns late of changes"
    LATE_VERDICTS = "quorum verdicts come after their views"
    STALE_VERDICTS = "quorum verdicts are of the view before"
    SLOW_DISK = "the disk is slow, by a number of milliseconds"
    FULL_DISK = "the disk is full"
    FAILING_DISK = "synchronising the disk fails"
    MEND_DISK = "the disk is well"
    REPLACE_DISK = "the disk is another, and empty"
    RESOURCE_DIES = "a resource dies by itself"
    AGENT_FAILS = "an agent fails"
    AGENT_HANGS = "an agent does not answer"
    MEND_AGENTS = "all agents do what they should"
    SKEW = "the wall clock is wrong by a number of milliseconds"
    COMMIT = "a commit arrives"
    CLEANUP = "an operator cleans a resource up"
    REFRESH = "an operator refreshes a resource"
    STOP = "an operator stops the node"


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
    Trouble.CUT: 4,
    Trouble.HEAL: 6,
    Trouble.SLOW_LEARNER: 1,
    Trouble.LATE_VERDICTS: 1,
    Trouble.STALE_VERDICTS: 1,
    Trouble.SLOW_DISK: 2,
    Trouble.FULL_DISK: 1,
    Trouble.FAILING_DISK: 1,
    Trouble.MEND_DISK: 4,
    Trouble.REPLACE_DISK: 1,
    Trouble.RESOURCE_DIES: 5,
    Trouble.AGENT_FAILS: 2,
    Trouble.AGENT_HANGS: 2,
    Trouble.MEND_AGENTS: 4,
    Trouble.SKEW: 1,
    Trouble.COMMIT: 10,
    Trouble.CLEANUP: 2,
    Trouble.REFRESH: 1,
    Trouble.STOP: 1,
}
ALONE = frozenset(_WEIGHTS) - {Trouble.CUT, Trouble.HEAL, Trouble.SLOW_LEARNER, Trouble.REPLACE_DISK}
"""What may happen to a cluster of one."""
_MAJORITY_LEFT = 3
"""How many hosts it takes so that one may lose its disk and the others still know everything."""
_PAUSES_MS = (1, 3, 10, 50, 300, 2_000, 6_000, 20_000)


def draw(chance: Random, hosts: Sequence[str], count: int) -> tuple[Fault, ...]:
    """So many faults, each a while after the one before. Disks are replaced on one host alone: two at once are lost for good."""
    few = ALONE if len(hosts) == 1 else frozenset(_WEIGHTS) - {Trouble.REPLACE_DISK}
    allowed = [trouble for trouble in _WEIGHTS if len(hosts) >= _MAJORITY_LEFT or trouble in few]
    weights = [_WEIGHTS[trouble] for trouble in allowed]
    at_ms, faults = 3_000, []
    for trouble in chance.choices(allowed, weights, k=count):
        at_ms += chance.choice(_PAUSES_MS) + chance.randint(0, 5)
        host = hosts[-1] if trouble is Trouble.REPLACE_DISK else chance.choice(hosts)
        faults.append(Fault(at_ms, trouble, host, _detail(chance, trouble), _others(chance, trouble, host, hosts)))
    return tuple(faults)


def _detail(chance: Random, trouble: Trouble) -> int:
    match trouble:
        case Trouble.KILL_SOON:
            return chance.randint(0, 20)
        case Trouble.SLOW_DISK:
            return chance.choice((20, 300, 4_000, 30_000))
        case Trouble.SKEW:
            return chance.choice((-86_400_000, -60_000, 2_000, 3_600_000))
        case Trouble.COMMIT | Trouble.RESOURCE_DIES | Trouble.AGENT_FAILS | Trouble.AGENT_HANGS:
            return chance.randint(0, 1 << 16)
        case Trouble.CLEANUP | Trouble.REFRESH:
            return chance.randint(0, 1 << 16)
        case _:
            return 0


def _others(chance: Random, trouble: Trouble, host: str, hosts: Sequence[str]) -> tuple[str, ...]:
    if trouble is not Trouble.CUT:
        return ()
    rest = [other for other in hosts if other != host]
    return tuple(sorted(chance.sample(rest, chance.randint(0, len(rest) - 1))))
