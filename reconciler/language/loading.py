"""The whole of loading: read, check, and decide whether there is a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.errors import Finding, Severity
from reconciler.frozen import replace
from reconciler.language.checks.all import check
from reconciler.language.reading.files import read_files
from reconciler.language.reading.ignores import as_asked
from reconciler.language.text.findings import Findings
from reconciler.model.cluster import Configuration

if TYPE_CHECKING:
    from reconciler.model.metadata import AgentLookup


def load_files(
    files: Mapping[str, bytes], *, strict: bool, agents: AgentLookup | None, twice: bool = False
) -> tuple[Configuration | None, tuple[Finding, ...]]:
    """The configuration, or None when a finding is an error; and the findings."""
    findings = Findings()
    draft = read_files(files, findings, twice=twice)
    check(draft, findings, agents)
    found = as_asked(findings.sorted(), files)
    if strict:
        found = tuple(replace(finding, severity=Severity.ERROR) for finding in found)
    failed = any(finding.severity is Severity.ERROR for finding in found)
    return (None if failed else draft.configuration), found
