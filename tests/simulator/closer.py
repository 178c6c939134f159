"""Lives that are looked at more closely: what members send is held against what really is, and more is forged.

These are the lives of the same seeds, with rules besides those of `reconciler.simulator.rules`, which only what is broken on purpose has
broken so far: what a member accepts is on its disk; what runs is not ordered once more; an answer to a former DC's order ends nothing;
pieces of another digest are no message; who was told by the DC what time it is tells no other; and nobody would feed a watchdog who runs
something in a view that the network has told to be without quorum.
"""

from __future__ import annotations

import base64
import hashlib

from reconciler.cib.observations import AttributeSet, transient
from reconciler.controller import events as ev
from reconciler.controller.envelope import Chunk, Envelope, seal
from reconciler.controller.journal import PREPARED, Record
from reconciler.controller.members import node_state
from reconciler.controller.messages import Accept, Message, Observe, Reported, Run
from reconciler.simulator.host import Host
from reconciler.simulator.life import Life
from reconciler.simulator.scenario import Scenario

_WORD = "forged"
_TOLD_MS = 8_000
"""For how long what a DC says of the time is held against others: it says so every five seconds."""
_AHEAD_MS = 20_000
"""How much further another's time may be: a DC whose clock is behind goes at half the speed, and messages take their time."""
_TOGETHER_MS = 12_000
"""How long two are in one view before each has heard the other's time for sure."""


