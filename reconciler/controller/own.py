"""What one node alone remembers: it is no part of what members share, and stays when a node takes over the others' state."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.cib.moving import Names
from reconciler.controller.memory import Memory, forgotten, ordered, renamed, reported
from reconciler.controller.messages import Joined, Message, Report, Reported, Run
from reconciler.controller.shared import Prepared, Shared
from reconciler.frozen import field, frozen, replace


@frozen
class Own:
    """By resource the parameters it runs with, and by commit what it compiles to here, as long as it is proposed.

    `promised` is the highest term that it has durably taken part in; `blank` says that its disk does not hold what it once promised, as it
    is new, replaced, or damaged.
    """

    memory: Memory = field(default_factory=Memory)
    prepared: Mapping[str, Prepared] = field(default_factory=dict)
    promised: int = 0
    blank: bool = False


def remember(own: Own, node: str, message: Message, after: Shared) -> Own:
    """What the node remembers once it took a message in; `after` is what members share by then."""
    memory = own.memory
    match message:
        case Run():
            memory = ordered(memory, node, message)
        case Reported():
            memory = reported(memory, node, message)
        case Joined() | Report():
            if message.node == node:
                memory = forgotten(memory, message.stopped)
        case _:
            pass  # Nothing that runs here changes by it.
    prepared = own.prepared
    if prepared and any(commit not in after.proposals for commit in prepared):
        prepared = {commit: made for commit, made in prepared.items() if commit in after.proposals}
    if memory is own.memory and prepared is own.prepared:
        return own
    return replace(own, memory=memory, prepared=prepared)


def renamed_own(own: Own, names: Names) -> Own:
    """What the node remembers once resources go on under new names."""
    return replace(own, memory=renamed(own.memory, names)) if names else own


def prepare(own: Own, commit: str, prepared: Prepared) -> Own:
    """Keep what a commit compiles to, until it is activated or refused."""
    return replace(own, prepared={**own.prepared, commit: prepared})
