"""One life of a cluster: faults, and after each step the rules; then everything is mended, and the cluster has to come to rest.

Source: the design of the cluster, "Safety rules", "The simulator".
"""

from __future__ import annotations

from reconciler.cib import Cib
from reconciler.cib.canonical import digest
from reconciler.cib.observations import transient
from reconciler.controller import events as ev
from reconciler.controller.envelope import Envelope, seal
from reconciler.controller.fencing.demand import ACTIONS
from reconciler.controller.members import node_state
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import AgentOrder, Run
from reconciler.controller.node import Node
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration
from reconciler.simulator.cluster import Devices, SimulatedCluster
from reconciler.simulator.faults import Fault, Trouble
from reconciler.simulator.host import Host
from reconciler.simulator.placement import longest_monitor_ms, untrue_history, watched
from reconciler.simulator.planner import is_simple, plan
from reconciler.simulator.rules import Rules, plain_placement
from reconciler.simulator.scenario import NAMES, Scenario, Verdict, anonymous, promoted_most, service_of, wanted
from reconciler.simulator.story import Story
from reconciler.simulator.watchdog import SimulatedWatchdog

REST_MS = 1_200_000
"""How long a cluster that is well may take until it is at rest: fifteen minutes pass between two looks at what time alone changes."""
SETTLE_MS = 15_000
"""How long a cluster that is well is left alone before anybody looks, at the least: where a monitor takes longer, until that has ended."""
_MONITORS_END_MS = 5_000
"""How long after their interval monitors have told what they found."""
_FORGED = 1_000_000
"""The transition of a forged order."""
_DEVICES = {
    Trouble.FENCING_FAILS: Devices.FAILING,
    Trouble.FENCING_LATE: Devices.LATE,
    Trouble.FENCING_LIES: Devices.LYING,
    Trouble.MEND_FENCING: Devices.WELL,
}


