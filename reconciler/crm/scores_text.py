"""Scores and utilization as `crm_simulate -s` and `-U` list them.

Source: the scheduler's specification, part 2, section 27.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.model.score import show
from reconciler.scheduler.inside import PROMOTION, amounts
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.table_order import hash_order

SCORES = "Allocation Scores"
UTILIZATION = "Utilization Information"


def listing_lines(cluster: Cluster, *, scores: bool, utilization: bool) -> Iterator[str]:
    """The lines that were asked for, in the order in which they came about."""
    if utilization:
        for node in cluster.nodes:
            yield f"Original: {node.name} capacity:{_pairs(node.utilization, amounts(node.utilization))}"
    yield from _decided(cluster, scores=scores, utilization=utilization)
    if utilization:
        for node in cluster.nodes:
            yield f"Remaining: {node.name} capacity:{_pairs(node.utilization, node.capacity)}"


def _decided(cluster: Cluster, *, scores: bool, utilization: bool) -> Iterator[str]:
    """Score lines with the assignments between them, each before the score that was listed next."""
    start = 0
    if utilization:
        for end, resource, node in cluster.assignment_log:
            if scores:
                yield from _score_lines(cluster.score_lines[start:end])
            start = end
            own = _pairs(resource.configured.utilization, amounts(resource.configured.utilization))
            yield f"pcmk__finalize_assignment: {resource.id} utilization on {node.name}:{own}"
    if scores:
        yield from _score_lines(cluster.score_lines[start:])


def _score_lines(lines: Iterable[tuple[str, str, str, int]]) -> Iterator[str]:
    for label, resource, node, score in lines:
        if label == PROMOTION:
            yield f"{resource} promotion score on {node}: {show(score)}"
        else:
            yield f"{label}: {resource} allocation score on {node}: {show(score)}"


def _pairs(names: Iterable[str], values: Mapping[str, object]) -> str:
    """The values in the order of a hash table into which the names were put."""
    known = dict.fromkeys(names) | dict.fromkeys(values)
    return "".join(f" {name}={values[name]}" for name in hash_order(known) if name in values)
