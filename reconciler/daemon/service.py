"""The daemon as a process: puts the parts together, starts them in the right order, and ends without stopping a single resource.

SIGHUP fetches from all sources at once. SIGTERM and SIGINT end the daemon and leave the resources running; a later start adopts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import logging
import os
import signal
import time
import uuid
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from reconciler.agents.executor import AgentRunner, RunnerSettings
from reconciler.agents.launch import raise_own_limits
from reconciler.agents.liveness import LivenessWatch
from reconciler.agents.metadata import MetadataLookup
from reconciler.agents.metadata_xml import MetadataError
from reconciler.agents.orphans import OrphanReaper
from reconciler.analysis.recording import AgentTraits
from reconciler.cib import Cib
from reconciler.controller.admission import Tip
from reconciler.controller.events import (
    CleanupAsked,
    CommitArrived,
    Ending,
    HeldUp,
    Lacking,
    ProcessesGone,
    RefreshAsked,
    Started,
    StopAsked,
    TipSeen,
)
from reconciler.controller.node import Node
from reconciler.controller.shared import lineage
from reconciler.daemon.api import Api
from reconciler.daemon.attempts import Attempts
from reconciler.daemon.budget import Budget
from reconciler.daemon.compile import Judge, SourcePolicy
from reconciler.daemon.compile_apart import AgentSettings
from reconciler.daemon.config import Access, DirectorySourceConfig, GitSourceConfig, NodeConfig, SourceConfig
from reconciler.daemon.doctor import examine_place
from reconciler.daemon.events import EventLog
from reconciler.daemon.evidence import Doubt, doubt_of, is_one_of_several
from reconciler.daemon.fencing import AgentFencing
from reconciler.daemon.http import UnixServer
from reconciler.daemon.leftovers import outlive_leftovers
from reconciler.daemon.lock import check_owner, lock
from reconciler.daemon.log import LOG, say
from reconciler.daemon.missing_secrets import MissingSecrets
from reconciler.daemon.notify import notify, watchdog_interval_s
from reconciler.daemon.restore import restore_state
from reconciler.daemon.secret_needs import active_here
from reconciler.daemon.secrets import Secrets
from reconciler.daemon.shell import Shell, ShellParts, moment
from reconciler.daemon.status import StatusView, source_to_plain
from reconciler.daemon.store import Store
from reconciler.daemon.supervisor import Supervisor
from reconciler.daemon.threads import Threads
from reconciler.errors import Finding, ReconcilerError, Remedy
from reconciler.fabric.embedded import EmbeddedFabric, Fabric
from reconciler.fabric.lab.devices import LabAgents, LabFencing
from reconciler.fabric.lab.member import LabFabric
from reconciler.model.date import Instant
from reconciler.model.metadata import AgentMetadata
from reconciler.model.operation import OperationStatus, ResultCode
from reconciler.model.resource import Agent
from reconciler.ownership import Trusted
from reconciler.sources.directory import DirectorySettings, DirectorySource
from reconciler.sources.git import GitSettings, GitSource
from reconciler.sources.git_request import Credentials
from reconciler.sources.repository import ACTIVE, Repository
from reconciler.sources.source import InForce, Source, SourceState

_LAST_AGENTS_S = 5.0
"""How long an end of the daemon waits for agents that are being called; they go on without it after that."""
_LAST_MESSAGES_S = 5.0
"""How long an end of the daemon waits for messages that are being made durable."""
_EXPECT_AGAIN_S = 1.0
_TRAITS_KEPT_S = 60.0
_RELOAD_ACTIONS = ("reload-agent",)
# Every commit and fetch leaves a pack, and every look-up searches all of them.
_MAINTAIN_S = 6 * 3600.0
_LOOK_AGAIN_S = 0.2
_LOOKS_PER_PROPOSAL = 150
_WELL_S = 60.0
_LOOK_WHILE_HELD_S = 10.0
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_SECRETS_AT_ONCE = 32
_CHORES = 3
"""Packing the repository, and telling it the active commit at the start and later."""


async def serve(config: NodeConfig, file: str, *, stop_resources: bool = False) -> tuple[str, bool]:
    """Be the node until told to end: why it ended, and whether agents are still being called.

    Those must go on: who ends the process then must not cancel what is left in the loop. With `stop_resources` a signal to end stops
    this node's resources first; `file` is where the configuration was read. Raises ReconcilerError and OSError when it can't start.
    """
    check_owner(config.state, "state directory")
    check_owner(config.run, "run directory")
    store = Store(config.state)
    held: list[int] = []
    try:
        held += _locks(config)
        service = Service(config, store, stop_resources)
        service.warn(map(str, examine_place(config, file)))
        return await service.run()
    finally:
        store.close()
        for descriptor in held:
            os.close(descriptor)


def _locks(config: NodeConfig) -> Iterator[int]:
    """What no second daemon may have: the run directory, and the socket where that is elsewhere."""
    yield lock(os.path.join(config.run, "lock"), "run directory")
    if os.path.realpath(os.path.dirname(config.socket)) != os.path.realpath(config.run):
        yield lock(f"{config.socket}.lock", "socket's directory")


class DaemonError(ReconcilerError):
    """A part of the daemon has failed, so that it had to end; the resources go on running."""

    code = "daemon"
    remedy = Remedy.STOP


class Service:
    """All parts of one daemon."""

    def __init__(self, config: NodeConfig, store: Store, stop_resources: bool) -> None:
        self._config = config
        self._stop_resources = stop_resources
        self._store = store
        self._warnings: list[str] = []
        self._repository = self._open_repository(os.path.join(config.state, "repository.git"))
        self._secrets = Secrets(config.secrets)
        self._runner = AgentRunner(
            RunnerSettings(
                node=config.node,
                run_directory=config.run,
                roots=config.roots,
                state_directory=config.agent_state,
                limit=config.agent_limit,
                cgroups=config.cgroups,
                bus=config.bus,
                limits=raise_own_limits(),
            ),
            self._secrets.resolve,
        )
        self._runner.shortage.told = self._shortage
        self._metadata_cache = os.path.join(config.state, "agents")
        self._metadata = MetadataLookup(config.roots, self._metadata_cache)
        self._traits: dict[Agent, tuple[float, AgentTraits]] = {}
        self._asking = Threads("traits", 2)
        self._attempts = Attempts(os.path.join(config.state, "attempts"))
        self._attempts.begin()
        self._parts = Supervisor(self._part_failed, self._break)
        self._ended = asyncio.Event()
        self._why = ""
        self._broken: str | None = None
        self._expected_at_s = float("-inf")
        """The commit that was active at the start, if the repository has lost it: what is made here can't build on it."""
        self._liveness = LivenessWatch(
            self._gone, self._runner.mark, self._runner.cgroups, self._runner.processes.running
        )
        self._shell = self._make_shell()
        self._shell.node.coordinator.bounded = Budget().decide
        self._shell.node.proposals.policy = config.guards
        self._sources = {source.name: source for source in map(self._source, config.sources)}
        view = StatusView(self._shell.node, self._shell.parts.fabric.kind, self._shell.events)
        view.strict = config.strict
        self._api = Api(self._shell, view, self._sources, config.readers, config.writers)
        self._api.stop_asked = self._stop_asked
        self._api.expect = self._expect
        self._server = UnixServer(config.socket, self._api, open_to_others=_lets_others_in(config))
        self._api.troubles = self._troubles
        self._api.held = lambda: self._server.held
        self._missing_secrets = MissingSecrets(
            config.node,
            lambda: self._shell.node.replica.cib,
            self._runner.lacking,
            self._secrets.resolve,
            self._secrets_found,
        )

    def warn(self, texts: Iterable[str]) -> None:
        """Have every status show these warnings, and the log once."""
        for text in texts:
            say(logging.WARNING, "the self-check found something", finding=text)
            self._warnings.append(text)

    def _open_repository(self, path: str) -> Repository:
        """The node's repository. Without one nothing new comes, but what runs is cared for all the same."""
        repository = Repository(path, make=False)
        try:
            repository.make()
            # The state directory is ours alone: what lies there locked or half-written belongs to a process that was killed.
            if left := repository.recover():
                say(
                    logging.WARNING,
                    "what a killed process left in the repository was removed",
                    files=" ".join(left[:20]),
                )
        except ReconcilerError as error:
            self._warnings.append(f"the repository can't be used: {error}")
        return repository

    async def run(self) -> tuple[str, bool]:
        """From the start to the end: why it ended, and whether agents are still being called."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(self._most_threads()))
        for warning in self._warnings:
            self._api.warn(warning)
        await self._server.start()
        OrphanReaper(self._runner.processes.running).install()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number.name)
        loop.add_signal_handler(signal.SIGHUP, self._fetch_all)
        try:
            if (interval_s := watchdog_interval_s()) is not None:
                self._start(_feed_watchdog(interval_s))
            self._shell.left.add_done_callback(lambda left: self._end(left.result()))
            self._start(self._begin())
            await self._ended.wait()
        finally:
            notify("STOPPING=1")
            await self._finish()
        if self._broken is not None:
            raise DaemonError(f"a part of the daemon failed: {self._broken}")
        self._attempts.ended()
        return self._why, bool(self._shell.node.executor.running)

    async def _begin(self) -> None:
        """The order matters: agents of a former daemon end first, then what runs is looked for, then sources may speak."""
        shell, config = self._shell, self._config
        say(logging.INFO, "the node serves", node=config.node, socket=config.socket, state=config.state)
        notify("READY=1", f"STATUS=node {config.node}")
        shell.emit("daemon", {"what": "started", "text": f"node {config.node}, run {shell.events.run}"})
        calls = self._runner.processes.calls
        for leftover in await outlive_leftovers(self._config.run, calls.path if calls is not None else None):
            text = f"waited for {leftover.operation} of {leftover.resource}, which a former daemon had begun"
            shell.emit("daemon", {"what": "leftover", "text": text})
        boot = _boot_id(self._config)
        await self._trust_active()
        self._count_attempts()
        shell.tell(Started(moment(), boot, self._attempts.safe_mode))
        self._expect()
        for _, source in sorted(self._sources.items()):
            self._start(source.run())
        self._start(self._maintain())
        self._start(self._look_while_held())
        self._start(self._missing_secrets.run())
        gc.collect()
        # What is here now lives as long as the process: no collection need look through it again.
        gc.freeze()

    async def _finish(self) -> None:
        """Begin nothing more, give agents a moment, keep the state. Resources and late agents go on running."""
        shell = self._shell
        shell.emit("daemon", {"what": "stopping", "text": self._why})
        shell.tell(Ending(moment()))
        await self._parts.stop()
        deadline = time.monotonic() + _LAST_AGENTS_S
        while shell.node.executor.running and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await self._server.stop()
        self._liveness.close()
        shell.parts.judge.close()
        await shell.drained(_LAST_MESSAGES_S)
        shell.parts.fabric.leave()
        self._runner.close()

    def _most_threads(self) -> int:
        """For agents' secrets, each source, and each chore: none waits for another kind."""
        return _SECRETS_AT_ONCE + 2 * len(self._config.sources) + _CHORES

    def _make_shell(self) -> Shell:
        config = self._config
        replica, self._damage = restore_state(config.node, self._store)
        self._warnings += self._damage
        run = str(uuid.uuid4())
        node = Node(config.node, run, replica, _boot_id(config))
        settings = AgentSettings(config.roots, self._metadata_cache) if config.check_agents else None
        judge = Judge(
            self._repository,
            settings,
            self._secrets.resolve,
            config.strict,
            self._policy,
            self._members,
            self._active_here,
        )
        fabric = _fabric(config)
        parts = ShellParts(
            store=self._store,
            fabric=fabric,
            agents=LabAgents(self._runner) if isinstance(fabric, LabFabric) else self._runner,
            fence=LabFencing(fabric) if isinstance(fabric, LabFabric) else AgentFencing(self._runner, self._ask_agent),
            fence_itself=(lambda _: LabFencing(fabric).itself(config.node)) if isinstance(fabric, LabFabric) else None,
            judge=judge,
            path=config.path,
            traits=self._agent_traits,
            publish=self._runner.attributes.publish,
            watch=lambda resource, call: self._liveness.watch(resource, call.parameters),
            unwatch=self._liveness.forget,
            look=self._look,
            answer=self._answer,
        )
        return Shell(node, parts, EventLog(run[:8]))

    def _source(self, config: SourceConfig) -> Source:
        def standing() -> InForce:
            replica = self._shell.node.replica
            return InForce(replica.commit, lineage(replica.shared, config.name))

        def was_active(commit: str) -> bool:
            return any(one.commit == commit for one in self._shell.node.replica.activations)

        if isinstance(config, DirectorySourceConfig):
            directory = DirectorySettings(
                name=config.name,
                directory=config.directory,
                debounce_ms=config.debounce_ms,
                rescan_s=config.rescan_s,
                path=self._config.path,
                # Who may change what runs by the API may do so by the directory, too.
                trusted=Trusted(self._config.writers.users, self._config.writers.groups),
            )
            return DirectorySource(
                directory, self._repository, standing, was_active, self._on_tip, self._emit_source, self._expect
            )
        settings = self._git_settings(config)
        vouch = self._shell.parts.judge.vouch
        return GitSource(settings, self._repository, standing, self._on_tip, self._emit_source, vouch, self._expect)

    def _members(self) -> tuple[str, ...]:
        return self._shell.node.members or (self._config.node,)

    def _active_here(self) -> tuple[Cib, frozenset[str]]:
        """What is decided from, and what of it is active on this node. For any thread."""
        now, cib = moment(), self._shell.node.replica.cib
        return cib, active_here(cib, self._config.node, Instant(now.epoch_s, now.offset_s))

    def _secrets_found(self, resources: tuple[str, ...]) -> None:
        """What failed for want of secrets may be tried again."""
        say(logging.INFO, "secrets that were missing can be told now", resources=" ".join(resources))
        self._shell.tell(CleanupAsked(moment(), resources))

    def _expect(self) -> None:
        """A commit will probably come soon: be ready to judge it."""
        if time.monotonic() - self._expected_at_s > _EXPECT_AGAIN_S:
            self._expected_at_s = time.monotonic()
            self._shell.supervisor.begin(asyncio.to_thread(self._shell.parts.judge.warm))

    def _policy(self, source: str) -> SourcePolicy:
        """What this node demands of a source's commits; of one that it has not, what it demands of proposals."""
        for config in self._config.sources:
            if config.name == source:
                if isinstance(config, GitSourceConfig):
                    return SourcePolicy(config.signatures, config.rewrite)
                # Its commits follow the active one, but where the repository has lost that.
                return SourcePolicy(rewrite=True)
        return SourcePolicy(self._config.proposals.signatures, self._config.proposals.rewrite)

    def _git_settings(self, config: GitSourceConfig) -> GitSettings:
        return GitSettings(
            name=config.name,
            url=config.url,
            reference=config.branch,
            path=self._config.path,
            poll_s=config.poll_s,
            seed=hash_of(f"{self._config.node}/{config.name}"),
            timeout_s=config.timeout_s,
            signatures=config.signatures,
            rewrite=config.rewrite,
            fresh_s=config.fresh_s,
            local_urls=config.local,
            credentials=Credentials(
                ssh_key_file=config.key_file,
                known_hosts_file=config.known_hosts,
                token_file=config.token_file,
                token_user=config.token_user,
                ca_file=config.ca_file,
            ),
        )

    # What the parts tell

    def _on_tip(self, tip: Tip) -> None:
        self._shell.tell(TipSeen(moment(), tip))

    def _look(self, source: str) -> None:
        if (known := self._sources.get(source)) is not None:
            known.look()

    def _answer(self, source: str, commit: str, findings: tuple[Finding, ...]) -> None:
        if (known := self._sources.get(source)) is not None:
            known.answered(commit, findings)

    def _emit_source(self, name: str) -> None:
        source = self._sources.get(name)
        if source is not None:
            plain = source_to_plain(source.status())
            fields = {key: plain[key] for key in ("state", "commit", "error", "findings")}
            self._shell.emit("source", {"source": name, **fields})

    @property
    def _holds_up(self) -> bool:
        return bool(self._shell.holds) or self._shell.node.coordinator.undecided

    async def _look_while_held(self) -> None:
        """As long as nothing is decided, what runs without a monitor is looked at now and then: status says what it found."""
        while True:
            await asyncio.sleep(_LOOK_WHILE_HELD_S)
            if self._holds_up:
                self._shell.tell(HeldUp(moment()))

    def _absent(self) -> list[str]:
        """What was started here and does not run any more, where nobody decides what to do about it."""
        if not self._holds_up:
            return []
        executor = self._shell.node.executor
        return [
            f"{name} does not run, and nothing is started at the moment"
            for name in self._found_stopped()
            if not executor.monitors(name)
        ]

    def _found_stopped(self) -> tuple[str, ...]:
        """What was started here and, as it was looked for, does not run any more."""
        found = sorted(self._shell.node.executor.adopted.items())
        stopped = (ResultCode.NOT_RUNNING, OperationStatus.DONE)
        return tuple(name for name, (_, result, _) in found if (result.code, result.status) == stopped)

    def _troubles(self) -> list[str]:
        """What this node can't do at the moment."""
        short = self._runner.shortage.present
        lacking = self._missing_secrets.texts()
        return [*self._absent(), *self._server.troubles, *([short] if short is not None else []), *lacking]

    def _shortage(self, text: str | None) -> None:
        """The machine lacks what it takes to call agents, or has it again: no resource has failed by that."""
        told = text or "agents can be called again"
        say(logging.INFO if text is None else logging.WARNING, told)
        self._shell.emit("daemon", {"what": "shortage", "text": told})

    def _gone(self, resource: str) -> None:
        self._shell.tell(ProcessesGone(moment(), resource))

    async def _agent_traits(self, agent: Agent) -> AgentTraits:
        """Whether an agent reloads, and what it takes over by that; asked again now and then, as agents are upgraded."""
        known = self._traits.get(agent)
        if known is not None and time.monotonic() - known[0] < _TRAITS_KEPT_S:
            return known[1]
        traits = traits_of(await self._ask_agent(agent))
        self._traits[agent] = time.monotonic(), traits
        return traits

    async def _ask_agent(self, agent: Agent) -> AgentMetadata | None:
        try:
            return await self._asking.run(self._metadata.describe, agent)
        except MetadataError:
            return None

    # Life

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._parts.begin(work, vital=True)

    def _part_failed(self, error: Exception) -> None:
        LOG.critical("a part of the daemon failed", exc_info=error)

    def _break(self, why: str) -> None:
        self._broken = why
        self._end(why)

    def _fetch_all(self) -> None:
        for _, source in sorted(self._sources.items()):
            source.fetch_now()

    def _stop_asked(self) -> None:
        # The answer to whoever asked goes out first.
        asyncio.get_running_loop().call_later(0.05, self._end, "asked to end, leaving the resources running")

    def _signalled(self, name: str) -> None:
        """The first signal stops the resources if that was asked for; otherwise, and the second time, the daemon just ends."""
        if self._stop_resources and not self._shell.node.stopping:
            self._shell.tell(StopAsked(moment()))
        else:
            self._end(f"signal {name}")

    def _end(self, why: str) -> None:
        if not self._ended.is_set():
            self._why = why
            self._ended.set()

    async def _trust_active(self) -> None:
        """See whether what was restored is the newest configuration there was. In doubt nothing is started or stopped by it."""
        replica = self._shell.node.replica
        try:
            named = await asyncio.to_thread(self._repository.reference, ACTIVE)
            if replica.commit is not None and not await asyncio.to_thread(self._knows, replica.commit):
                self._api.warn(f"the repository has lost the active commit {replica.commit[:12]}")
                self._shell.tell(Lacking(moment(), (replica.commit,), None))
        except ReconcilerError as error:
            say(logging.ERROR, "the repository could not be asked for the active commit", reason=str(error))
            named = None
        doubt = doubt_of(replica.commit, replica.activations, self._damage, named)
        if doubt is not None:
            self._shell.hold("state", doubt.why)
            if is_one_of_several(replica.shared, self._config.node):
                replica.doubt()
                self._start(self._wait_for_others())
            else:
                self._start(self._settle_doubt(doubt))
        elif replica.commit is not None and named != replica.commit:
            self._start(self._shell.record_active(replica.commit))
        if doubt is None and self._damage:
            self._shell.hold("damage", "the state is damaged: what runs is looked for first")
            self._start(self._settle_damage())

    def _count_attempts(self) -> None:
        """After some ends in a row decide nothing about the configuration that was active then; the next one overtakes it."""
        if (why := self._attempts.safe_mode) is not None and self._shell.node.replica.commit is not None:
            commit = self._shell.node.replica.commit[:12]
            hint = "it waits for another configuration, or for an end that is asked for"
            self._shell.hold("safe", f"{why} with {commit}; {hint}")
        self._start(self._become_well())

    async def _become_well(self) -> None:
        """Another configuration ends the safe mode; an end counts no more once the node was at rest, or has lived for a while."""
        epoch = self._shell.node.replica.cib.version.epoch
        while "safe" in self._shell.holds:
            await asyncio.sleep(_LOOK_AGAIN_S)
            if self._shell.node.replica.cib.version.epoch != epoch:
                self._shell.release("safe")
        log, number = self._shell.events, self._shell.events.last
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WELL_S):
                while not self._shell.node.coordinator.converged:
                    await log.wait(number)
                    number = log.last
        self._attempts.well()

    def _knows(self, commit: str) -> bool:
        try:
            return bool(self._repository.facts(commit))
        except ReconcilerError:
            return False

    async def _settle_doubt(self, doubt: Doubt) -> None:
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
            vouched = (doubt.newer is None and replica.commit is not None) and any(
                status.state is SourceState.OK and status.commit == replica.commit
                for status in (source.status() for source in self._sources.values())
            )
            fresh = replica.commit == doubt.newer or replica.commit not in former
            if vouched or (replica.cib.version.epoch != epoch and fresh):
                break
        await self._look_as_configured()
        self._shell.release("state")

    async def _look_as_configured(self) -> None:
        """What was found stopped is looked for again, with the parameters of now.

        What is remembered of starts is as damaged as the rest: looked for with the parameters of an earlier start, what runs is not found.
        """
        while not self._shell.node.recovered:
            await asyncio.sleep(_LOOK_AGAIN_S)
        if stopped := self._found_stopped():
            self._shell.tell(RefreshAsked(moment(), stopped))

    async def _settle_damage(self) -> None:
        """The configuration is the newest, and what was started is not known for sure: look before anything is decided."""
        await self._look_as_configured()
        self._shell.release("damage")

    async def _wait_for_others(self) -> None:
        """In doubt, one of several counts for nothing until the others have given it what they hold."""
        while self._shell.node.replica.own.blank:
            await asyncio.sleep(_LOOK_AGAIN_S)
        self._shell.release("state")

    async def _maintain(self) -> None:
        """Pack the repository now and then."""
        while True:
            await asyncio.sleep(_MAINTAIN_S)
            kept = [one.commit for one in self._shell.node.replica.activations]
            try:
                await asyncio.to_thread(self._repository.make)
                await asyncio.to_thread(self._repository.maintain)
                await asyncio.to_thread(self._repository.prune, kept)
            except ReconcilerError as error:
                say(logging.WARNING, "the repository could not be packed", reason=str(error))


async def _feed_watchdog(interval_s: float) -> None:
    """Signs of life as long as the loop turns."""
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval_s)


def traits_of(metadata: AgentMetadata | None) -> AgentTraits:
    """What recording needs to know of an agent with this description."""
    if metadata is None or not any(metadata.action(name) for name in _RELOAD_ACTIONS):
        return AgentTraits()
    names = sorted(name for name, parameter in metadata.parameters.items() if not parameter.reloadable)
    return AgentTraits(True, tuple(names))


def hash_of(text: str) -> int:
    """A number that is the same in every process."""
    import zlib

    return zlib.crc32(text.encode())


def _lets_others_in(config: NodeConfig) -> bool:
    return any(access != Access() for access in (config.readers, config.writers))


def _fabric(config: NodeConfig) -> Fabric:
    return EmbeddedFabric(config.node) if config.lab is None else LabFabric(config.node, config.lab.socket)


def _boot_id(config: NodeConfig) -> str:
    """What names this start of the machine; in a lab, of the one that it pretends to be."""
    path = _BOOT_ID if config.lab is None else config.lab.boot
    with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
        return file.read().strip()
    return "unknown"
