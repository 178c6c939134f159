"""The node's status as people read it: one screen, the alarming things first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from reconciler.cli.terminal.paint import Paint
from reconciler.errors import Place
from reconciler.model.score import INFINITY
from reconciler.printable import printable

Json = dict[str, Any]

_ROLE_STYLES = {"Started": "green", "Promoted": "green", "Unpromoted": "green", "Stopped": "dim"}


def lines(status: Json, paint: Paint, *, verbose: bool = False) -> Iterator[str]:
    """The lines of the whole view, without newlines."""
    yield from _head(status, paint)
    yield from _alarms(status, paint, verbose)
    yield ""
    yield paint("bold", "Nodes")
    for node in status["nodes"]:
        style = "green" if node["state"] == "online" else "alarm" if node["state"] == "unclean" else "yellow"
        dc = "  (DC)" if node.get("dc") else ""
        yield f"  {node['name']}: {paint(style, node['state'])}{dc}"
    yield ""
    yield paint("bold", "Resources")
    if not status["resources"]:
        yield "  none"
    width = max((_widest(resource, 0) for resource in status["resources"]), default=0)
    unclean = _unclean(status)
    for resource in status["resources"]:
        yield from _resource(resource, paint, 1, width, verbose, unclean)
    yield from _sources(status, paint)


def _head(status: Json, paint: Paint) -> Iterator[str]:
    cluster = printable(status["cluster"] or "(without a name)")
    services = _services(status["counts"], _uncertain(status["resources"], _unclean(status)), paint)
    yield f"{paint('bold', 'Cluster ' + cluster)}   node {status['node']}   {_standing(status, paint)}{services}"
    if _stands(status) != "yes":
        yield paint("yellow", "This node does not take part at the moment: what follows is what it knew last.")
    active = status["active"]
    if active is None:
        yield "No configuration is active yet."
    else:
        version = f"version {status['cib']['version']}, from {active['source']}"
        yield printable(f"Configuration {active['commit'][:12]} ({active['subject']}), {version}")
        if not active["confirmed"]:
            known = ", ".join(active["durable_on"]) or "none"
            yield paint("yellow", f"It is not confirmed: of the nodes that have told, it is on the disk of {known}")
    watchdog = status.get("watchdog")
    if watchdog is not None:
        told = f"Watchdog {printable(watchdog['path'])} guards this node: {watchdog['timeout_s']} s"
        yield told if watchdog["fed"] else paint("alarm", f"{told}, NOT FED")
    yield from _watchdogs(status.get("watchdogs", {}), paint)
    transition = status.get("transition")
    if transition is not None:
        yield f"Transition {transition['number']}: {transition['done']} of {transition['actions']} actions done"
        for action in transition["running"]:
            what = " ".join(filter(None, (action["operation"], action["resource"])))
            yield f"  {what} on {action['node']} since {_ago(action['since_at'])}"


def _watchdogs(known: Json, paint: Paint) -> Iterator[str]:
    """Who counts as fenced by its own watchdog, and who would not."""
    counted = [f"{name} (within {one['resets_within_s']:g} s)" for name, one in known.items() if not one["uncounted"]]
    if counted:
        yield printable(f"Fenced by their own watchdogs, if they are lost: {', '.join(counted)}")
    for name, one in known.items():
        if one["uncounted"]:
            told = printable(f"{name} would not count as fenced by its watchdog: {one['uncounted']}")
            yield paint("yellow", told)


def _standing(status: Json, paint: Paint) -> str:
    """Whether there is a quorum, and what is being done: only who takes part knows."""
    busy = paint("yellow", status["phase"])
    if _stands(status) == "yes":
        quorum = "quorate" if status["quorate"] else paint("alarm", "NO QUORUM")
        return f"{quorum}   {'at rest' if status['converged'] else busy}"
    stands = {"joining": paint("yellow", "joining"), "away": paint("alarm", "KEPT AWAY")}
    standing = stands.get(_stands(status)) or paint("alarm", "CUT OFF")
    return f"{standing}   {busy}" if status["phase"] in ("recovering", "stopping") else standing


def _stands(status: Json) -> str:
    """Whether the node takes part; one of an earlier version does not tell."""
    return str(status.get("takes_part", "yes"))


def _unclean(status: Json) -> frozenset[str]:
    return frozenset(node["name"] for node in status["nodes"] if node["state"] == "unclean")


def _uncertain(resources: list[Json], unclean: frozenset[str]) -> int:
    """How many of these are believed to run on unclean nodes alone."""
    found = 0
    for resource in resources:
        nodes = frozenset(resource["nodes"])
        found += _uncertain(resource["children"], unclean) if resource["children"] else bool(nodes) and nodes <= unclean
    return found


def _services(counts: Json, uncertain: int, paint: Paint) -> str:
    """How many of the services that are to run do not, as far as is known."""
    wanted, down = counts.get("wanted", 0), counts.get("down", 0)
    if not wanted:
        return ""
    if down:
        return "   " + paint("alarm", f"{down} of {wanted} service{'s' if wanted != 1 else ''} down")
    if uncertain:
        return "   " + paint("alarm", f"{uncertain} of {wanted} services not known to run")
    return f"   all {wanted} services run" if wanted != 1 else "   the service runs"


def _alarms(status: Json, paint: Paint, verbose: bool) -> Iterator[str]:
    """The present trouble, then what was refused, then what differs or is over."""
    failures = status["failed_actions"]
    yield from _failures([failed for failed in failures if not failed.get("recovered")], "red", "! ", paint, verbose)
    told = {failed["resource"] for failed in failures} | set(_starting(status["resources"]))
    for problem in status["problems"]:
        if problem["resource"] not in told:
            subject = f"{problem['resource']}: " if problem["resource"] else ""
            yield paint("alarm", f"! {printable(subject + problem['text'])}")
    yield from (paint("yellow", f"! {printable(warning)}") for warning in status["warnings"])
    for source in status["sources"]:
        if source.get("rejected") is not None:
            yield from _rejected(source["rejected"], source["name"], paint)
    other = status["rejected"]
    if other is not None and all(other["source"] != source["name"] for source in status["sources"]):
        yield from _rejected(other, other["source"], paint)
    yield from (paint("yellow", f"! {printable(drift['text'])}") for drift in status["drift"])
    recovered = [failed for failed in failures if failed.get("recovered")]
    yield from _failures(recovered, "dim", "recovered: ", paint, verbose)


def _starting(resources: list[Json]) -> Iterator[str]:
    """What is being started: what was wrong with it before is being tried again."""
    for resource in resources:
        if resource.get("state") == "Starting":
            yield resource["id"]
        yield from _starting(resource["children"])


def _failures(failures: list[Json], style: str, mark: str, paint: Paint, verbose: bool) -> Iterator[str]:
    for failed in failures:
        yield paint(style, f"{mark}{printable(failed['text'])} ({_ago(failed['at'])})")
        if verbose:
            yield from (f"    {printable(line)}" for line in failed.get("output", "").splitlines())


def _rejected(rejected: Json, source: str, paint: Paint) -> Iterator[str]:
    """A commit that was refused, with its errors, and apart from them its warnings."""
    held = any(finding["code"] == "needs-consent" for finding in rejected["findings"])
    how = "waits" if held else "was rejected"
    yield paint("alarm", f"! {rejected['commit'][:12]} from {source} {how}: {printable(rejected['reason'])}")
    for finding in sorted(rejected["findings"], key=lambda finding: finding["severity"] == "warning"):
        place = Place(finding["file"], finding["line"], finding["column"])
        where = f"{place}: " if place.file else ""
        text = printable(f"  {where}{finding['severity']}: {finding['text']} [{finding['code']}]")
        yield text if finding["severity"] != "warning" else paint("dim", text)
        if finding.get("hint"):
            yield printable(f"    {finding['hint']}")


def _widest(resource: Json, depth: int) -> int:
    return max([2 * depth + len(resource["id"]), *(_widest(child, depth + 1) for child in resource["children"])])


def _resource(
    resource: Json, paint: Paint, depth: int, width: int, verbose: bool, unclean: frozenset[str]
) -> Iterator[str]:
    role = "FAILED" if resource["failed"] else str(resource.get("state") or resource["role"])
    style = "alarm" if resource["failed"] else _ROLE_STYLES.get(role, "yellow")
    departing = resource.get("departing", False)
    flags = ["removed"] if departing else []
    flags += ["its node is unclean"] if unclean.intersection(resource["nodes"]) else []
    flags += [name for name in ("blocked", "orphan", "maintenance") if resource[name]]
    flags += ["disabled"] if resource["disabled"] and not departing else []
    flags += [] if resource["managed"] else ["unmanaged"]
    flags += [f"{resource['pending']} pending"] if resource["pending"] and role in ("FAILED", resource["role"]) else []
    flags += [_failed(resource["fail_count"])] if resource["fail_count"] else []
    shown = f" ({', '.join(flags)})" if flags else ""
    since = f"  since {_ago(resource['since_at'])}" if resource["since_at"] and resource["role"] != "Stopped" else ""
    kind = resource["agent"] or resource["kind"]
    name = "  " * depth + resource["id"]
    at = f" {' '.join(resource['nodes'])}" if resource["nodes"] else ""
    yield f"{name:{width + 4}}{paint(style, role)}{at}{shown}{since}  {paint('dim', kind)}"
    last = resource["last"]
    if verbose and last is not None:
        yield f"{'  ' * depth}    last {last['operation']}: {last['outcome']}, {last['execution_ms']} ms, {_ago(last['at'])}"
        for line in filter(None, [last["exit_reason"], *last["output"].splitlines()]):
            yield f"{'  ' * depth}      {printable(line)}"
    for child in resource["children"]:
        yield from _resource(child, paint, depth + 1, width, verbose, unclean)


def _failed(count: int) -> str:
    """How often it failed; a start that failed counts as often as can be."""
    return "failed for good" if count >= INFINITY else f"failed {count}x"


def _sources(status: Json, paint: Paint) -> Iterator[str]:
    if not status["sources"]:
        return
    yield ""
    yield paint("bold", "Sources")
    for source in status["sources"]:
        style = {"ok": "green", "failed": "alarm"}.get(source["state"], "yellow")
        checked = f", checked {_ago(source['checked_at'])}" if source["checked_at"] else ""
        commit = f" {source['commit'][:12]}" if source["commit"] else ""
        error = f": {printable(source['error'])}" if source["error"] else ""
        yield f"  {source['name']} ({source['kind']}): {paint(style, source['state'])}{commit}{checked}{error}"
        if source["state"] == "ok":
            for finding in source["findings"]:
                yield paint("yellow", f"    ! {printable(finding['text'])} [{finding['code']}]")
                if finding.get("hint"):
                    yield f"      {printable(finding['hint'])}"


def _ago(at: float) -> str:
    age = max(0, int(time.time() - at))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if age >= size:
            return f"{age // size} {unit} ago"
    return f"{age} s ago"
