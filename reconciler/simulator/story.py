"""A life as a person can follow it: what went wrong, what the nodes said about it, what the agents did, and which rule broke."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.controller import events as ev
from reconciler.simulator.host import Host
from reconciler.simulator.world import Witnessed

_SHOWN = {
    "activated": ("proposal", "version"),
    "rejected": ("proposal", "reason"),
    "proposed": ("proposal",),
    "planned": ("transition", "actions"),
    "transition_aborted": ("transition", "why"),
    "action_failed": ("key", "node", "exit_reason"),
    "converged": ("version",),
    "daemon": ("what", "text"),
}


class Story:
    """Lines with the time in seconds, in the order in which things happened."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def tell(self, at_us: int, text: str) -> None:
        """Something happened."""
        self.lines.append((at_us, text))

    def stepped(self, host: Host, event: ev.Event, effects: Iterable[ev.Effect]) -> None:
        """What a node was told and said that people want to know."""
        at_us = host.around.clock.now_us
        if isinstance(event, ev.ViewChanged):
            quorum = "quorate" if event.view.ring.quorate else "without quorum"
            self.tell(at_us, f"{host.name}: view {event.view.id} of {', '.join(event.view.members)}, {quorum}")
        for effect in effects:
            if isinstance(effect, ev.Emit) and effect.type in _SHOWN:
                fields = [str(effect.fields.get(name, ""))[:80] for name in _SHOWN[effect.type]]
                self.tell(at_us, f"{host.name}: {effect.type} {' '.join(fields)}")
            elif isinstance(effect, ev.Leave):
                self.tell(at_us, f"{host.name}: leaves, {effect.why}")

    def text(self, witnessed: Iterable[Witnessed] = ()) -> str:
        """The whole story, with what agents witnessed in its place."""
        acts = [(one.at_us, f"{one.host}: the agent of {one.resource} did {one.task}") for one in witnessed]
        lines = sorted([*self.lines, *acts], key=lambda line: line[0])
        return "\n".join(f"{at_us / 1e6:10.3f} s  {text}" for at_us, text in lines)
