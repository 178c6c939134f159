"""A plan as JSON: one object with a versioned promise.

Within a major `format_version` keys are only added: readers ignore what they don't know and refuse another major. Keys are sorted,
durations are integers in milliseconds, None is "unknown".
Source: the design of the command line, "Machine formats".
"""

from __future__ import annotations

from reconciler.analysis.consequences import Because, Consequence, Consequences, Impact
from reconciler.analysis.guards import Guard
from reconciler.cib.difference import ConfigChange
from reconciler.cli.planning.facts import Header, counts, longest_outage
from reconciler.errors import Place
from reconciler.model.attributes import secret_name
from reconciler.version import __version__

FORMAT_VERSION = "1.0"

Json = dict[str, object]


def document(found: Consequences, header: Header, consented: frozenset[str]) -> Json:
    """The whole plan."""
    outage = longest_outage(found)
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": __version__,
        "cluster": header.cluster,
        "base": {"name": header.base},
        "head": {"name": header.head},
        "state": header.state,
        "summary": counts(found) | {"max_down_ms": outage[1] if outage else None},
        "config_changes": [config_change(change) for change in found.changes],
        "transitions": [transition(number, one) for number, one in enumerate(found.transitions, start=1)],
        "impact": [_impact(impact) for impact in found.impacts],
        "blocked": list(found.blocked),
        "idle": [{"resource": one.resource, "because": one.because} for one in found.idle],
        "guards": [_guard(guard, consented) for guard in found.guards],
        "restless": found.settled.restless,
        "errored": found.settled.stuck,
    }


def config_change(change: ConfigChange) -> Json:
    """One difference of the configuration; of a secret only that it is one."""
    return {
        "address": "/".join(change.address),
        "action": change.action,
        "before": _value(change.before),
        "after": _value(change.after),
        "before_sensitive": _sensitive(change.before),
        "after_sensitive": _sensitive(change.after),
        **_place(change.place),
    }


def transition(number: int, one: Consequence) -> Json:
    """One transition, with its reasons."""
    return {
        "id": number,
        "step": one.step,
        "verb": one.word,
        "resource": one.resource,
        "node_from": one.node_from,
        "node_to": one.node_to,
        "role_from": one.role_from,
        "role_to": one.role_to,
        "because": [_because(because) for because in one.because],
        "blocked": one.blocked,
        "duration_ms": {"p50": one.duration_ms, "p95": None},
        "unknown": one.duration_ms is None,
    }


def _because(because: Because) -> Json:
    return {"code": because.code, "text": because.text, "source": _place(because.place) or None}


def _impact(impact: Impact) -> Json:
    return {
        "resource": impact.resource,
        "node_from": impact.node_from,
        "node_to": impact.node_to,
        "down_ms": {"p50": impact.down_ms, "p95": None},
    }


def _guard(guard: Guard, consented: frozenset[str]) -> Json:
    return {
        "id": guard.consent,
        "severity": guard.kind,
        "text": guard.text,
        "consent": f"--allow {guard.consent}",
        "allowed": guard.warns or guard.allowed_by(consented),
        "warns": guard.warns,
    }


def _place(place: Place | None) -> Json:
    return {} if place is None else {"file": place.file, "line": place.line}


def _value(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _value(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_value(part) for part in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    name = secret_name(value) if isinstance(value, str) else None
    return str(value) if name is None else f"(secret {name})"


def _sensitive(value: object) -> bool:
    """Whether a secret is anywhere in the value."""
    if isinstance(value, dict):
        return any(_sensitive(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(_sensitive(part) for part in value)
    return isinstance(value, str) and secret_name(value) is not None
