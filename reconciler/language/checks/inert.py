"""What is accepted, kept and exported, and nothing here acts upon yet: nobody shall rely on it."""

from __future__ import annotations

from reconciler.language.checks.facts import Facts
from reconciler.language.checks.names import constraint_address
from reconciler.model.constraint import Ticket


def check_inert(facts: Facts) -> None:
    """Warn of alerts, access rules and tickets."""
    configuration = facts.configuration
    if configuration.alerts:
        text = "alerts are kept, but this version calls no alert agent"
        facts.warning("not-acted-upon", facts.index.key(("alerts",)), text, "follow the events of the API")
    if configuration.acl_roles or configuration.acl_targets:
        text = "access rules are kept, but this version grants access by `readers` and `writers` in node.yaml alone"
        facts.warning("not-acted-upon", facts.index.key(("acls",)), text)
    for constraint in configuration.constraints:
        if isinstance(constraint, Ticket):
            text = (
                f"{constraint.id}: this version can grant no ticket: what depends on '{constraint.ticket}' never starts"
            )
            facts.warning("not-acted-upon", facts.index.key(constraint_address(constraint)), text)
