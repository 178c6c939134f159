"""The daemon as a process: puts the parts together, starts them in the right order, and ends without stopping a single resource.

SIGHUP fetches from all sources at once. SIGTERM and SIGINT end the daemon and leave the resources running; a later start adopts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from reconciler.agents.executor import AgentRunner, RunnerSettings
from reconciler.agents.launch import raise_own_limits
from reconciler.agents.liveness import LivenessWatch
from reconciler.agents.metadata import MetadataLookup
from reconciler.agents.orphans import OrphanReaper
from reconciler.cib import Cib
from reconciler.controller.events import (
    CleanupAsked,
    Ending,
    Lacking,
    ProcessesGone,
    Started,
    StopAsked,
    WatchdogPromised,
)
from reconciler.controller.node import Node
from reconciler.daemon.agent_lists import AgentLists
from reconciler.daemon.agent_traits import TraitsLookup
from reconciler.daemon.api import Api
from reconciler.daemon.attempts import Attempts
from reconciler.daemon.budget import Budget, LoopTurn
from reconciler.daemon.compile import Judge
from reconciler.daemon.compile_apart import AgentSettings
from reconciler.daemon.config import Access, NodeConfig
from reconciler.daemon.device_record import RECORD, DeviceRecord
from reconciler.daemon.device_tests import DeviceTester, DeviceTests
from reconciler.daemon.doctor import examine_place, scarce
from reconciler.daemon.events import EventLog
from reconciler.daemon.fencing import AgentFencing
from reconciler.daemon.held import HeldUpWatch
from reconciler.daemon.http import UnixServer
from reconciler.daemon.identity import identified
from reconciler.daemon.leftovers import outlive_leftovers
from reconciler.daemon.lock import check_owner
from reconciler.daemon.log import LOG, say
from reconciler.daemon.maintenance import maintain, mend, open_repository
from reconciler.daemon.missing_secrets import MissingSecrets
from reconciler.daemon.notify import notify, watchdog_interval_s
from reconciler.daemon.replaced import TROUBLE, replaced
from reconciler.daemon.restore import restore_state
from reconciler.daemon.run_directory import RunDirectory, keep
from reconciler.daemon.safe_mode import SafeMode
from reconciler.daemon.secret_needs import active_here
from reconciler.daemon.secrets import Secrets
from reconciler.daemon.self_fencing import SelfFencing
from reconciler.daemon.settling import Settling
from reconciler.daemon.shell import Shell, ShellParts, moment
from reconciler.daemon.sources import Sources, policy_of
from reconciler.daemon.status import StatusView
from reconciler.daemon.store import Store
from reconciler.daemon.supervisor import Supervisor
from reconciler.daemon.watchdog import Watchdog
from reconciler.daemon.watchdog_record import WatchdogRecord
from reconciler.daemon.watched_node import NodeOfShell
from reconciler.errors import ReconcilerError, Remedy
from reconciler.fabric.corosync.member import CorosyncFabric
from reconciler.fabric.embedded import EmbeddedFabric, Fabric
from reconciler.fabric.lab.devices import LabAgents, LabFencing
from reconciler.fabric.lab.member import LabFabric
from reconciler.model.date import Instant

_LAST_AGENTS_S = 5.0
_FIRST_WORDS_S, _WORDS_AGAIN_S = 20.0, 60.0
"""How long an end of the daemon waits for agents that are being called; they go on without it after that."""
_LAST_MESSAGES_S = 5.0
_LAST_WORDS_S = 1.0
"""How long an end of the daemon waits for messages that are being made durable."""
_EXPECT_AGAIN_S = 1.0
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
    with contextlib.ExitStack() as held:
        store = Store(config.state)
        held.callback(store.close)
        config = identified(config)
        run_directory = RunDirectory(config)
        held.callback(run_directory.release)
        service = Service(config, store, run_directory, stop_resources)
        service.warn(map(str, examine_place(config, file)))
        for text in scarce(config):
            say(logging.WARNING, "the self-check found something", finding=text)
        return await service.run()


class DaemonError(ReconcilerError):
    """A part of the daemon has failed, so that it had to end; the resources go on running."""

    code = "daemon"
    remedy = Remedy.STOP


class Service:
    """All parts of one daemon."""

    def __init__(self, config: NodeConfig, store: Store, run_directory: RunDirectory, stop_resources: bool) -> None:
        self._config = config
        self._run_directory = run_directory
        self._stop_resources = stop_resources
        self._store = store
        self._warnings: list[str] = []
        self._repository = open_repository(os.path.join(config.state, "repository.git"), self._warnings.append)
        self._repository.signing_key = config.proposals.signing_key
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
        self._agents = TraitsLookup(MetadataLookup(config.roots, self._metadata_cache))
        self._attempts = Attempts(os.path.join(config.state, "attempts"))
        self._attempts.begin()
        self._parts = Supervisor(self._part_failed, self._break)
        self._ended = asyncio.Event()
        self._why = ""
        self._broken: str | None = None
        self._expected_at_s = float("-inf")
        self._liveness = LivenessWatch(
            self._gone, self._runner.mark, self._runner.cgroups, self._runner.processes.running
        )
        self._shell = self._make_shell()
        self._shell.node.proposals.policy = config.guards
        self._watchdog = self._make_watchdog()
        self._self_fencing = SelfFencing(config.self_fencing, self._watchdog)
        if config.lab is None:
            self._shell.parts.fence_itself = self._self_fencing
        self._sources = Sources(config, self._shell, self._repository, self._expect)
        self._shell.parts.look, self._shell.parts.answer = self._sources.look, self._sources.answer
        self._held = HeldUpWatch(self._shell)
        self._safe_mode = SafeMode(self._shell, self._attempts)
        view = StatusView(self._shell.node, self._shell.parts.fabric.kind, self._shell.events)
        view.strict = config.strict
        view.watchdog = self._watchdog.document
        self._api = Api(self._shell, view, self._sources.by_name, config.readers, config.writers)
        self._api.stop_asked = self._stop_asked
        self._api.expect = self._expect
        self._server = UnixServer(config.socket, self._api, open_to_others=_lets_others_in(config))
        self._api.troubles = self._troubles
        self._api.held = lambda: self._server.held
        known = DeviceRecord(os.path.join(config.state, RECORD))
        self._device_tests = DeviceTests(self._shell, self._device_tester(), known)
        self._shell.attribute_told = self._device_tests.heard
        self._api.fencing.device_tests = self._device_tests
        self._agent_lists = AgentLists(self._shell, config.roots)
        self._api.agents_of = self._agent_lists.document
        self._settling = Settling(
            self._shell, self._repository, self._damage, self._sources.by_name, self._start, self._api.warn
        )
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
        loop.add_signal_handler(signal.SIGHUP, self._sources.fetch_all)
        try:
            self._watchdog.take_over()
            self._shell.node.coordinator.bounded = _budget(self._watchdog).decide
            if self._watchdog.needed:
                self._start(self._watchdog.run())
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
        await self._settling.begin()
        self._safe_mode.begin()
        self._device_tests.tell_again()
        self._start(self._safe_mode.run())
        shell.tell(Started(moment(), boot, self._attempts.safe_mode))
        self._expect()
        for _, source in sorted(self._sources.by_name.items()):
            self._start(source.run())
        self._start(maintain(self._repository, self._active_ones))
        self._start(mend(self._repository, self._mended))
        self._start(keep(self._run_directory, self._is_whole, self._remake))
        self._start(self._held.run())
        self._start(self._tell_of_the_node())
        self._start(self._missing_secrets.run())
        gc.collect()
        # What is here now lives as long as the process: no collection need look through it again.
        gc.freeze()

    async def _finish(self) -> None:
        """Begin nothing more, give agents a moment, keep the state. Resources and late agents go on running."""
        shell = self._shell
        shell.emit("daemon", {"what": "stopping", "text": self._why})
        broken = self._broken is not None
        in_order = not (broken or shell.left.done())
        self._watchdog.end(in_order=in_order, comes_back=broken)
        shell.tell(Ending(moment()))
        await self._parts.stop()
        feeding = asyncio.create_task(self._watchdog.run())  # The other one was a part, and something may begin yet.
        deadline = time.monotonic() + _LAST_AGENTS_S
        while shell.node.executor.running and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await self._server.stop()
        self._liveness.close()
        shell.parts.judge.close()
        await shell.drained(_LAST_MESSAGES_S)
        shell.parts.fabric.leave()
        shell.parts.fabric.gone(_LAST_WORDS_S)
        feeding.cancel()
        self._watchdog.ended(in_order=in_order, comes_back=broken)
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
            partial(policy_of, config),
            self._members,
            self._active_here,
        )
        fabric = _fabric(config)
        parts = ShellParts(
            store=self._store,
            fabric=fabric,
            agents=LabAgents(self._runner) if isinstance(fabric, LabFabric) else self._runner,
            fence=LabFencing(fabric) if isinstance(fabric, LabFabric) else AgentFencing(self._runner, self._agents.ask),
            fence_itself=(lambda _: LabFencing(fabric).itself(config.node)) if isinstance(fabric, LabFabric) else None,
            judge=judge,
            path=config.path,
            traits=self._agents.traits,
            publish=self._runner.attributes.publish,
            watch=lambda resource, call: self._liveness.watch(resource, call.parameters),
            unwatch=self._liveness.forget,
        )
        return Shell(node, parts, EventLog(run[:8]))

    def _make_watchdog(self) -> Watchdog:
        """Where a former daemon has armed it in this start of the machine, more may run here than a state knows that was lost since."""
        record = WatchdogRecord(self._config.run, _boot_id(self._config))
        whole = not self._damage and self._shell.node.replica.own.promised > 0
        node = NodeOfShell(self._shell, lost=not whole and record.read() is not None)
        promise = None if self._config.corosync is None else self._promise
        return Watchdog(self._config.self_fencing, record, node, self._tell_of_watchdog, promise=promise)

    async def _tell_of_the_node(self) -> None:
        """What only this node can tell of itself the others know, for ever: some time after a start, which has better things to do."""
        await asyncio.sleep(_FIRST_WORDS_S)
        while True:
            await self._agent_lists.look()
            self._device_tests.tell_again()
            await asyncio.sleep(_WORDS_AGAIN_S)

    def _device_tester(self) -> DeviceTester:
        fabric = self._shell.parts.fabric
        if isinstance(fabric, LabFabric):
            return lambda call: LabFencing(fabric).test(call.timeout_ms)
        return AgentFencing(self._runner, self._agents.ask).test

    def _members(self) -> tuple[str, ...]:
        return self._shell.node.members or (self._config.node,)

    def _active_ones(self) -> tuple[str, ...]:
        """The commits that were active, as far back as is remembered."""
        return tuple(one.commit for one in self._shell.node.replica.activations)

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

    # What the parts tell

    def _troubles(self) -> list[str]:
        """What this node can't do at the moment."""
        short = self._runner.shortage.present
        lacking = self._missing_secrets.texts()
        fabric = self._shell.parts.fabric
        apart = fabric.trouble if isinstance(fabric, CorosyncFabric) else None
        powerless = None if self._config.lab else self._self_fencing.lacking(self._shell.node.replica.cib)
        told = (apart, short, TROUBLE if replaced() else None, self._watchdog.trouble, self._watchdog.kept, powerless)
        present = [text for text in told if text is not None]
        return [*self._held.texts(), *self._server.troubles, *scarce(self._config), *present, *lacking]

    def _shortage(self, text: str | None) -> None:
        """The machine lacks what it takes to call agents, or has it again: no resource has failed by that."""
        told = text or "agents can be called again"
        say(logging.INFO if text is None else logging.WARNING, told)
        self._shell.emit("daemon", {"what": "shortage", "text": told})

    def _mended(self, text: str) -> None:
        """All of it is fetched anew, or comes from other members; who looks at the status hears why history is short."""
        self._api.warn(text)
        say(logging.ERROR, "the repository was damaged", text=text)
        self._shell.emit("daemon", {"what": "repository-damaged", "text": text})
        if (commit := self._shell.node.replica.commit) is not None:
            self._shell.tell(Lacking(moment(), (commit,), None))
        self._sources.fetch_all()

    def _is_whole(self) -> bool:
        return self._server.reachable and self._runner.whole

    def _remake(self) -> None:
        self._runner.renew()
        self._server.renew()
        self._watchdog.renew()

    def _gone(self, resource: str) -> None:
        self._shell.tell(ProcessesGone(moment(), resource))

    def _promise(self, within_ms: int) -> None:
        self._shell.tell(WatchdogPromised(within_ms, moment()))

    def _tell_of_watchdog(self, well: bool, text: str) -> None:
        told = {"what": "watchdog", "text": text} if well else {"what": "watchdog-unfed", "text": text}
        self._shell.emit("daemon", told)

    # Life

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._parts.begin(work, vital=True)

    def _part_failed(self, error: Exception) -> None:
        LOG.critical("a part of the daemon failed", exc_info=error)

    def _break(self, why: str) -> None:
        self._broken = why
        self._end(why)

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


