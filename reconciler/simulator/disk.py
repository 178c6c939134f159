"""A virtual disk that holds a journal: what was written is there, what was synchronised is there after a crash, and anything may go wrong.

Source: the design of the cluster, "The simulator" (faults of disks).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Generic, TypeVar

from reconciler.simulator.clock import Clock

R = TypeVar("R")

SYNC_US = (600, 1_500)
"""How long a synchronisation takes on a disk that is well."""


class Disk(Generic[R]):
    """The journal of one node. A crash keeps what was durable and, of what was only written, any beginning."""

    def __init__(self, clock: Clock, chance: Random) -> None:
        self.clock = clock
        self.chance = chance
        self.full = False
        self.failing = False
        """Whether synchronising fails."""
        self.slow_us = 0
        """What a synchronisation takes besides."""
        self.records: list[R] = []
        self.durable = 0
        self.taken_away = 0
        """How often what was durable was taken away by somebody: another disk, or an older copy."""
        self._life = 0
        self._copies: list[tuple[R, ...]] = []

    def write(self, record: R) -> bool:
        """Append a record; whether there was room."""
        if not self.full:
            self.records.append(record)
        return not self.full

    def sync(self, done: Callable[[bool], None]) -> None:
        """Make durable what is written by now, and tell whether it is; nobody is told after a crash."""
        life, end = self._life, len(self.records)
        wait_us = self.chance.randint(*SYNC_US) + self.slow_us
        self.clock.after(wait_us, lambda: self._synced(life, end, done))

    def crash(self) -> None:
        """The process or its host is gone."""
        self._life += 1
        kept = self.chance.randint(self.durable, len(self.records))
        del self.records[kept:]
        self.durable = len(self.records)

    def copy(self) -> None:
        """Somebody makes a copy of what is durable."""
        self._copies.append(tuple(self.records[: self.durable]))

    def replace(self) -> None:
        """The disk is another, and empty."""
        self.crash()
        self.records.clear()
        self.durable = 0
        self.taken_away += 1

    def roll_back(self) -> bool:
        """The disk is restored from an older copy; False when there is none."""
        if not self._copies:
            return False
        self.crash()
        self.records = list(self.chance.choice(self._copies))
        self.taken_away += 1
        self.durable = len(self.records)
        return True

    def _synced(self, life: int, end: int, done: Callable[[bool], None]) -> None:
        if life != self._life:
            return
        if not self.failing:
            self.durable = max(self.durable, end)
        done(not self.failing)
