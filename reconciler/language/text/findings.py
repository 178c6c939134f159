"""The findings of one run, collected: every fault at its place."""

from __future__ import annotations

from reconciler.errors import Finding, Place, Severity
from reconciler.language.text import limits

Position = tuple[int, int]
"""Line and column, counted from 1; 0 means unknown."""


class Findings:
    """Collects findings; the same fault at the same place is kept once, and beyond `limits.FINDINGS` faults are only counted."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str, str], Finding] = {}
        self._dropped = 0
        self.errors = 0
        """How many errors there are, those that are only counted included."""

    def error(self, code: str, file: str, position: Position, text: str, hint: str = "") -> None:
        """Add a fault that refuses the input."""
        self.add(Finding(code, Place(file, *position), text, hint))

    def add(self, finding: Finding) -> None:
        """Add a finding made elsewhere."""
        self.errors += finding.severity is Severity.ERROR
        if len(self._found) >= limits.FINDINGS and finding.severity is not Severity.ERROR:
            self._dropped += 1
            return
        if len(self._found) >= 2 * limits.FINDINGS:
            self._dropped += 1
            return
        self._found.setdefault((finding.place, finding.code, finding.text), finding)

    @property
    def failed(self) -> bool:
        """Whether any finding is an error."""
        return self.errors > 0

    def sorted(self) -> tuple[Finding, ...]:
        """All findings by place, then code and text; a last one says how many more there were."""
        found = sorted(self._found.values(), key=lambda finding: (finding.place, finding.code, finding.text))
        if self._dropped:
            severity = Severity.ERROR if self.errors else Severity.WARNING
            text = f"{self._dropped:,} more findings are not shown"
            found.append(Finding("too-many-findings", found[-1].place, text, "mend these first", severity))
        return tuple(found)