class Life:
    """A life as it is lived."""

    def __init__(self, lived: Scenario) -> None:
        self.scenario = lived
        self.cluster = SimulatedCluster(lived.hosts, lived.seed, service_of(lived), planner=plan if lived.toy else None)
        if lived.quorum == "qdevice":
            self.cluster.network.qdevice = lived.hosts[0]
        self.cluster.world.anonymous = frozenset(name for one in lived.configurations for name in anonymous(one))
        self.cluster.world.promoted_most = _promoted_most(lived)
        self.story = Story()
        self.broken: str | None = None
        self.rules = Rules(lived, self.cluster, self._break)
        self._troubled: set[tuple[str, str, str]] = set()
        self._gone: set[str] = set()
        """What has died by itself, or was never started though its agent said so: only a monitor tells."""
        self.watchdogs = {
            name: SimulatedWatchdog(self.cluster.clock, self.cluster.hosts[name], *times, promises=True)
            for name, times in lived.watchdogs.items()
        }
        self._names = sorted({name for one in lived.configurations for name in wanted(one)}) or list(NAMES)
        self.cluster.watch += [self.story.stepped, self.rules.stepped]
        self.cluster.watch_silence.append(self.rules.note_silent)

    def live(self) -> Verdict:
        """Live it to its end, or to the first rule that it breaks."""
        try:
            self._live()
        except Exception as error:  # noqa: BLE001 - whatever a node's step raises is a finding about it, with its story
            self._break(f"a node failed: {type(error).__name__}: {error}")
        story = self.story.text(self.cluster.world.witnessed)
        return Verdict(self.scenario, self.broken, story, self.rules.steps)

    def _live(self) -> None:
        for host in self.cluster.hosts.values():
            host.start()
        self._commit(self.scenario.hosts[0], 0)
        for fault in self.scenario.faults:
            self._run_to(fault.at_ms * 1000)
            if self.broken is not None:
                return
            self.story.tell(self.cluster.clock.now_us, f"--- {fault}")
            self.rules.note_silent()
            self._perform(fault)
            self.rules.note_silent()
        self._run_to(self.cluster.clock.now_us + 1_000_000)
        if self.broken is None:
            self._come_to_rest()

    def _run_to(self, end_us: int) -> None:
        clock = self.cluster.clock
        while self.broken is None and clock.turn(end_us):
            self.rules.turned()

    def _break(self, rule: str) -> None:
        if self.broken is None:
            self.broken = rule
            self.story.tell(self.cluster.clock.now_us, f"*** {rule}")

    # What happens

    def _commit(self, host: str, number: int, source: str = "test") -> str:
        configurations, cluster = self.scenario.configurations, self.cluster
        name = f"{len(cluster.commits) + len(cluster.invalid) + 1:040x}"
        cluster.commits[name] = configurations[number % len(configurations)]
        cluster.offer(name, host, source)
        return name

    def _perform(self, fault: Fault) -> None:
        host, network = self.cluster.hosts[fault.host], self.cluster.network
        match fault.trouble:
            case Trouble.KILL if not host.is_frozen:
                host.crash()
            case Trouble.KILL_SOON | Trouble.POWER_SOON:
                host.crash_after, host.power_goes = fault.detail, fault.trouble is Trouble.POWER_SOON
            case Trouble.START if not host.is_frozen:
                host.start()
            case Trouble.POWER_OFF:
                host.power_off()
            case Trouble.POWER_ON:
                host.power_on()
            case Trouble.FREEZE if host.on:
                network.freeze(fault.host)
            case Trouble.THAW:
                self._thaw(host)
            case Trouble.DEAF if host.on:
                network.freeze(fault.host)
                host.deaf = True
            case Trouble.UPGRADE:
                host.upgrade()
            case Trouble.PAUSE:
                host.pause()
            case Trouble.RESUME:
                host.resume()
            case Trouble.CUT | Trouble.HEAL | Trouble.SLOW_NETWORK | Trouble.SLOW_LEARNER:
                self._between_hosts(fault)
            case Trouble.LATE_VERDICTS:
                network.verdicts_late = not network.verdicts_late
            case Trouble.STALE_VERDICTS:
                network.stale_verdicts = not network.stale_verdicts
            case _:
                self._disturb(host, fault)

    def _thaw(self, host: Host) -> None:
        host.deaf = False
        self.cluster.network.thaw(host.name)

    def _between_hosts(self, fault: Fault) -> None:
        network = self.cluster.network
        match fault.trouble:
            case Trouble.CUT:
                side = {fault.host, *fault.others}
                if network.qdevice is not None:
                    network.qdevice = fault.host
                network.cut([sorted(side), [other for other in self.scenario.hosts if other not in side]])
            case Trouble.HEAL:
                network.heal()
            case Trouble.SLOW_NETWORK:
                network.slow_us = fault.detail * 1000
            case _:
                network.slow = {fault.host}

    def _disturb(self, host: Host, fault: Fault) -> None:
        """What happens on one host, or to the devices."""
        match fault.trouble:
            case Trouble.SKEW:
                host.skew_ms = fault.detail
            case Trouble.MEMORY:
                host.exhausted = True
            case Trouble.FORGERY:
                self._forge(host, fault.detail)
            case Trouble.FENCING_SLOW:
                self.cluster.devices_slow_us = fault.detail * 1000
            case Trouble.FENCING_FAILS | Trouble.FENCING_LATE | Trouble.FENCING_LIES | Trouble.MEND_FENCING:
                self.cluster.devices, self.cluster.devices_slow_us = _DEVICES[fault.trouble], 0
            case Trouble.COMMIT | Trouble.TWO_COMMITS | Trouble.INVALID_COMMIT:
                self._offer(fault)
            case Trouble.REFUSED_COMMIT | Trouble.DISPUTED_COMMIT:
                self._offer_disliked(fault)
            case Trouble.CLEANUP | Trouble.REFRESH | Trouble.STOP | Trouble.CONFIRM | Trouble.DEMAND:
                self._ask(host, fault)
            case _:
                self._change_disk(host, fault)

    def _change_disk(self, host: Host, fault: Fault) -> None:
        disk = host.disk
        match fault.trouble:
            case Trouble.SLOW_DISK:
                disk.slow_us = fault.detail * 1000
            case Trouble.FULL_DISK:
                disk.full = True
            case Trouble.FAILING_DISK:
                disk.failing = True
            case Trouble.MEND_DISK:
                disk.slow_us, disk.full, disk.failing = 0, False, False
            case Trouble.REPLACE_DISK:
                host.power_off()
                disk.replace()
            case Trouble.COPY_DISK:
                disk.copy()
            case Trouble.RESTORE_DISK:
                host.restore_disk()
            case _:
                self._bother_agents(host, fault)

    def _offer(self, fault: Fault) -> None:
        if fault.trouble is Trouble.INVALID_COMMIT:
            name = f"{len(self.cluster.commits) + len(self.cluster.invalid) + 1:040x}"
            self.cluster.invalid.add(name)
            self.cluster.offer(name, fault.host)
            return
        self._commit(fault.host, fault.detail)
        for other in fault.others:
            self._commit(other, fault.detail // 8, source="other")

    def _offer_disliked(self, fault: Fault) -> None:
        """A commit arrives that one member does not take, or takes for something else."""
        cluster, name = self.cluster, f"{len(self.cluster.commits) + len(self.cluster.invalid) + 1:040x}"
        cluster.refused[name] = frozenset({fault.host}) if fault.trouble is Trouble.REFUSED_COMMIT else frozenset()
        cluster.disputed[name] = frozenset({fault.host}) - cluster.refused[name]
        self._commit(fault.host, fault.detail)

    def _forge(self, host: Host, number: int) -> None:
        """A node that is not the DC has something started on itself that runs elsewhere."""
        node = host.node
        if node is None or node.is_dc or not node.replica.partition.installed:
            return  # Who is about to become the DC forges nothing: its word counts once it is delivered.
        started = [
            one
            for other in self.cluster.hosts.values()
            if other.node is not None and other is not host
            for _, one in sorted(other.node.replica.memory.started.items())
        ]
        if started:
            launched = replace(started[number % len(started)], task="start", node=host.name, node_id=host.name)
            order = Run(node.replica.term, _FORGED, (AgentOrder(1, 20_000, launched),), host.now.wall_ms)
            shared, view = node.replica.shared, node.replica.partition.view
            self.cluster.network.send(host.name, seal(Envelope(shared.cluster, view, host.name, order)))

    def _bother_agents(self, host: Host, fault: Fault) -> None:
        world = self.cluster.world
        match fault.trouble:
            case Trouble.RESOURCE_DIES:
                self._let_die(host, fault.detail)
            case Trouble.AGENT_FAILS:
                world.failing[self._trouble(host, fault.detail)] = 1
            case Trouble.AGENT_HANGS:
                self.cluster.hanging.add(self._trouble(host, fault.detail))
            case Trouble.AGENT_LIES:
                where, resource, _ = self._operation(host, fault.detail)
                world.lying.add((where, resource, "start"))
                self._gone.add(resource)
            case Trouble.ATTRIBUTE:
                where, resource, _ = self._operation(host, fault.detail)
                if host.on:
                    world.values[where, resource] = {f"value-{resource}": str(fault.detail % 7)}
            case Trouble.MEND_AGENTS:
                world.failing.clear()
                world.lying.clear()
                self.cluster.hanging.clear()
            case _:
                pass

    def _let_die(self, host: Host, number: int) -> None:
        idle = [name for name in self.cluster.world.on(host.name) if name not in host.busy]
        if idle:
            name = idle[number % len(idle)]
            self.cluster.world.running.pop((host.name, name))
            self._gone.add(name)

    def _trouble(self, host: Host, number: int) -> tuple[str, str, str]:
        operation = self._operation(host, number)
        self._troubled.add(operation)
        return operation

    def _operation(self, host: Host, number: int) -> tuple[str, str, str]:
        return host.name, self._names[number % len(self._names)], ("start", "monitor", "stop")[number // 8 % 3]

    def _ask(self, host: Host, fault: Fault) -> None:
        asked = self._who_is_asked(host, fault)
        if asked is None or asked.node is None or asked.is_frozen:
            return
        name = self._names[fault.detail % len(self._names)]
        match fault.trouble:
            case Trouble.CLEANUP:
                asked.tell(ev.CleanupAsked(asked.now, (name,)))
            case Trouble.REFRESH:
                asked.tell(ev.RefreshAsked(asked.now, (name,)))
            case Trouble.CONFIRM:
                asked.tell(ev.ConfirmAsked(asked.now, host.name, "ann"))
            case Trouble.DEMAND:
                asked.tell(ev.FenceAsked(asked.now, host.name, ACTIONS[fault.detail % len(ACTIONS)], "ann"))
            case _:
                asked.tell(ev.StopAsked(asked.now))

    def _who_is_asked(self, host: Host, fault: Fault) -> Host | None:
        """What concerns a host is asked there; that a host is off is told to another, and only if it is so.

        That it is to be fenced is told to any that listens.
        """
        if fault.trouble is Trouble.DEMAND:
            listening = [one for one in self.cluster.hosts.values() if one.node is not None and not one.is_frozen]
            return listening[fault.detail // len(ACTIONS) % len(listening)] if listening else None
        if fault.trouble is not Trouble.CONFIRM:
            return host
        others = (other for other in self.cluster.hosts.values() if other.node is not None)
        return None if host.on else next(others, None)

    # The end

    def _come_to_rest(self) -> None:
        """Everything is mended, and the cluster has to come to what was committed last."""
        self.story.tell(self.cluster.clock.now_us, "--- everything is mended")
        self.rules.note_silent()
        self.cluster.heal()
        longest_ms = max(map(longest_monitor_ms, self.scenario.configurations), default=0)
        self._run_to(self.cluster.clock.now_us + max(SETTLE_MS, longest_ms + _MONITORS_END_MS) * 1000)
        self._clean_up()
        end_us = self.cluster.clock.now_us + max(REST_MS, 2 * longest_ms) * 1000
        left = self._unrest()
        while self.broken is None and left is not None and self.cluster.clock.now_us < end_us:
            self._run_to(self.cluster.clock.now_us + 5_000_000)
            self._start_who_left()
            left = self._unrest()
            if left is not None and self.cluster.clock.now_ms % 60_000 < 5_000:
                self._clean_up()
        if left is not None:
            self._break(f"the cluster does not come to rest: {left}")
        self._check_acknowledged()

    def _clean_up(self) -> None:
        """An operator forgives all failures; that is asked again, for who is asked may be about to leave."""
        first = next(iter(self.cluster.hosts.values()))
        if first.node is not None:
            first.tell(ev.CleanupAsked(first.now, tuple(self._names)))

    def _start_who_left(self) -> None:
        """Whom the cluster fenced, and who lives on all the same, has to boot; others only have to start."""
        for host in self.cluster.hosts.values():
            if host.node is None and "fenced" in (host.left or ""):
                host.power_off()
            host.power_on()
            host.start()

    def _unrest(self) -> str | None:
        """What keeps the cluster from being at rest."""
        nodes = {name: host.node for name, host in self.cluster.hosts.items()}
        for name, node in nodes.items():
            if node is None:
                return f"{name} has no process"
            if node.members != tuple(sorted(nodes)):
                return f"{name} has a view of {', '.join(node.members)}"
        living = [node for node in nodes.values() if node is not None]
        if len({digest(node.replica.shared) for node in living}) > 1:
            return "the members do not share one state"
        if not any(node.is_dc and node.coordinator.converged for node in living):
            return "no DC says that nothing is left to do"
        cib = living[0].replica.shared.cib
        return self._left_over(living) or self._misplaced(cib.configuration) or self._untrue(cib)

    def _left_over(self, living: list[Node]) -> str | None:
        """What nobody cares for any more, and is there all the same."""
        shared = living[0].replica.shared
        if shared.proposals:
            return f"the proposals {', '.join(sorted(shared.proposals))} have no end"
        if unended := self.rules.unended():
            return f"the proposals {', '.join(unended)} were neither activated nor rejected"
        if shared.fencing.records:
            return f"{', '.join(sorted(shared.fencing.records))} are members, and to be fenced or down"
        unclean = [name for name, one in shared.nodes.items() if one.presence is not Presence.ONLINE]
        if unclean:
            return f"{', '.join(unclean)} are members, and not online"
        for node in living:
            if node.parts.outbox.results:
                return f"{node.name} has results that nobody has heard"
        return self._untold_attributes(living[0])

    def _untold_attributes(self, node: Node) -> str | None:
        """Agents say with each call what their attributes are: what runs and is watched has told them all.

        What was removed and could not be stopped is watched by nobody: what its agent would say is not asked.
        """
        watched = set(wanted(node.replica.shared.cib.configuration))
        for (host, resource), values in self.cluster.world.values.items():
            if (host, resource) not in self.cluster.world.running or resource not in watched:
                continue
            known = transient(node_state(node.replica.shared.cib, host))
            for name, value in values.items():
                if known.get(name) != value:
                    return f"{name} of {host} is {known.get(name)}, and its agent says {value}"
        return None

    def _misplaced(self, active: Configuration) -> str | None:
        if not is_simple(active):
            return None
        stuck = {name for _, name, task in self._troubled if task == "stop"}
        return plain_placement(active, self.cluster, stuck, wanted(active))

    def _untrue(self, cib: Cib) -> str | None:
        """Where the histories say that something else is active than runs there.

        What was removed and could not be stopped is the operator's; of what is gone and nobody watches nobody can know.
        """
        stuck = {name for _, name, task in self._troubled if task == "stop"} - set(wanted(cib.configuration))
        return untrue_history(cib.status, self.cluster.world, set(self.cluster.hosts), stuck, self._gone - watched(cib))

    def _check_acknowledged(self) -> None:
        for name, host in self.cluster.hosts.items():
            if host.node is None:
                continue
            known = {activation.commit for activation in host.node.replica.activations}
            lost = [commit for commit in self.rules.acknowledged if commit not in known]
            if lost:
                self._break(f"{name} lost the acknowledged {', '.join(lost)}")


def _promoted_most(lived: Scenario) -> dict[str, int]:
    """How many may be promoted under that of a life's configurations that allows most."""
    most: dict[str, int] = {}
    for configuration in lived.configurations:
        for name, number in promoted_most(configuration):
            most[name] = max(number, most.get(name, 0))
    return most
