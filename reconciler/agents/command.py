"""A program to be run, as a value."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.frozen import field, frozen


@frozen
class AgentCommand:
    """What to run: absolute argv, the whole environment, the deadline.

    `label` names the resource it is for, `operation` what is done with it; `standard_input` None means `/dev/null`. What goes `ahead`
    does not wait until operations of resources have ended, however many hang.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_ms: int = 20_000
    label: str = "call"
    standard_input: bytes | None = None
    operation: str = ""
    ahead: bool = False
