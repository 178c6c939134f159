"""Everything that is judged after the form: references, settings, constraints, fencing, agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.language.findings import Findings
from reconciler.language.reading import Draft

if TYPE_CHECKING:
    from reconciler.language import AgentLookup


def check(draft: Draft, findings: Findings, agents: AgentLookup | None) -> None:
    """Judge a draft; what is wrong becomes findings."""
