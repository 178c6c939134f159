"""A life as a person can follow it: what went wrong, what the nodes said about it, what the agents did, and which rule broke."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.controller import events as ev
from reconciler.frozen import frozen
from reconciler.simulator.host import Host
from reconciler.simulator.world import Witnessed

_SHOWN = {
    "activated": ("proposal", "version"),
    "rejected": ("proposal", "reason"),
    "proposed": ("proposal",),
    "transition_aborted": ("transition", "why"),
    "action_failed": ("key", "exit_reason"),
    "converged": ("version",),
    "fencing": ("text",),
}
_NOISE = frozenset({"message-skipped"})
"""What the daemon says that is no news to whoever follows a life: messages of a view that is over are always skipped."""
_TOGETHER_US = 1_000_000
"""What several nodes say alike within this time is told once."""


@frozen
class Line:
    """Something that happened: when, to whom (nobody for what happens to all), and what."""

    at_us: int
    who: str
    text: str


class Story:
    """Lines with the time in seconds, in the order in which things happened."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def tell(self, at_us: int, text: str, who: str = "") -> None:
        """Something happened."""
        self.lines.append(Line(at_us, who, text))

    def stepped(self, host: Host, event: ev.Event, effects: Iterable[ev.Effect]) -> None:
        """What a node was told and said that people want to know."""
        at_us = host.around.clock.now_us
        if isinstance(event, ev.ViewChanged):
            quorum = "quorate" if event.view.ring.quorate else "without quorum"
            self.tell(at_us, f"hears of view {event.view.id}: {', '.join(event.view.members)}, {quorum}", host.name)
        for effect in effects:
            if isinstance(effect, ev.Emit) and (text := _said(effect)) is not None:
                self.tell(at_us, text, host.name)
            elif isinstance(effect, ev.Leave):
                self.tell(at_us, f"leaves: {effect.why}", host.name)

    def text(self, witnessed: Iterable[Witnessed] = ()) -> str:
        """The whole story, with what agents witnessed in its place."""
        acts = [Line(one.at_us, one.host, f"{one.resource}: {one.task} is done") for one in witnessed]
        lines = sorted([*self.lines, *acts], key=lambda line: line.at_us)
        return "\n".join(f"{line.at_us / 1e6:10.3f} s  {_shown(line)}" for line in _together(lines))


def _said(emit: ev.Emit) -> str | None:
    """What a node said, in one line; None for what nobody needs to follow a life."""
    fields = emit.fields
    if emit.type == "planned":
        changes = fields["summary"]
        told = ", ".join(_change(one) for one in changes) if isinstance(changes, list) else ""
        return f"plans transition {fields['transition']} of {fields['actions']} actions{f': {told}' if told else ''}"
    if emit.type == "daemon":
        return None if fields["what"] in _NOISE else f"{fields['what']}: {fields.get('text', '')}"
    if emit.type not in _SHOWN:
        return None
    values = [_commit(name, str(fields.get(name, ""))) for name in _SHOWN[emit.type]]
    return " ".join([emit.type.replace("_", " "), *(value[:120] for value in values if value)])


def _change(change: dict[str, object]) -> str:
    places = [str(change[name]) for name in ("from_node", "to_node") if change.get(name)]
    return f"{str(change['verb']).lower()} {change['subject']} ({' -> '.join(dict.fromkeys(places))})"


def _commit(name: str, text: str) -> str:
    """A commit of a simulation is a number with many zeros before it."""
    return f"commit {text.lstrip('0')}" if name == "proposal" else text


def _together(lines: Iterable[Line]) -> Iterable[Line]:
    """What several nodes say alike at about the same time is one line, where the first of them says it."""
    made: list[Line] = []
    open_lines: dict[str, int] = {}
    for line in lines:
        place = open_lines.get(line.text) if line.who else None
        known = None if place is None else made[place]
        if place is not None and known is not None and line.at_us - known.at_us <= _TOGETHER_US:
            names = sorted({*known.who.split(", "), line.who})
            if line.who not in known.who.split(", "):
                made[place] = Line(known.at_us, ", ".join(names), line.text)
                continue
        open_lines[line.text] = len(made)
        made.append(line)
    return made


def _shown(line: Line) -> str:
    return f"{line.who}: {line.text}" if line.who else line.text
