"""What all forms of a plan say alike: the header, the counts, durations and values as texts."""

from __future__ import annotations

import json
from typing import NamedTuple

from reconciler.analysis.consequences import Consequences
from reconciler.cib.difference import ConfigChange
from reconciler.model.attributes import secret_name
from reconciler.scheduler.plan import Verb

LONGEST_VALUE = 60
"""Longer values are cut in texts; the JSON form has them whole."""
_BEFORE_DIFFERENCE = 12


class Header(NamedTuple):
    """What a plan is about: the cluster, the two configurations by name, and how old the observed state is."""

    cluster: str
    base: str
    head: str
    state: str
    """Where the state comes from: "live", "snapshot FILE", "assumed: healthy and running the base"."""

    def line(self) -> str:
        """One line for people."""
        return f"Cluster {self.cluster}   {self.base} -> {self.head}   state: {self.state}"


def counts(found: Consequences) -> dict[str, int]:
    """The numbers of a summary by name, in the order of the JSON form."""
    numbers = {action: found.counted_changes(action) for action in ("add", "change", "remove")}
    numbers |= {verb.value.lower().replace("-", "_"): found.count(verb) for verb in Verb}
    numbers["unfence"] = sum(transition.unfencing for transition in found.transitions)
    numbers["blocked"] = sum(transition.blocked for transition in found.transitions)
    return numbers


def summary(found: Consequences) -> str:
    """The counts as one phrase: what changes in the configuration, then what happens."""
    numbers = counts(found)
    config = ", ".join(f"{numbers[action]} to {action}" for action in ("add", "change", "remove"))
    always = ("start", "move", "restart", "fence")
    others = [
        name
        for name in ("stop", "migrate", "reload", "promote", "demote", "re_promote", "recover", "unfence", "blocked")
        if numbers[name]
    ]
    happens = ", ".join(f"{numbers[name]} {name.replace('_', '-')}" for name in (*always, *others))
    return f"{config} · {happens}"


def longest_outage(found: Consequences) -> tuple[str, int] | None:
    """The resource that is down longest while it moves or restarts, with the milliseconds; None when none is known."""
    known = [(impact.down_ms, impact.resource) for impact in found.impacts if impact.down_ms is not None]
    if not known:
        return None
    down_ms, resource = max(known)
    return resource, down_ms


def seconds(milliseconds: int | None) -> str:
    """A duration for people; unknown when it was never recorded."""
    if milliseconds is None:
        return "unknown (never recorded)"
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def agent_of(value: object) -> str | None:
    """The agent of an object in plain form, as it is written; None for what has none."""
    agent = value.get("agent") if isinstance(value, dict) else None
    if not isinstance(agent, dict):
        return None
    return ":".join(str(agent[part]) for part in ("standard", "provider", "type") if agent.get(part))


def shown(value: object) -> str:
    """A value of the configuration in one line; a secret never shows more than that it is one."""
    return _cut(_text(value), 0)


def _text(value: object) -> str:
    if isinstance(value, str) and secret_name(value) is not None:
        return f"(secret {secret_name(value)})"
    if value is None:
        return "(nothing)"
    if isinstance(value, dict) and (agent := agent_of(value)) is not None:
        return f"({agent})"
    if isinstance(value, list) and all(isinstance(block, dict) and block.keys() == {"values"} for block in value):
        value = {name: text for block in value for name, text in block["values"].items()}
    if isinstance(value, str):
        return '"' + value.replace("\n", "\\n") + '"'
    return json.dumps(value, sort_keys=True, default=str)


def _cut(text: str, start: int) -> str:
    text = f"…{text[start:]}" if start else text
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _both(before: object, after: object) -> str:
    """What was and what is to be; of long ones that begin alike from shortly before they differ."""
    texts = _text(before), _text(after)
    pairs = enumerate(zip(*texts, strict=False))
    alike = next((place for place, (one, other) in pairs if one != other), min(map(len, texts)))
    start = max(0, alike - _BEFORE_DIFFERENCE) if max(map(len, texts)) > LONGEST_VALUE else 0
    return " -> ".join(_cut(text, start) for text in texts)


def change_value(change: ConfigChange) -> str:
    """What a difference changes, to stand behind its address; of a whole object only its agent."""
    if change.action == "change":
        return f"  {_both(change.before, change.after)}"
    if change.action == "rename":
        return f"  => {shown(change.after)}"
    value = change.after if change.action == "add" else change.before
    if change.address == change.object:
        agent = agent_of(value)
        return f"  ({agent})" if agent is not None else ""
    return f"  {shown(value)}"
