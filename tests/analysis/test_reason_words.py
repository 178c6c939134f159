"""What is told as a reason is a sentence about the cluster: no id of a result, no word of the machinery, no fragment."""

from __future__ import annotations

import re

import pytest
from oracle.clusters import NOW_S
from published_cases import catalogue, needs_cases, xml_of

from reconciler.analysis.causes import subject, words
from reconciler.analysis.placement_reasons import awaited
from reconciler.analysis.reasons import reason_of
from reconciler.interop.reading.cib import read_cib
from reconciler.model.date import Instant
from reconciler.scheduler import schedule
from reconciler.scheduler.cause import Cause, Why

WORDS = [
    (Cause(Why.FAILURE, "a_last_failure_0", "n1"), "a failed on n1"),
    (Cause(Why.FAILURE, "a_start_0", "n1"), "the start of a failed on n1"),
    (Cause(Why.FAILURE, "a_monitor_10000", "n1, rc 7"), "the monitor of a failed on n1 with 7 (not running)"),
    (Cause(Why.MULTIPLE_ACTIVE, "a"), "it is active on more than one node"),
    (Cause(Why.REMOTE, "r1"), "it is reached through r1"),
    (Cause(Why.FENCING, "n1", "unfencing"), "n1 is unfenced first"),
    (Cause(Why.FENCING, "n1", "it is lost"), "n1 has to be fenced: it is lost"),
]
SUBJECTS = [
    (Cause(Why.LOCATION, "l1"), "location constraint l1"),
    (Cause(Why.LOCATION, "cli-ban-a-on-n1"), "location constraint cli-ban-a-on-n1, left over from a command,"),
    (Cause(Why.CLONE_LIMIT, "c", "clone-node-max"), "that the limit clone-node-max of c is reached"),
    (Cause(Why.REMOTE, "r1"), "that it is reached through r1"),
]
MACHINERY = re.compile(
    r"unrunnable|required |_last_|_failure_|_[0-9]+ failed|multiple-active|for (start|promoted|running) of|\Aorder \S+\Z"
)


@pytest.mark.parametrize(("cause", "said"), WORDS)
def test_a_cause_is_a_sentence(cause: Cause, said: str) -> None:
    assert words(cause) == said


@pytest.mark.parametrize(("cause", "said"), SUBJECTS)
def test_a_cause_can_be_what_does_something(cause: Cause, said: str) -> None:
    assert subject(cause) == said


def test_a_task_of_a_clone_is_called_as_that_of_a_primitive() -> None:
    assert {awaited(task, "c") for task in ("start", "running")} == {"the start of c"}
    assert awaited("promoted", "c") == "the promotion of c"


@needs_cases
def test_no_line_of_a_published_case_is_told_in_words_of_the_machinery() -> None:
    found = []
    for case in catalogue()[::5]:
        plan = schedule(read_cib(xml_of(case["name"]).read_bytes(), "cib.xml"), Instant(NOW_S), decisions=True)
        texts = [reason_of(change, plan).text for change in plan.changes]
        found += [(case["name"], text) for text in texts if MACHINERY.search(text)]
    assert found == []
