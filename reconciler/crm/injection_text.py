"""What was injected, as `crm_simulate` tells it.

Source: observation of `crm_simulate`.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.analysis.injection import EventKind, Injected
from reconciler.crm.execution_text import add_counted
from reconciler.crm.outline import Outline

_EVENTS = {
    EventKind.QUORUM: "Setting quorum: {}",
    EventKind.WATCHDOG: "Setting watchdog: {}",
    EventKind.NODE_UP: "Bringing node {} online",
    EventKind.NODE_DOWN: "Taking node {} offline",
    EventKind.NODE_FAILED: "Failing node {}",
    EventKind.TICKET_GRANTED: "Granting ticket {}",
    EventKind.TICKET_REVOKED: "Revoking ticket {}",
    EventKind.TICKET_STANDBY: "Making ticket {} standby",
    EventKind.TICKET_ACTIVATED: "Activating ticket {}",
    EventKind.RESULT: "Injecting {} into the configuration",
}


def add_injected(outline: Outline, events: Iterable[Injected]) -> None:
    """Add the events that were injected."""
    outline.begin("Performing Requested Modifications")
    for event in events:
        outline.item(_EVENTS[event.kind].format(event.subject))
        add_counted(outline, event.counted)
    outline.end()
