"""Findings for machines: JSON, annotations of GitHub's workflow commands, and SARIF 2.1.0.

Source: GitHub Docs, "Workflow commands"; OASIS, Static Analysis Results Interchange Format 2.1.0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reconciler.errors import Finding, Severity
from reconciler.printable import printable
from reconciler.version import __version__

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_json(findings: Sequence[Finding]) -> str:
    """One object with all findings."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    document = {
        "format_version": "1.0",
        "valid": not errors,
        "errors": errors,
        "warnings": len(findings) - errors,
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity.value,
                "file": finding.place.file,
                "line": finding.place.line,
                "column": finding.place.column,
                "text": finding.text,
                "hint": finding.hint,
            }
            for finding in findings
        ],
    }
    return json.dumps(document, sort_keys=True, indent=2)


def as_github(findings: Sequence[Finding]) -> str:
    """One workflow command for each finding, which shows it at its line."""
    return "\n".join(
        f"::{finding.severity.value} file={_property(finding.place.file)},line={finding.place.line or 1},"
        f"col={finding.place.column or 1},title={_property(finding.code)}::{_message(finding)}"
        for finding in findings
    )


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _message(finding: Finding) -> str:
    return _escaped(finding.text + (f" ({finding.hint})" if finding.hint else ""))


def _escaped(text: str) -> str:
    return printable(text).replace("%", "%25")


def as_sarif(findings: Sequence[Finding]) -> str:
    """One run with a rule for each code."""
    codes = sorted({finding.code for finding in findings})
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "reconciler", "version": __version__, "rules": [{"id": code} for code in codes]}},
        "results": [_result(finding) for finding in findings],
        "columnKind": "unicodeCodePoints",
    }
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, sort_keys=True, indent=2)


def _result(finding: Finding) -> dict[str, Any]:
    region = {"startLine": max(finding.place.line, 1), "startColumn": max(finding.place.column, 1)}
    location = {"physicalLocation": {"artifactLocation": {"uri": finding.place.file}, "region": region}}
    text = finding.text + (f" ({finding.hint})" if finding.hint else "")
    return {
        "ruleId": finding.code,
        "level": finding.severity.value,
        "message": {"text": printable(text)},
        "locations": [location],
    }


FORMS: Mapping[str, Callable[[Sequence[Finding]], str]] = {"json": as_json, "github": as_github, "sarif": as_sarif}
