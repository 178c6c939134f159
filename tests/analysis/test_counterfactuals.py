"""Reasons are so: what a line of a plan cites is taken away, and the line has to be another one."""

from __future__ import annotations

import pytest
from counterfactuals import Rates, Trial, generated, published
from published_cases import catalogue, needs_cases

EVERY, PARTS = 6, 6
EXPLAINED = {
    ("bug-cl-5247", "Fence pgsr02"): "a guest whose node was cleaned: what is left of its failure is no failed operation",
    ("bug-cl-5247", "Recover vip-master"): "follows the fencing of pgsr02",
    ("bug-cl-5247", "Recover vip-rep"): "follows the fencing of pgsr02",
    ("bug-cl-5247", "Stop prmDB2"): "a fail count without a failed operation, on a node by another name",
    ("bug-lf-2171", "Stop res_Dummy1:0"): "the target-role of the clone and of its primitive are two",
    ("bug-lf-2171", "Stop res_Dummy1:1"): "the target-role of the clone and of its primitive are two",
    ("colo_unpromoted_w_native", "Demote MS_RSC_NATIVE:0"): "a colocation weighs in the choice, beside the promotion score",
    ("colocation-vs-stickiness", "Move dummy2c"): "its group moves as one: each member's colocation is enough",
    ("failed-demote-recovery", "Recover DB2_HADR:1"): "without the failed demotion it is not known at all",
    ("group9", "Move rsc8"): "follows rsc7",
    ("group9", "Recover rsc7"): "its history is of another name",
    ("migrate-partial-3", "Recover test-vm"): "an interrupted migration, which is no failed operation",
    ("promoted-partially-demoted-group", "Demote vip-164-fw:0"): "a colocation weighs in the choice, beside the promotion score",
    ("promoted-partially-demoted-group", "Move cdev-pool-0-iscsi-lun-1"): "follows cdev-pool-0-iscsi-target",
    ("promoted-partially-demoted-group", "Move cdev-pool-0-iscsi-target"): "three colocations are enough, one by one",
    ("stonith-4", "Start Fencing"): "more nodes than one are not known",
    ("994", "Recover postfix_9"): "two monitors failed",
}  # fmt: skip
"""Lines of the published cases that stay without what is named and of which no second reason is proven, and why (of 1,957; 99.1 % are)."""


@needs_cases
@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_named_decides(part: int) -> None:
    """Without it the line is another one, or it has a second reason that is enough just as well."""
    names = [case["name"] for case in catalogue()[::EVERY]][part::PARTS]
    found = list(published(names=names))
    judged = [trial for trial in found if trial.holds is not None]
    assert len(judged) > len(found) * 0.8
    failing = [trial for trial in judged if not trial.holds and not trial.enough]
    assert [(one.case, _line(one), one.reason.text) for one in failing if (one.case, _line(one)) not in EXPLAINED] == []
    assert [trial for trial in found if not trial.reason.text] == []
    texts = [trial.reason.text for trial in found]
    assert [text for text in texts if "rc 0" in text or "no node is better" in text or text.endswith("_0")] == []


@needs_cases
def test_what_is_named_decides_in_clusters_of_our_own_making() -> None:
    """Of seeds 0 to 199 99.15 % of 1,173 lines are others without what is named, 99.49 % with those that have a second reason."""
    rates = Rates(generated(range(30)))
    assert rates.judged.total() > 100
    assert [(one.case, _line(one), one.reason.text) for one in rates.failing] == []


def _line(trial: Trial) -> str:
    return f"{trial.change.verb.value} {trial.change.subject}"
