"""Files that accept what is wrong with them only by this language's own, stricter rules: what a Pacemaker CIB may hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.errors import Finding, Severity
from reconciler.language.reading.ignores import ACCEPTABLE

REASON = "Pacemaker takes it, and it was imported"


def accepting(files: Mapping[str, str], findings: Iterable[Finding], *, reason: str = REASON) -> dict[str, str]:
    """The files with a request above each line that has an acceptable error among the findings, whose places name these files."""
    asked: dict[str, dict[int, set[str]]] = {}
    for finding in findings:
        if finding.severity is Severity.ERROR and finding.code in ACCEPTABLE and finding.place.file in files:
            asked.setdefault(finding.place.file, {}).setdefault(finding.place.line, set()).add(finding.code)
    return {file: _with_requests(text, asked.get(file, {}), reason) for file, text in files.items()}


def _with_requests(text: str, asked: Mapping[int, set[str]], reason: str) -> str:
    lines: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        indent = line[: len(line) - len(line.lstrip())]
        lines += [f"{indent}# reconciler: accept {code} because {reason}" for code in sorted(asked.get(number, ()))]
        lines.append(line)
    return "\n".join(lines)
