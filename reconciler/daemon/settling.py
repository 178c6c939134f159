"""A doubt about the restored state, and what settles it: until then nothing is started or stopped by what was restored.

`evidence` says whether there is a doubt. One of several waits for what the others hold; one node by itself for an activation, or for a
source that vouches.
Source: the design of the cluster, safety rule 8.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from reconciler.controller.events import CommitArrived, Lacking, RefreshAsked
from reconciler.daemon.evidence import Doubt, doubt_of, is_one_of_several
from reconciler.daemon.held import found_stopped
from reconciler.daemon.log import say
from reconciler.daemon.shell import Shell, moment
from reconciler.errors import ReconcilerError
from reconciler.sources.repository import ACTIVE, Repository
from reconciler.sources.source import Source, SourceState

_LOOK_AGAIN_S = 0.2
_LOOKS_PER_PROPOSAL = 150


class Settling:
    """Holds the shell as long as the restored state is in doubt.

    `damage` is what was wrong with what the state was read from, `sources` are who may vouch for it; `start` runs work that goes on, and
    `warn` has every status show a text.
    """

    def __init__(
        self,
        shell: Shell,
        repository: Repository,
        damage: Sequence[str],
        sources: Mapping[str, Source],
        start: Callable[[Coroutine[Any, Any, None]], None],
        warn: Callable[[str], None],
    ) -> None:
        self._shell = shell
        self._repository = repository
        self._damage = damage
        self._sources = sources
        self._start = start
        self._warn = warn

    async def begin(self) -> None:
        """See whether what was restored is the newest configuration there was; in doubt the shell is held, and what settles it begun."""
        shell, replica = self._shell, self._shell.node.replica
        named = await self._named()
        doubt = doubt_of(replica.commit, replica.activations, self._damage, named)
        if doubt is not None:
            shell.hold("state", doubt.why)
            if is_one_of_several(replica.shared, shell.node.name):
                replica.doubt()
                self._start(self._wait_for_others(doubt))
            else:
                self._start(self._settle(doubt))
        elif replica.commit is not None and named != replica.commit:
            self._start(shell.record_active(replica.commit))
        if doubt is None and self._damage:
            shell.hold("damage", "the state is damaged: what runs is looked for first")
            self._start(self._look_first())

    async def _named(self) -> str | None:
        """The commit that the repository says was active; one that it has lost is asked of the other members."""
        commit = self._shell.node.replica.commit
        try:
            named = await asyncio.to_thread(self._repository.reference, ACTIVE)
            if commit is not None and not await asyncio.to_thread(self._knows, commit):
                self._warn(f"the repository has lost the active commit {commit[:12]}")
                self._shell.tell(Lacking(moment(), (commit,), None))
        except ReconcilerError as error:
            say(logging.ERROR, "the repository could not be asked for the active commit", reason=str(error))
            return None
        return named

    def _knows(self, commit: str) -> bool:
        try:
            return bool(self._repository.facts(commit))
        except ReconcilerError:
            return False

    async def _settle(self, doubt: Doubt) -> None:
        """Propose the commit that is known to be newer, again and again; an activation ends the doubt, but of what was proposed before it.

        Where none is known, a source that has the restored commit as its newest vouches for it; where none was restored, nobody can.
        """
        replica = self._shell.node.replica
        epoch, former = replica.cib.version.epoch, frozenset(replica.proposals)
        for look in itertools.count():
            if doubt.newer is not None and look % _LOOKS_PER_PROPOSAL == 0:
                offer = CommitArrived(moment(), doubt.newer, "recovery", "the commit that was active", True)
                self._shell.tell(offer)
            await asyncio.sleep(_LOOK_AGAIN_S)
            fresh = replica.commit == doubt.newer or replica.commit not in former
            if self._vouched(doubt) or (replica.cib.version.epoch != epoch and fresh):
                break
        await self._look_as_configured()
        self._end(doubt)

    def _end(self, doubt: Doubt) -> None:
        """Let things go on. What the state was read from is in each status already, if it was damaged; so is that it was not the newest."""
        active = self._shell.node.replica.commit
        if doubt.newer is not None:
            since = "" if active is None else f"; since then {active[:12]} has become active"
            self._warn(f"at the start the state did not know of {doubt.newer[:12]}, which the repository named{since}")
        say(logging.WARNING, "the doubt about the state is over", doubt=doubt.why, active=active)
        self._shell.release("state")

    def _vouched(self, doubt: Doubt) -> bool:
        commit = self._shell.node.replica.commit
        return (doubt.newer is None and commit is not None) and any(
            status.state is SourceState.OK and status.commit == commit
            for status in (source.status() for source in self._sources.values())
        )

    async def _look_as_configured(self) -> None:
        """What was found stopped is looked for again, with the parameters of now.

        What is remembered of starts is as damaged as the rest: looked for with the parameters of an earlier start, what runs is not found.
        """
        node = self._shell.node
        while not node.recovered:
            await asyncio.sleep(_LOOK_AGAIN_S)
        if stopped := found_stopped(node.executor):
            self._shell.tell(RefreshAsked(moment(), stopped))

    async def _look_first(self) -> None:
        """The configuration is the newest, and what was started is not known for sure: look before anything is decided."""
        await self._look_as_configured()
        self._shell.release("damage")

    async def _wait_for_others(self, doubt: Doubt) -> None:
        """In doubt, one of several counts for nothing until the others have given it what they hold."""
        while self._shell.node.replica.own.blank:
            await asyncio.sleep(_LOOK_AGAIN_S)
        self._end(doubt)
