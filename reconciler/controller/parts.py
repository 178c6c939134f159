"""The machines of one node and its state: what the rooms of a node have in common."""

from __future__ import annotations

from reconciler.cib.observations import transient
from reconciler.controller.cluster_clock import ClusterClock
from reconciler.controller.confirmation import Confirmation
from reconciler.controller.coordinator import Coordinator
from reconciler.controller.dampening import Dampening
from reconciler.controller.events import PublishAttributes, Wish
from reconciler.controller.executor import Executor
from reconciler.controller.fencer import Fencer
from reconciler.controller.flow import Flow
from reconciler.controller.held import held_of
from reconciler.controller.job import Gate
from reconciler.controller.joining import Joining
from reconciler.controller.journal import snapshot_bytes
from reconciler.controller.keeper import Keeper, Purpose, Routine
from reconciler.controller.members import node_state
from reconciler.controller.outbox import Outbox
from reconciler.controller.packs import Packs
from reconciler.controller.proposals import Proposals
from reconciler.controller.pulse import Pulse
from reconciler.controller.recovery import Recovery
from reconciler.controller.replica import Replica
from reconciler.controller.self_resets import SelfResets
from reconciler.controller.tips import Tips
from reconciler.model.status import NodeState


class Parts:
    """Each machine knows its own business alone; who needs several of them has this."""

    def __init__(
        self, name: str, run: str, replica: Replica, boot: str, protocols: tuple[int, int], compiler: int
    ) -> None:
        self.name = name
        self.replica = replica
        self.executor = Executor(name, _next_call_id(node_state(replica.cib, name)))
        self.coordinator = Coordinator(name, run)
        self.recovery = Recovery(name, boot)
        self.proposals = Proposals(name, replica, compiler)
        self.confirmation = Confirmation(name, replica)
        self.packs = Packs(name, replica, self.proposals)
        self.proposals.foresee = self.coordinator.foresee
        self.tips = Tips(name, replica)
        self.keeper = Keeper()
        self.protocols = protocols
        self.joining = Joining(name, run, boot, replica, protocols)
        self.fencer = Fencer(name, self.joining.incarnation)
        self.fencer.priority_delay_ms = lambda target, now: self.coordinator.priority_delay_ms(replica.cib, target, now)
        self.outbox = Outbox(name)
        self.dampening = Dampening()
        self.pulse = Pulse(name)
        self.self_resets = SelfResets(name, boot, replica)
        self.flow = Flow(name)
        self.clock = ClusterClock(replica.shared.clock_ms)
        self.unsure = False
        """Whether this node stood still, and does not know yet that it is abreast of the others."""
        self.heard: dict[Gate, set[str]] = {}
        """By the orders that wait for that, who has heard them in this view."""

    @property
    def members(self) -> tuple[str, ...]:
        """The members of the view."""
        return self.replica.partition.members

    @property
    def quorate(self) -> bool:
        """Whether the installed view has quorum."""
        return self.replica.quorate

    @property
    def is_dc(self) -> bool:
        """Whether this node is the DC of the installed view."""
        return self.replica.dc == self.name

    @property
    def alone(self) -> bool:
        """Whether there is nobody else: neither in the view nor, by the votes, outside it, where a broken word could do harm."""
        return self.members == (self.name,) and self.replica.shared.votes.keys() <= {self.name}

    def sync(self, purpose: Purpose) -> list[Wish]:
        """Make durable what was written; where the journal is broken, the state as a new generation."""
        snapshot = None if self.keeper.broken is None else snapshot_bytes(self.replica)
        return list(self.keeper.sync(purpose, snapshot))

    def generation(self, purpose: Purpose | None = None) -> list[Wish]:
        """Begin a new generation of the journal with the state as it is."""
        return list(self.keeper.sync(purpose or Routine(), snapshot_bytes(self.replica)))

    def publish(self) -> PublishAttributes:
        """What agents are answered about this node's attributes."""
        return PublishAttributes({name: value for name, value in self.attributes().items() if value is not None})

    def attributes(self) -> dict[str, str | None]:
        """This node's attributes as it has told them, whether or not they count already; None for one that is to go."""
        return {**transient(node_state(self.replica.cib, self.name)), **held_of(self.replica.shared.held, self.name)}


def _next_call_id(state: NodeState) -> int:
    ids = (entry.result.call_id or 0 for history in state.history for entry in history.entries)
    return 1 + max(ids, default=0)
