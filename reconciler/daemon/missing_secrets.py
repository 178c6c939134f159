"""Secrets that this node can't tell although calls of agents needed them: said in every status, and looked for again.

What failed for want of one is cleaned up as soon as it is there, so that it is tried again. That it failed is in the CIB that a former
daemon left; the first looks of this one may put something else in its place, so it is read before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from reconciler.agents.executor import NO_SECRET
from reconciler.cib import Cib
from reconciler.cib.observations import transient
from reconciler.controller.members import node_state
from reconciler.daemon.secret_needs import definitions, needs
from reconciler.daemon.threads import Threads
from reconciler.model.operation import OperationStatus
from reconciler.model.status import HistoryEntry, NodeState

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 60.0


class MissingSecrets:
    """`lacking` is what the last call of each resource lacked, less what is found; `cib` says what failed here.

    `found` is told of resources that have failed here and can be tried again.
    """

    def __init__(
        self,
        node: str,
        cib: Callable[[], Cib],
        lacking: dict[str, tuple[str, ...]],
        resolve: Callable[[str], str | None],
        found: Callable[[tuple[str, ...]], None],
    ) -> None:
        self._node = node
        self._cib = cib
        self._lacking = lacking
        self._resolve = resolve
        self._found = found
        self._threads = Threads("secrets", 1)
        self._owed: set[str] = set()
        """What has failed for want of a secret, as far as is known."""
        self._read: tuple[Cib, dict[str, tuple[str, ...]]] | None = None
        self._failed()

    def texts(self) -> list[str]:
        """What status says about each resource that lacks a secret."""
        return [
            f"{resource} needs the secret {', '.join(names)}, which this node can't tell"
            for resource, names in sorted(self._wanted().items())
        ]

    async def run(self) -> None:
        """Look for them, first soon and then more and more rarely, for ever."""
        pause_s, before = _FIRST_PAUSE_S, frozenset[str]()
        while True:
            await asyncio.sleep(pause_s)
            wanted = self._wanted()
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S) if wanted and wanted.keys() == before else _FIRST_PAUSE_S
            before = frozenset(wanted)
            if wanted:
                await self._look(wanted)

    async def _look(self, wanted: dict[str, tuple[str, ...]]) -> None:
        names = sorted({name for each in wanted.values() for name in each})
        known = await self._threads.run(lambda: {name for name in names if self._resolve(name) is not None})
        there = [resource for resource, needed in wanted.items() if known.issuperset(needed)]
        for resource in there:
            self._lacking.pop(resource, None)
        if failed := tuple(sorted(name for name in there if name in self._failed())):
            self._owed.difference_update(failed)
            self._found(failed)

    def _wanted(self) -> dict[str, tuple[str, ...]]:
        """Resources with the secrets that they lack. What needs none any more is the operators' to clean up."""
        return {name: needed for name, needed in {**self._failed(), **self._lacking}.items() if needed}

    def _failed(self) -> dict[str, tuple[str, ...]]:
        """The resources that have failed here for want of a secret, and are banned for that, with all those that they need now."""
        cib = self._cib()
        if self._read is None or self._read[0] is not cib:
            state = node_state(cib, self._node)
            failed = {history.id for history in state.history if any(map(_lacked, history.entries))}
            self._owed |= failed
            banned = failed | self._owed & _counted(state)
            known = definitions(cib.configuration) if banned else {}
            wanted = {name: known.get(name.partition(":")[0]) for name in banned}
            self._read = cib, {name: needs(one) for name, one in wanted.items() if one is not None}
        return self._read[1]


def _lacked(entry: HistoryEntry) -> bool:
    """Whether an operation, or the look that took the place of one, lacked a secret. A recurring one that did has not failed."""
    result = entry.result
    looked = not result.recurs and (result.exit_reason or "").startswith(NO_SECRET)
    return looked or result.status == OperationStatus.NO_SECRETS


def _counted(state: NodeState) -> frozenset[str]:
    """The resources of which failures are counted on a node."""
    begin = "fail-count-"
    return frozenset(name.removeprefix(begin).rpartition("#")[0] for name in transient(state) if name.startswith(begin))
