"""Warnings that the files themselves ask to leave out, each with a reason.

    # reconciler: ignore CODE because REASON

on the line of a warning, or alone on the line above it. Errors can't be ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.errors import Finding, Place, Severity

_REQUEST = re.compile(r"#\s*reconciler:\s*ignore\s+(?P<code>[a-z-]+)(?P<reason>\s+because\s+\S.*)?")


def without_ignored(findings: tuple[Finding, ...], files: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """The findings without the ignored warnings; a request without a reason is ignored itself, and says so."""
    if not any(b"reconciler:" in data for data in files.values()):
        return findings
    requests = {file: _requests(data) for file, data in files.items() if b"reconciler:" in data}
    kept = [finding for finding in findings if not _asked(finding, requests.get(finding.place.file, {}))]
    for file in sorted(requests):
        for line, (code, reason, column) in sorted(requests[file].items()):
            if not reason:
                text = f"nothing is ignored: the request to ignore '{code}' gives no reason"
                hint = f"write: # reconciler: ignore {code} because …"
                kept.append(Finding("ignore-without-reason", Place(file, line, column), text, hint, Severity.WARNING))
    return tuple(sorted(kept, key=lambda finding: (finding.place, finding.code, finding.text)))


def _requests(data: bytes) -> dict[int, tuple[str, bool, int]]:
    """By line: the code, whether there is a reason, and the column."""
    found: dict[int, tuple[str, bool, int]] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        if (request := _REQUEST.search(line)) is not None:
            found[number] = (request["code"], request["reason"] is not None, request.start() + 1)
    return found


def _asked(finding: Finding, requests: Mapping[int, tuple[str, bool, int]]) -> bool:
    if finding.severity is not Severity.WARNING:
        return False
    return any(
        line in requests and requests[line][0] == finding.code and requests[line][1]
        for line in (finding.place.line, finding.place.line - 1)
    )
