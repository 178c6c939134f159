"""What the first format of journals and snapshots wrote, brought into the present plain form; reading that is as strict as ever.

A part that is not as that format has it is handed on as it is: the reader of the present form refuses it.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_RENAMED = {
    "interval": "interval_ms",
    "timeout": "timeout_ms",
    "at": "at_ms",
    "reason": "exit_reason",
    "execution": "execution_ms",
    "key": "transition_key",
    "target": "target_rc",
    "fatal": "start_failure_is_fatal",
}
_OBSERVATIONS = {
    "entry": ("recorded", ("node", "resource", "agent")),
    "forget-entry": ("entryforgotten", ("node", "resource", "entry")),
    "forget": ("resourceforgotten", ("node", "resource")),
    "forget-all": ("historyforgotten", ("node", "attributes")),
    "set": ("attributeset", ("node", "name", "value")),
    "raise": ("attributeraised", ("node", "name")),
    "node": ("nodeobserved", ("node", "name", "attributes")),
}
_SHARED = ("cib", "digest", "term", "commit", "transition", "activations", "proposals", "boots")


def current_message(plain: Json) -> Json:
    """A message of the first format in the present form."""
    kind = str(plain.get("is")).lower()
    made = {
        (name if kind == "reject" and name == "reason" else _RENAMED.get(name, name)): plain[name] for name in plain
    }
    made["is"] = kind
    made.pop("v", None)
    if kind == "reject":
        made["findings"] = [current_finding(one) for one in _items(plain.get("findings"))]
    if "observations" in plain:
        made["observations"] = [_observation(one) for one in _items(plain["observations"])]
    if kind in ("run", "reported"):
        made["term"] = 0  # Orders had none.
    if kind == "run":
        made["orders"] = [_order(one) for one in _items(plain.get("orders"))]
    return made


def current_launched(plain: object) -> object:
    """An operation of the first format in the present form."""
    if type(plain) is not dict:
        return plain
    made = {_RENAMED.get(name, name): value for name, value in plain.items()}
    match plain.get("agent"):
        case [standard, provider, kind]:
            made["agent"] = {"standard": standard, "type": kind, "provider": provider}
    return made


def current_snapshot(plain: Json) -> Json:
    """A snapshot of the first format in the present form."""
    node, started, prepared = (plain.get(name) for name in ("node", "memory", "prepared"))
    shared = {name: plain[name] for name in _SHARED if name in plain}
    match shared.get("proposals"):
        case [*proposals] if all(type(one) is dict and type(one.get("commit")) is str for one in proposals):
            shared["proposals"] = {one["commit"]: one for one in proposals}
    match shared.get("cib"):
        case {**cib}:
            # They follow from the view, and were told anew at each start.
            shared["cib"] = {name: value for name, value in cib.items() if name not in ("dc_id", "have_quorum")}
    own = {"memory": {"started": _launched_by_name(started)}, "prepared": prepared}
    return {"node": node, "shared": shared, "own": own}


def current_finding(plain: object) -> object:
    """A finding of the first format in the present form."""
    if type(plain) is not dict:
        return plain
    place = {name: plain[name] for name in ("file", "line", "column") if name in plain}
    return {"place": place, **{name: value for name, value in plain.items() if name not in place}}


def _launched_by_name(plain: object) -> object:
    return {name: current_launched(one) for name, one in plain.items()} if type(plain) is dict else plain


def _order(plain: object) -> object:
    if type(plain) is not dict:
        return plain
    return {
        _RENAMED.get(name, name): current_launched(value) if name == "launched" else value
        for name, value in plain.items()
    }


def _observation(plain: object) -> object:
    match plain:
        case ["entry", node, resource, agent, id, attributes]:
            entry = {"id": id, "attributes": attributes}
            return {"is": "recorded", "node": node, "resource": resource, "agent": agent, "entry": entry}
        case [str(tag), *values] if tag in _OBSERVATIONS and len(values) == len(_OBSERVATIONS[tag][1]):
            kind, names = _OBSERVATIONS[tag]
            return {"is": kind, **dict(zip(names, values, strict=True))}
    return plain


def _items(plain: object) -> list[Any]:
    return plain if type(plain) is list else [plain]
