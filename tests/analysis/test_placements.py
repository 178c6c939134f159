"""What is said of where a resource is, and is not, is so: without what is named it is otherwise; see placements.py."""

from __future__ import annotations

from placements import generated, published, rates
from published_cases import needs_cases

EXPLAINED = {
    (
        "promoted-probed-score",
        "AdminDrbd:0",
    ): "its promotion score is an attribute of the node, which is not taken away",
}


@needs_cases
def test_what_is_said_of_places_is_so() -> None:
    table, failing = rates(published(40))
    assert [one for one in failing if (one.case, one.resource) not in EXPLAINED] == []
    for kind in ("chosen", "kept away", "lacks"):
        assert table[kind, ""]["hold"] > 5, table
    assert table["kept away", ""]["judged"] > 0.9 * table["kept away", ""]["said"]


def test_what_is_said_of_places_in_clusters_of_our_own_making_is_so() -> None:
    _, failing = rates(generated(range(6)))
    assert [(one.case, one.kind, one.resource, one.node, one.text) for one in failing] == []
