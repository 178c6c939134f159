"""Reasons are so: what a line of a plan cites is taken away, and the line has to be another one."""

from __future__ import annotations

import pytest
from counterfactuals import Rates, Trial, generated, published
from published_cases import catalogue, needs_cases

from reconciler.scheduler.cause import Why
from reconciler.scheduler.plan import Verb

EVERY, PARTS = 6, 6
EXPLAINED = {
    ("bug-cl-5247", "Stop prmDB2"): "a fail count without a failed operation, on a node by another name",
    ("colocation-vs-stickiness", "Move dummy2c"): "its group moves as one: each member's colocation is enough",
    ("group9", "Move rsc8"): "follows rsc7, whose failure is in no list of failures",
    ("remote-fence-unclean2", "Stop fake"): "the node is a remote one whose connection was never made",
}  # fmt: skip
"""Lines of the published cases that stay without what is named and of which no second reason is proven, and why."""


@needs_cases
@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_named_decides(part: int) -> None:
    """Without it the line is another one, or it has a second reason that is enough just as well."""
    names = [case["name"] for case in catalogue()[::EVERY]][part::PARTS]
    found = list(published(names=names))
    judged = [trial for trial in found if trial.holds is not None]
    assert len(judged) > len(found) * 0.95
    failing = [trial for trial in judged if not trial.holds and not trial.enough]
    assert [(one.case, _line(one), one.reason.text) for one in failing if (one.case, _line(one)) not in EXPLAINED] == []
    assert [trial for trial in found if not trial.reason.text] == []
    texts = [trial.reason.text for trial in found]
    assert [text for text in texts if "rc 0" in text or "no node is better" in text or text.endswith("_0")] == []


@pytest.mark.parametrize("first", [0, 10, 20])
def test_what_is_named_decides_in_clusters_of_our_own_making(first: int) -> None:
    """Without it the line is another one, or it has a second reason that is enough just as well."""
    rates = Rates(generated(range(first, first + 10)))
    assert rates.judged.total() > 30
    assert [(one.case, _line(one), one.reason.text) for one in rates.failing] == []


def _line(trial: Trial) -> str:
    return f"{trial.change.verb.value} {trial.change.subject}"


def test_what_stops_because_everything_is_to_stop_is_told_so() -> None:
    """With a location or a bundle beside it, too: "another node was better" was said of what goes to no node."""
    stops = [trial for trial in generated([27, 53, 59]) if trial.change.verb is Verb.STOP]
    told = {trial.reason.cause.why for trial in stops if trial.reason.cause is not None}
    assert Why.STOP_ALL in told
    assert [trial for trial in stops if trial.reason.cause is None] == []