class CloserLife(Life):
    """A life as it is lived, and looked at."""

    def __init__(self, lived: Scenario) -> None:
        super().__init__(lived)
        self._underway: dict[str, tuple[tuple[int, int], frozenset[int]]] = {}
        """By DC the term and number of its transition, and which of its actions run."""
        self._views: dict[str, tuple[str, int]] = {}
        """By host the view that is installed there, and since when."""
        self._time: tuple[str, str, int, int] | None = None
        """Which DC, in which view, said what time it is, and when."""
        self._late: Host | None = None
        """Who is about to answer a former DC's order, as soon as a DC has any that are like it."""
        self.cluster.watch.append(self._look)

    def _look(self, host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        if host.node is None:
            return
        self._note_view(host)
        for effect in effects:
            if isinstance(effect, ev.Send) and (message := self._message(effect.data)) is not None:
                self._look_at_sent(host, message)
        if isinstance(event, ev.Delivered) and (message := self._message(event.data)) is not None:
            self._look_at_heard(host, message)
        self._look_at_watchdog(host)
        self._note_underway(host)
        if self._late is not None and self._late.node is not None:
            self._answer_late(self._late)

    def _message(self, data: bytes) -> Message | None:
        message = self.cluster.unseal(data).message
        return None if isinstance(message, Chunk) else message

    def _look_at_watchdog(self, host: Host) -> None:
        node = host.node
        if node is None or not self.cluster.world.on(host.name) or not node.replica.memory.started:
            return
        partition = node.replica.partition
        verdict = self.cluster.network.verdicts.get(partition.view.rstrip("'"))
        if verdict is not None and not verdict.quorate and node.feeds_watchdog(turning=True, now=host.now):
            self._break(f"{host.name} would feed its watchdog without quorum")

    # What is sent

    def _look_at_sent(self, host: Host, message: Message) -> None:
        match message:
            case Accept(commit=commit) if self._counts(host) and not _holds(host, commit):
                self._break(f"{host.name} accepts {commit[-4:]}, and its disk does not have it")
            case Run(orders=orders):
                for order in orders:
                    self._look_at_order(host, order.launched.node, order.launched.resource, order.launched.task)
            case _:
                pass
        self._look_at_time(host, getattr(message, "at_ms", None))

    def _counts(self, host: Host) -> bool:
        """Whether it can come to an activation: one that is alone goes on without its disk, and without quorum nothing is activated.

        At an installation a member answers from what it has prepared, which may be on its way to the disk: an activation is after it there.
        """
        shared = None if host.node is None else host.node.replica.shared
        if shared is None or self._views[host.name][1] == self.cluster.clock.now_ms:
            return False
        return len(self.cluster.hosts) > 1 and shared.quorate and not shared.withheld

    def _look_at_order(self, host: Host, node: str, resource: str, task: str) -> None:
        target = self.cluster.hosts.get(node)
        running = None if target is None or target.node is None else target.busy.get(resource)
        members = host.node.replica.partition.members if host.node is not None else ()
        if running is not None and task in ("start", "stop") and running.operation == task and node in members:
            self._break(f"{host.name} orders {task} of {resource} on {node}, where that is under way")

    def _look_at_time(self, host: Host, at_ms: int | None) -> None:
        """Who has been in one view with the DC for a while goes by its clock."""
        node, now_ms = host.node, self.cluster.clock.now_ms
        if node is None or not at_ms:
            return
        view, since_ms = self._views.get(host.name, ("", 0))
        if node.is_dc:
            self._time = host.name, view, at_ms, now_ms
            return
        if self._time is None or node.replica.shared.dc != self._time[0]:
            return
        dc, of_view, told_ms, then_ms = self._time
        together_ms = now_ms - max(since_ms, self._views[dc][1])
        if of_view == view == self._views[dc][0] and together_ms >= _TOGETHER_MS and now_ms - then_ms <= _TOLD_MS:
            ahead_ms = at_ms - (told_ms + now_ms - then_ms)
            if ahead_ms > _AHEAD_MS:
                self._break(f"{host.name} is {ahead_ms // 1000} s ahead of the clock of the cluster")

    def _note_view(self, host: Host) -> None:
        partition = host.node.replica.partition if host.node is not None else None
        view = partition.view if partition is not None and partition.installed else ""
        if self._views.get(host.name, ("", 0))[0] != view:
            self._views[host.name] = view, self.cluster.clock.now_ms

    # What is heard

    def _look_at_heard(self, host: Host, message: Message) -> None:
        node = host.node
        if node is None:
            return
        if isinstance(message, Observe):
            for name in self.cluster.hosts:
                if _WORD in transient(node_state(node.replica.cib, name)):
                    self._break(f"{host.name} takes for a message what has another digest")
        if isinstance(message, Reported):
            self._look_at_answer(host, message)

    def _look_at_answer(self, host: Host, message: Reported) -> None:
        """Whether an answer to the order of another term has ended an action."""
        (term, number), running = self._underway.get(host.name, ((0, 0), frozenset()))
        of_another = (message.term, message.transition) == (message.term, number) and message.term != term
        transition = host.node.coordinator.transition if host.node is not None else None
        goes_on = transition is not None and transition.number == number and message.action in transition.running
        same = host.node is not None and host.node.replica.term == term
        if of_another and same and message.action in running and not goes_on:
            self._break(f"{host.name} takes an answer of term {message.term} for one of {term}")

    def _note_underway(self, host: Host) -> None:
        node = host.node
        transition = None if node is None else node.coordinator.transition
        if node is None or transition is None:
            self._underway.pop(host.name, None)
        else:
            self._underway[host.name] = (node.replica.term, transition.number), frozenset(transition.running)

    # What is forged besides

    def _forge(self, host: Host, number: int) -> None:
        super()._forge(host, number)
        node = host.node
        if node is None or node.is_dc or not node.replica.partition.installed:
            return
        self._send_pieces(host)
        self._late = host

    def _send_pieces(self, host: Host) -> None:
        """Two pieces of a message whose digest is that of another."""
        whole = seal(self._envelope(host, _says(host.name)))
        digest = hashlib.sha256(b"another").hexdigest()
        for place, part in enumerate((whole[:100], whole[100:])):
            piece = Chunk(digest, place, 2, base64.b64encode(part).decode())
            self.cluster.network.send(host.name, seal(self._envelope(host, piece)))

    def _answer_late(self, host: Host) -> None:
        """An answer to the order of a former DC, of the number that is under way now."""
        for (term, number), running in self._underway.values():
            for action in sorted(running):
                late = Reported(
                    term - 1, number, action, "x", "start", 0, host.name, 0, 0, False, "", 5, (), host.now.wall_ms
                )
                self.cluster.network.send(host.name, seal(self._envelope(host, late)))
                self._late = None

    def _envelope(self, host: Host, message: Message | Chunk) -> Envelope:
        assert host.node is not None
        replica = host.node.replica
        return Envelope(replica.shared.cluster, replica.partition.view, host.name, message)


def _says(name: str) -> Observe:
    return Observe((AttributeSet(name, _WORD, "1"),), "", 0)


def _holds(host: Host, commit: str) -> bool:
    """Whether what a commit compiles to is durable on the disk of a host: in a record, or in a snapshot."""
    durable = host.disk.records[: host.disk.durable]
    return any(
        commit.encode() in (one.data if isinstance(one, Record) else one)
        for one in durable
        if not isinstance(one, Record) or one.kind == PREPARED
    )
