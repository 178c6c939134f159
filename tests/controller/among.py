"""A member among others: nodes of a simulated cluster that has installed a view, to which tests deliver by hand what they want."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.analysis.recording import Launched
from reconciler.controller import events as ev
from reconciler.controller.envelope import Chunk, Envelope, parcels, seal, unseal
from reconciler.controller.messages import AgentOrder, Message, Run
from reconciler.controller.moment import Moment
from reconciler.controller.node import Node
from reconciler.frozen import replace
from reconciler.model.resource import Agent
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

DUMMY = Agent("ocf", "Dummy", "reconciler")


def cluster_of(*names: str) -> SimulatedCluster:
    """Nodes of these names that are members of one view, the first of them the DC, with nothing to do."""
    cluster = SimulatedCluster(names, 1)
    cluster.start()
    cluster.run(10_000)
    return cluster


def node_of(cluster: SimulatedCluster, name: str) -> Node:
    """The node of a host."""
    node = cluster.hosts[name].node
    assert node is not None
    return node


def enveloped(node: Node, sender: str, message: Message | Chunk) -> Envelope:
    """A message as the sender would send it in the node's view."""
    return Envelope(node.replica.shared.cluster, node.replica.partition.view, sender, message)


def hear(
    host: Host, sender: str, message: Message | Chunk, now: Moment | None = None, head: Mapping[str, str] | None = None
) -> list[ev.Effect]:
    """What the node of a host wishes when this is delivered to it; nothing of it is carried out.

    `head` is what the envelope says otherwise than the sender would, and `now` when it is not delivered at once.
    """
    node = host.node
    assert node is not None
    data = seal(replace(enveloped(node, sender, message), **(head or {})))
    return node.step(ev.Delivered(now or host.now, sender, data))


def hear_in_pieces(host: Host, sender: str, message: Message) -> list[ev.Effect]:
    """The same of a message as it comes, whole or in pieces."""
    node = host.node
    assert node is not None
    pieces = list(parcels(enveloped(node, sender, message)))
    return [effect for data in pieces for effect in node.step(ev.Delivered(host.now, sender, data))]


def synchronised(host: Host, effects: list[ev.Effect], failure: str | None = None) -> list[ev.Effect]:
    """What the node wishes once its disk has answered what is asked of it in these effects: well, or with a failure."""
    node = host.node
    assert node is not None
    tokens = [effect.token for effect in effects if isinstance(effect, ev.Sync | ev.Begin)]
    answers = [
        ev.Durable(host.now, token) if failure is None else ev.NotDurable(host.now, token, failure) for token in tokens
    ]
    return [effect for answer in answers for effect in node.step(answer)]


def told(effects: list[ev.Effect]) -> list[Message]:
    """The messages that are sent, as far as they go whole."""
    messages = [unseal(effect.data).message for effect in effects if isinstance(effect, ev.Send)]
    return [message for message in messages if not isinstance(message, Chunk)]


def emitted(effects: list[ev.Effect], what: str) -> list[str]:
    """What people are told under this name."""
    emits = [effect.fields for effect in effects if isinstance(effect, ev.Emit)]
    return [fields["text"] for fields in emits if fields.get("what") == what]


def of_kind(effects: list[ev.Effect], *kinds: type) -> list[ev.Effect]:
    """The effects of these kinds."""
    return [effect for effect in effects if isinstance(effect, kinds)]


def run_of(node: Node, *tasks: str, on: str = "n1", transition: int = 9) -> Run:
    """Orders of the DC of a task each, for resources r1, r2 ..., in one message."""
    orders = tuple(
        AgentOrder(place, 20_000, Launched(f"r{place}", task, on, on, DUMMY, f"{place}:{transition}:0:run"))
        for place, task in enumerate(tasks, 1)
    )
    return Run(node.replica.term, transition, orders, 1)


def called(effects: list[ev.Effect]) -> list[str]:
    """The agents that are called."""
    return [f"{effect.call.resource} {effect.call.operation}" for effect in effects if isinstance(effect, ev.RunAgent)]