async def _feed_watchdog(interval_s: float) -> None:
    """Signs of life as long as the loop turns."""
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval_s)


def _budget(watchdog: Watchdog) -> Budget:
    """Where a watchdog waits to be fed, no decision takes half of its time: what can't be decided would reset one DC after the other.

    Nor does one that has to wait for the processor, also where only the service manager waits for signs of life.
    """
    half_s = watchdog.timeout_s / 2 if watchdog.needed else None
    waits_s = [seconds for seconds in (half_s, watchdog_interval_s()) if seconds is not None]
    turn = LoopTurn(min(waits_s), _once_turned) if waits_s else None
    return Budget(turn=turn) if half_s is None else Budget(half_s, turn)


def _once_turned(call: Callable[[], None]) -> None:
    """Have something called once the loop has turned: what is due by then comes first, as the feeding of a watchdog."""
    asyncio.get_running_loop().call_later(0, call)


def _lets_others_in(config: NodeConfig) -> bool:
    return any(access != Access() for access in (config.readers, config.writers))


def _fabric(config: NodeConfig) -> Fabric:
    if config.corosync is not None:
        return CorosyncFabric(config.node)
    return EmbeddedFabric(config.node) if config.lab is None else LabFabric(config.node, config.lab.socket)


def _boot_id(config: NodeConfig) -> str:
    """What names this start of the machine; in a lab, of the one that it pretends to be."""
    path = _BOOT_ID if config.lab is None else config.lab.boot
    with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
        return file.read().strip()
    return "unknown"
