"""What the files themselves ask of findings, each time with a reason.

    # reconciler: ignore CODE because REASON
    # reconciler: accept CODE because REASON

on the line of the finding, or alone on the lines above it. `ignore` leaves a warning out. `accept` makes a warning of an error where only
this language is stricter than Pacemaker: what is decided with it is what Pacemaker decides. Other errors stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.errors import Finding, Place, Severity
from reconciler.frozen import frozen, replace

ACCEPTABLE = frozenset(
    {
        "banned-everywhere",
        "colocation-contradiction",
        "colocation-loop",
        "fencing-by-watchdog",
        "fencing-device-without-target",
        "fencing-host-map",
        "fencing-without-device",
        "missing-parameter",
        "node-without-fencing",
        "on-fail",
        "operation-twice",
        "order-action",
        "parameter-type",
        "parameter-value",
        "promotable-class",
        "score-range",
        "score-text",
        "setting-value",
        "timing-delay",
        "unique-clash",
        "unknown-meta",
        "unknown-node",
        "unknown-option",
        "unknown-parameter",
        "utilization-fits-nowhere",
    }
)
"""The errors that may be accepted: the configuration says with them what it says without, and Pacemaker takes it."""

_REQUEST = r"(?P<before>.*?)#\s*reconciler:\s*(?P<verb>ignore|accept)\s+(?P<code>[a-z-]+)(?P<reason>\s+because\s+\S.*)?"


@frozen
class _CommentRequest:
    """One request: what is asked for which code, whether there is a reason, whether it is alone on its line."""

    verb: str
    code: str
    reasoned: bool
    alone: bool
    column: int


_CommentRequests = Mapping[int, _CommentRequest]


def as_asked(findings: tuple[Finding, ...], files: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """The findings without the ignored warnings, accepted errors as warnings; a request without a reason says so itself."""
    if not any(b"reconciler:" in data for data in files.values()):
        return findings
    requests = {file: _requests(data) for file, data in files.items() if b"reconciler:" in data}
    kept = [one for finding in findings if (one := _judged(finding, requests.get(finding.place.file, {}))) is not None]
    for file in sorted(requests):
        kept += [_without_reason(file, line, one) for line, one in sorted(requests[file].items()) if not one.reasoned]
    return tuple(sorted(kept, key=lambda finding: (finding.place, finding.code, finding.text)))


def _without_reason(file: str, line: int, request: _CommentRequest) -> Finding:
    text = f"nothing is {request.verb.rstrip('e')}ed: the request to {request.verb} '{request.code}' gives no reason"
    hint = f"write: # reconciler: {request.verb} {request.code} because …"
    return Finding("ignore-without-reason", Place(file, line, request.column), text, hint, Severity.WARNING)


def _requests(data: bytes) -> _CommentRequests:
    """The requests by line."""
    found: dict[int, _CommentRequest] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        if (asked := re.match(_REQUEST, line)) is not None:
            alone = not asked["before"].strip()
            column = len(asked["before"]) + 1
            found[number] = _CommentRequest(asked["verb"], asked["code"], asked["reason"] is not None, alone, column)
    return found


def _judged(finding: Finding, requests: _CommentRequests) -> Finding | None:
    """The finding as the files ask for it; None when it is left out."""
    if finding.severity is Severity.WARNING:
        return None if _asks(requests, "ignore", finding) else finding
    if finding.code in ACCEPTABLE and _asks(requests, "accept", finding):
        return replace(finding, hint="accepted here, as Pacemaker does", severity=Severity.WARNING)
    return finding


def _asks(requests: _CommentRequests, verb: str, finding: Finding) -> bool:
    """Whether it is asked on the finding's line, or on those above it that hold requests alone."""
    line = finding.place.line
    near = [requests[line]] if line in requests else []
    while (line := line - 1) in requests and requests[line].alone:
        near.append(requests[line])
    return any(one.verb == verb and one.code == finding.code and one.reasoned for one in near)
