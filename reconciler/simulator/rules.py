"""The safety rules, checked after each step by what the world, the network and the devices have seen, not by what nodes say of themselves.

Where a node's own word is used, it only says which view it believes to be in, or what it promises: whether that was so is for others.
Source: the design of the cluster, "Safety rules".
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

from reconciler.cib import Cib
from reconciler.controller import events as ev
from reconciler.controller.fencing.record import Down, FenceOrder, Ordered
from reconciler.controller.quorum.policy import QuorumPolicy
from reconciler.controller.quorum.self_stop import goes_on
from reconciler.controller.replica import Partition
from reconciler.controller.shared import Shared
from reconciler.controller.standing import quorum_policy
from reconciler.model.cluster import Configuration
from reconciler.model.duration import DEFAULT_TIMEOUT_MS, interval_ms, timeout_ms
from reconciler.model.operation import AgentCall
from reconciler.model.resource import Primitive, primitives
from reconciler.model.watchdogs import WATCHDOG
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.excuses import Excuses
from reconciler.simulator.host import Host
from reconciler.simulator.promises import Promises
from reconciler.simulator.scenario import Scenario, is_device, promotable
from reconciler.simulator.scenario import fences as all_fence
from reconciler.simulator.world import Double

_MARGINS_US = 10_000_000
"""How much longer than stops may take the others wait without fencing: five seconds until a member that is cut off acts, and five more."""
BEGUN_US = 1_000_000
"""How long a start that was begun then may take to show."""
_MOMENT_US = 1_000_000
"""Who goes on for less has no time to learn that it was missed, and to stop anything: its silence goes on."""
_NOTED_EVERY_US = 50_000
_LEFT_BEHIND = 50_000
"""How many messages may wait for a process that does not stand still."""
_BEGINNINGS = frozenset({"start", "promote", "migrate_from"})
_MAY_GO_ON = frozenset({QuorumPolicy.IGNORE, QuorumPolicy.FREEZE})
"""The policies under which something may be begun without quorum: what failed where it ran, or anything."""
_FREEZES = frozenset({QuorumPolicy.FREEZE})

_NOTHING_SEEN: tuple[None, Partition] = None, Partition()


class Rules:
    """Watches a cluster; `broken` is called with the rule that was."""

    def __init__(self, lived: Scenario, cluster: SimulatedCluster, broken: Callable[[str], None]) -> None:
        self.scenario = lived
        self.cluster = cluster
        self._break = broken
        self.acknowledged: list[str] = []
        """Commits that most hosts have activated."""
        self.steps = 0
        unfenced = [one for one in lived.configurations if not all_fence((one,))]
        self._grace_us = min((us for one in unfenced if (us := _grace_us(one)) is not None), default=None)
        """How long whoever can do nothing is waited for at the least, where any configuration fences nobody."""
        self._dared_us = min((us for one in unfenced if (us := _dared_us(one)) is not None), default=None)
        """How long whoever runs on is waited for, where an operator has said how long."""
        self._apart_us: dict[tuple[str, str], tuple[int, int]] = {}
        self._held: dict[tuple[int, int], tuple[str, tuple[str, str]]] = {}
        self._seen: dict[str, tuple[Shared, Partition]] = {}
        self._dcs: dict[str, tuple[str, str | None]] = {}
        self._promises = {name: Promises(host.disk) for name, host in cluster.hosts.items()}
        self._silent_us: dict[str, tuple[int, int]] = {}
        self._turned_us = 0
        self._excuses = Excuses(cluster.hosts)
        self._promotable = {name for one in lived.configurations for name in promotable(one)}
        self._activated: dict[str, set[str]] = {}
        self._proposed: dict[str, set[str]] = {}
        self._ended: set[str] = set()

    # After each turn of the clock

    def turned(self) -> None:
        """Something has happened: look at the world."""
        world = self.cluster.world
        if self.cluster.clock.now_us - self._turned_us >= _NOTED_EVERY_US or world.doubles:
            self.note_silent()
        if world.doubles:
            self._judge(world.doubles.pop())
        if world.faults:
            self._break(world.faults[0])

    def note_silent(self) -> None:
        """How long hosts have no process that could stop what runs there, or one that stands still."""
        now_us = self.cluster.clock.now_us
        for name, host in self.cluster.hosts.items():
            if host.node is None:
                self._forget_proposals(name)
            if host.node is None or host.is_frozen:
                since_us, until_us = self._silent_us.get(name, (now_us, now_us))
                goes_on = until_us >= min(self._turned_us, now_us - _MOMENT_US)
                self._silent_us[name] = (since_us if goes_on else now_us), now_us
        if self._dared_us is not None:
            self._note_apart(now_us)
        self._turned_us = now_us

    def _note_apart(self, now_us: int) -> None:
        """How long hosts have not reached each other, or had no process that did."""
        hosts, side = self.cluster.hosts, self.cluster.network.side
        for pair in permutations(hosts, 2):
            if side[pair[0]] == side[pair[1]] and all(hosts[one].node and not hosts[one].is_frozen for one in pair):
                continue
            since_us, until_us = self._apart_us.get(pair, (now_us, now_us))
            goes_on = until_us >= min(self._turned_us, now_us - _MOMENT_US)
            self._apart_us[pair] = (since_us if goes_on else now_us), now_us

    def _judge(self, double: Double) -> None:
        """Without fencing, what ran on a host that could do nothing about it for the whole grace may start elsewhere.

        So may what runs on one that was not reached for as long as an operator has said. With fencing nothing may, unless a device said
        that it switched a host off, and did not.
        """
        if self.cluster.deceived & {double.host, *double.others}:
            return
        counting = [other for other in double.others if not self._may_run_on(double, other)]
        if len(counting) >= double.most:
            self._break(str(double))

    def _may_run_on(self, double: Double, other: str) -> bool:
        """Whether it is nobody's fault that something still runs on another host."""
        if self._excuses.excused(double, other):
            return True
        now_us = self.cluster.clock.now_us
        if _lasted(self._silent_us.get(other), self._grace_us, now_us):
            self._excuses.excuse(double, other, self.cluster.hosts.keys() - {other})
            return True
        apart = [one for one in self.cluster.hosts if _lasted(self._apart_us.get((one, other)), self._dared_us, now_us)]
        if double.host in apart:
            self._excuses.excuse(double, other, apart)
        return double.host in apart

    # After each step of a node

    def stepped(self, host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        """A node took an event: what it holds, and what it begins."""
        self.steps += 1
        known, before = self._seen.get(host.name, _NOTHING_SEEN)
        if host.node is not None:
            self._look_at_state(host)
            self._look_at_promises(host, event, effects)
        for effect in effects:
            if not isinstance(effect, ev.Emit | ev.RunAgent | ev.CallFenceAgent | ev.Leave):
                continue
            views = [before] if host.node is None else [before, host.node.replica.partition]
            policies = _policies(known, None if host.node is None else host.node.replica.shared)
            match effect:
                case ev.Emit("activated", fields):
                    self._note_activated(host, str(fields["proposal"]), views)
                case ev.RunAgent(_, call) if call.operation in _BEGINNINGS:
                    what = f"begins {call.operation} of {call.resource}"
                    goes_on = bool(policies & _MAY_GO_ON) or self._recovers(call, policies)
                    self._check_quorum(host, what, views, strict=not goes_on)
                    self._note_begun(host, call, views)
                case ev.RunAgent(_, call) if call.operation == "stop" and policies == _FREEZES:
                    self._check_freeze(host, call.resource, views)
                case ev.Emit("proposed", fields):
                    self._note_proposed(host, str(fields["proposal"]))
                case ev.Emit("rejected", fields):
                    self._ended.add(str(fields["proposal"]))
                case ev.Leave(why) if not policies & _MAY_GO_ON:
                    self._check_end(host, why, views)
                case ev.CallFenceAgent(order):
                    strict = QuorumPolicy.IGNORE not in policies
                    self._check_quorum(host, f"fences {order.target}", views, strict=strict)
                    self._check_order(host, order)
                case _:
                    pass
        if isinstance(event, ev.ViewChanged) and self.cluster.network.waiting(host.name) > _LEFT_BEHIND:
            self._break(f"{host.name} is left behind: more than {_LEFT_BEHIND:,} messages wait for it")

    def _look_at_state(self, host: Host) -> None:
        """One history, one DC in a view, and promises that are kept; looked at when anything of it has changed."""
        node = host.node
        if node is None:
            return
        shared, partition = node.replica.shared, node.replica.partition
        seen = self._seen.get(host.name)
        if seen is not None and seen[0] is shared and seen[1] is partition:
            return
        self._seen[host.name] = shared, partition
        self._check_down(None if seen is None else seen[0], shared)
        if len(self.scenario.hosts) == 1:
            # Alone it goes on without its disk, and may begin a term again that a crash took away: there is nobody to differ from.
            return
        self._compare(host.name, shared)
        if partition.installed:
            if shared.quorate:
                self._excuses.met(host.name, shared.reported)
            known = self._dcs.setdefault(partition.view, (host.name, node.replica.dc))
            if known[1] != node.replica.dc:
                self._break(f"{host.name} and {known[0]} have two DCs in one view: {node.replica.dc} and {known[1]}")
        promised = node.replica.own.promised
        if promised < shared.term:
            self._break(f"{host.name} has decided {shared.term} and promised {promised}")

    def _check_down(self, before: Shared | None, shared: Shared) -> None:
        """Who counts as reset by its own watchdog runs nothing in that life any more."""
        if before is None or before.fencing is shared.fencing:
            return
        for target, record in shared.fencing.records.items():
            if not isinstance(record, Down) or before.fencing.records.get(target) == record:
                continue
            by = next((one for one in reversed(shared.fencing.history) if one.target == target and one.device), None)
            lives = f"{target}-boot-{self.cluster.hosts[target].boot}" == record.boot
            if by is not None and by.device == WATCHDOG and by.at_ms == record.at_ms and lives:
                left = self.cluster.world.on(target)
                if left:
                    self._break(f"{target} counts as reset by its watchdog, and runs {', '.join(left)}")

    def _look_at_promises(self, host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        """What a node has promised durably it has promised for good, whatever becomes of its process."""
        # Alone it goes on without its disk, as above.
        if host.node is None or len(self.scenario.hosts) == 1:
            return
        promised, kept = host.node.replica.own.promised, self._promises[host.name]
        least = kept.stepped(event, effects, promised)
        if promised < least:
            self._break(f"{host.name} promised {least}, and goes on with {promised}")

    def _compare(self, name: str, shared: Shared) -> None:
        """Who has taken in the same messages of the same term holds the same."""
        if shared.beside:
            return
        held = shared.chain, str(shared.cib.version)
        known = self._held.setdefault((shared.term, shared.seq), (name, held))
        if known[1] != held:
            at = f"({shared.term}, {shared.seq})"
            self._break(f"{name} and {known[0]} differ at {at}: {held} and {known[1]}")

    def _recovers(self, call: AgentCall, policies: frozenset[QuorumPolicy]) -> bool:
        """Whether something may be started without quorum by `demote`: what may be promoted stays, demoted, also where it fails."""
        name = call.resource.partition(":")[0]
        return QuorumPolicy.DEMOTE in policies and call.operation == "start" and name in self._promotable

    def _check_quorum(self, host: Host, what: str, views: list[Partition], *, strict: bool) -> None:
        """Whether the view in which a node believed to be was told quorate by the network.

        `views` are the ones before and after the step: what had to wait for the disk may happen at the end of the one before.
        """
        installed = [view for view in views if view.installed]
        if not installed:
            self._break(f"{host.name} {what} in no installed view")
        elif strict and not any(self._quorate(view) for view in installed):
            self._break(f"{host.name} {what} without quorum")

    def _quorate(self, view: Partition) -> bool:
        # Members that go on without one of them give the view another name.
        verdict = self.cluster.network.verdicts.get(view.view.rstrip("'"))
        return verdict is not None and verdict.quorate

    def _note_begun(self, host: Host, call: AgentCall, views: list[Partition]) -> None:
        """Something is begun on a host: what it knows of the others then is what counts, also when that shows later."""
        installed = [view for view in views if view.installed]
        if host.node is not None and installed:
            shared = host.node.replica.shared
            goes_on = not shared.quorate and quorum_policy(shared.cib) is QuorumPolicy.IGNORE
            self._excuses.begins(host.name, call, installed[-1].members, shared, goes_on=goes_on)

    def _check_freeze(self, host: Host, resource: str, views: list[Partition]) -> None:
        """Under the policy freeze a side without quorum stops nothing that runs as it should, and a member by itself nothing at all.

        What an activation took away or changed is stopped all the same, as Pacemaker does it: the side had quorum then. And what a node
        has heard fail does not run as it should to it, though it may be well by now.
        """
        world, node = self.cluster.world, host.node
        if not self.scenario.toy or node is None or node.stopping or any(self._quorate(view) for view in views):
            return
        troubled = {name for _, name, _ in {*world.failing, *world.lying, *self.cluster.hanging}}
        troubled |= {name for name, _ in node.executor.failures}
        if world.where(resource) != [host.name] or resource in troubled:
            return
        configured = node.replica.shared.cib.configuration.resources
        wanted = [_parameters(one) for one in configured if isinstance(one, Primitive) and one.id == resource]
        if world.running[host.name, resource].parameters in wanted:
            self._break(f"{host.name} stops {resource}, which runs well, although it is to freeze")

    def _check_end(self, host: Host, why: str, views: list[Partition]) -> None:
        """Who ends by itself without quorum, where members without it stop what they run, lets nothing run: the others will start it."""
        world, node = self.cluster.world, host.node
        if node is None or "fenced" in why or len(self.scenario.hosts) == 1:
            return
        if any(self._quorate(view) for view in views):
            return
        troubled = {name for _, name, _ in {*world.failing, *world.lying, *self.cluster.hanging}}
        # Whose stop did not come to an end may run; that it is so may be just what the node had no room to take in.
        started = node.replica.memory.started.keys() - troubled - world.anonymous - host.unanswered
        if left := sorted(started & set(world.on(host.name))):
            self._break(f"{host.name} ends by itself, and lets {', '.join(left)} run")

    def unended(self) -> list[str]:
        """Proposals that most members have heard, none of whom has lost what it had since, and that came to no end."""
        most = len(self.scenario.hosts) // 2 + 1
        return sorted(commit for commit, by in self._proposed.items() if len(by) >= most and commit not in self._ended)

    def _note_proposed(self, host: Host, commit: str) -> None:
        node = host.node
        if node is not None and node.replica.shared.quorate:
            self._proposed.setdefault(commit, set()).add(host.name)

    def _forget_proposals(self, name: str) -> None:
        """A process is gone, and with it, perhaps, what it had not made durable."""
        for by in self._proposed.values():
            by.discard(name)

    def _check_order(self, host: Host, order: FenceOrder) -> None:
        """Nobody is fenced of whom the state does not say so: a DC that comes after would not know of it."""
        record = None if host.node is None else host.node.replica.shared.fencing.records.get(order.target)
        if not isinstance(record, Ordered) or record.order != order:
            self._break(f"{host.name} fences {order.target}, and the state does not say so")

    def _note_activated(self, host: Host, commit: str, views: list[Partition]) -> None:
        if commit in self.cluster.invalid:
            self._break(f"{host.name} activates an invalid commit")
        refusers = self.cluster.refused.get(commit, frozenset())
        others = self.cluster.disputed.get(commit, frozenset())

        def may_not(view: Partition) -> bool:
            # Those who understand it otherwise agree with each other.
            return bool(refusers.intersection(view.members)) or 0 < len(others.intersection(view.members)) < len(
                view.members
            )

        if all(may_not(view) for view in views if view.installed):
            self._break(f"{host.name} activates a commit that a member of its view refuses or understands otherwise")
        self._check_quorum(host, "activates a commit", views, strict=True)
        self._ended.add(commit)
        have = self._activated.setdefault(commit, set())
        have.add(host.name)
        if 2 * len(have) > len(self.scenario.hosts) and commit not in self.acknowledged:
            self.acknowledged.append(commit)


def plain_placement(active: Configuration, cluster: SimulatedCluster, stuck: set[str], names: list[str]) -> str | None:
    """What is not where it should be, where that is plain: without constraints, each resource runs once."""
    for resource in names:
        if len(cluster.world.where(resource)) != 1:
            return f"{resource} runs on {cluster.world.where(resource) or 'no host'}"
    # A stop that failed blocks, without fencing: what it left is nobody's to end but the operator's.
    known = {one.id for one in active.resources}
    surplus = {name for _, name in cluster.world.running} - known - stuck
    return f"{sorted(surplus)} run and are not wanted" if surplus else None


def _lasted(time: tuple[int, int] | None, least_us: int | None, now_us: int) -> bool:
    """Whether something lasted for so long, until a moment ago."""
    return time is not None and least_us is not None and time[1] - time[0] >= least_us and now_us - time[1] <= BEGUN_US


def _policies(*states: Shared | None) -> frozenset[QuorumPolicy]:
    """The policies without quorum by which a node may have gone in a step."""
    return frozenset(quorum_policy(one.cib) for one in states if one is not None)


def _grace_us(configuration: Configuration) -> int | None:
    """How long the others wait for a node that has this configuration, at the least; None: for ever."""
    stops = [
        [timeout_ms(operation.attributes.get("timeout")) for operation in one.operations if operation.name == "stop"]
        for resource in configuration.resources
        for one in primitives(resource)
        if not is_device(one)
    ]
    dared_us, longest_ms = (
        _dared_us(configuration),
        max((max(one, default=DEFAULT_TIMEOUT_MS) for one in stops), default=0),
    )
    if dared_us is not None:
        return dared_us
    if goes_on(quorum_policy(Cib(configuration=configuration))):
        return None
    return _MARGINS_US + 1000 * (longest_ms or DEFAULT_TIMEOUT_MS)


def _dared_us(configuration: Configuration) -> int | None:
    """How long an operator says that lost nodes are waited for."""
    said = [block.values["lost-node-grace"] for block in configuration.options if "lost-node-grace" in block.values]
    return 1000 * interval_ms(said[0]) if said else None


def _parameters(resource: Primitive) -> dict[str, str]:
    return {name: value for block in resource.params for name, value in block.values.items()}
