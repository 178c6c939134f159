"""Everything that is judged after the form: references, settings, rules, constraints, fencing, agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.language.checks.agents import check_agents
from reconciler.language.checks.bounds import check_bounds
from reconciler.language.checks.colocations import check_colocations
from reconciler.language.checks.facts import Facts
from reconciler.language.checks.fencing import check_fencing
from reconciler.language.checks.inert import check_inert
from reconciler.language.checks.moved import check_moved
from reconciler.language.checks.names import check_kinds, check_names
from reconciler.language.checks.operations import check_operations
from reconciler.language.checks.orders import check_orders
from reconciler.language.checks.placement import check_placement
from reconciler.language.checks.redundancy import check_redundant
from reconciler.language.checks.rules import check_rules
from reconciler.language.checks.settings import check_settings
from reconciler.language.checks.sizes import check_sizes
from reconciler.language.reading.files import Draft
from reconciler.language.text.findings import Findings

if TYPE_CHECKING:
    from reconciler.model.metadata import AgentLookup


def check(draft: Draft, findings: Findings, agents: AgentLookup | None) -> None:
    """Judge a draft; what is wrong becomes findings.

    What depends on the whole (placement, loops) is judged only when every part could be read: half a configuration looks wrong
    in ways that the whole one is not.
    """
    facts = Facts(draft, findings)
    check_bounds(facts)
    check_names(facts)
    check_kinds(facts)
    check_settings(facts)
    check_sizes(facts)
    check_operations(facts)
    check_rules(facts)
    check_fencing(facts)
    check_agents(facts, agents)
    check_inert(facts)
    check_moved(facts)
    if draft.complete and not draft.broken and facts.pairs_judged:
        check_colocations(facts)
        check_orders(facts)
        check_placement(facts)
        check_redundant(facts)
