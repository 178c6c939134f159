"""What is told as a reason is a sentence about the cluster: no id of a result, no word of the machinery, no fragment."""

from __future__ import annotations

import re

import pytest
from oracle.clusters import NOW_S
from published_cases import catalogue, needs_cases, xml_of

from reconciler.analysis.causes import subject, words
from reconciler.analysis.explanation import explain
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


def _state(result: str) -> bytes:
    digest = 'transition-key="1:1:0:00000000-0000-0000-0000-000000000001" call-id="5"'
    return f"""<cib validate-with="pacemaker-3.9" admin_epoch="0" epoch="1" num_updates="0" have-quorum="1" dc-uuid="1"><configuration>
    <crm_config><cluster_property_set id="o"><nvpair id="o-s" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="n1"/></nodes><resources><primitive id="a" class="ocf" provider="heartbeat" type="Dummy"/></resources>
    <constraints/></configuration><status><node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member">
    <lrm id="1"><lrm_resources><lrm_resource id="a" class="ocf" provider="heartbeat" type="Dummy"><lrm_rsc_op id="a_last_0"
    operation_key="a_start_0" operation="start" interval="0" {digest} {result}/></lrm_resource></lrm_resources></lrm>
    </node_state></status></cib>""".encode()


def test_what_is_being_started_does_not_run_yet() -> None:
    pending = 'rc-code="-1" op-status="-1" transition-magic="-1:193;1:1:0:00000000-0000-0000-0000-000000000001"'
    [found] = explain(read_cib(_state(pending), "cib.xml"), Instant(NOW_S), "a")
    assert found.headline == "a is being started on n1"


def test_a_time_out_is_called_so() -> None:
    late = 'rc-code="1" op-status="2" transition-magic="2:1;1:1:0:00000000-0000-0000-0000-000000000001"'
    [found] = explain(read_cib(_state(late), "cib.xml"), Instant(NOW_S), "a")
    assert "its start timed out on n1" in [link.text for link in found.chain]
