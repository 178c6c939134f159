"""What status says at the moment of trouble, as JSON and as people read it."""

from __future__ import annotations

import io
import re

import pytest

from reconciler.cib import Cib, Version
from reconciler.cli.node.status_text import lines
from reconciler.cli.terminal.paint import Paint
from reconciler.controller.job import LastResult
from reconciler.daemon.resource_status import ResourceStatus
from reconciler.language import load
from reconciler.model.date import Instant
from reconciler.model.operation import AgentResult, OperationStatus, ResultCode
from reconciler.model.outcome import outcome_word
from reconciler.scheduler import look

from .conftest import Node, Operator


def shown(node: Node) -> list[str]:
    """The lines of `reconciler status`, without colours."""
    return list(lines(node.status(), Paint(io.StringIO(), "never")))


def test_what_starts_is_starting_and_down_until_it_runs(node: Node) -> None:
    node.write(node.configuration({"a": "1", "b": "1"}, delay="1.5"))
    node.wait(lambda: any("Starting" in line for line in shown(node)), "it says so")
    counts = node.status()["counts"]
    assert (counts["wanted"], counts["down"]) == (2, 2)
    assert shown(node)[0].endswith("2 of 2 services down")
    node.at_rest_with({"a": "1", "b": "1"})
    assert shown(node)[0].endswith("all 2 services run")
    assert node.status()["counts"]["down"] == 0


def test_what_is_not_to_run_is_not_down(node: Node) -> None:
    stopped = "  c: {agent: 'ocf:test:File', params: {log: /dev/null}, meta: {target-role: Stopped}}"
    node.write(node.configuration({"a": "1"}, more=stopped))
    node.at_rest_with({"a": "1"})
    counts = node.status()["counts"]
    assert (counts["resources"], counts["wanted"], counts["down"]) == (2, 1, 0)
    assert shown(node)[0].endswith("the service runs")


def test_a_failure_is_told_in_words_and_present_trouble_comes_before_what_is_over(node: Node) -> None:
    node.write(node.configuration({"a": "1", "b": "1"}, interval="200ms"))
    node.at_rest_with({"a": "1", "b": "1"})
    (node.path / "agents.log.a.state").unlink()
    node.wait(lambda: node.states() == {"a": "1", "b": "1"} and len(node.status()["failed_actions"]) == 1, "a recovers")
    node.wait(lambda: bool(node.status()["converged"]), "rest")
    (failed,) = node.status()["failed_actions"]
    assert (failed["recovered"], failed["outcome"]) == (True, "not running")
    assert any(line.startswith("recovered: a monitor on n1: not running") for line in shown(node))
    assert node.status()["counts"]["down"] == 0
    (node.path / "agents.log.fail-start").touch()
    (node.path / "agents.log.b.state").unlink()
    node.wait(lambda: node.status()["counts"]["down"] == 1 and bool(node.status()["converged"]), "b does not")
    told = shown(node)
    assert told[0].endswith("1 of 2 services down")
    present = next(number for number, line in enumerate(told) if line.startswith("! b start on n1: error"))
    over = next(number for number, line in enumerate(told) if line.startswith("recovered: a"))
    assert present < over
    assert any(problem["text"].startswith("start on n1: error") for problem in node.status()["problems"])
    (node.path / "agents.log.fail-start").unlink()


def test_an_adoption_is_no_failure(node: Node) -> None:
    (node.path / "agents.log.a.state").write_text("1\n")
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    assert [line for line in node.log() if "start" in line] == []
    assert node.status()["failed_actions"] == []
    assert "action_failed" not in node.daemon_log()
    node.kill()
    node.start()
    node.at_rest_with({"a": "1"})
    assert node.status()["failed_actions"] == []


def test_a_rejection_belongs_to_its_source_and_goes_when_its_newest_commit_is_good(
    stopped_node: Node, operator: Operator
) -> None:
    node = stopped_node
    node.sources = (
        f"  site: {{git: 'file://{operator.remote}', poll: 60s, local: true, history: rewrite}}\n"
        "  here: {directory: source, debounce: 50ms, rescan: 60s}"
    )
    operator.push(node.configuration({"a": "1"}))
    node.start()
    node.at_rest_with({"a": "1"})
    warned = "defaults: {resources: {no-such-option: 1}}\nnonsense: {x: 1}\n"
    bad = operator.push(node.configuration({"a": "2"}) + warned)
    node.client.post("/v1/sources/fetch", {"source": "site"})

    def of_site() -> dict[str, object] | None:
        (site,) = [source for source in node.status()["sources"] if source["name"] == "site"]
        return site["rejected"]

    node.wait(lambda: (of_site() or {}).get("commit") == bad, "it is rejected")
    node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration({"a": "3"})}})
    node.at_rest_with({"a": "3"})
    rejected = of_site()
    assert rejected is not None, "what another source did says nothing about this one"
    told = shown(node)
    start = next(number for number, line in enumerate(told) if f"{bad[:12]} from site was rejected" in line)
    findings = [line for line in told[start:] if re.search(r" (error|warning): ", line)]
    assert findings
    kinds = [re.search(r" (error|warning): ", line)[1] for line in findings]  # type: ignore[index]
    assert kinds == sorted(kinds), "errors come first"
    operator.push(node.configuration({"a": "4"}), force=True)
    node.client.post("/v1/sources/fetch", {"source": "site"})
    node.at_rest_with({"a": "4"})
    assert of_site() is None


def test_log_lines_carry_date_and_zone(node: Node) -> None:
    first = node.daemon_log().splitlines()[0]
    assert re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d{4} info +the node serves", first)


@pytest.mark.parametrize(
    ("code", "status", "word"),
    [
        (ResultCode.NOT_RUNNING, OperationStatus.DONE, "not running"),
        (ResultCode.NOT_CONFIGURED, OperationStatus.DONE, "not configured"),
        (ResultCode.NOT_INSTALLED, OperationStatus.ERROR, "not installed"),
        (ResultCode.ERROR, OperationStatus.TIMED_OUT, "timed out"),
        (ResultCode.OK, OperationStatus.DONE, "ok"),
        (77, OperationStatus.DONE, "exit code 77"),
        (-1, 99, "exit code -1"),
    ],
)
def test_how_an_operation_ended_is_a_word(code: int, status: int, word: str) -> None:
    assert outcome_word(int(code), int(status)) == word


def test_every_code_and_status_of_the_standard_has_a_word() -> None:
    for code in ResultCode:
        assert not outcome_word(code, OperationStatus.DONE).startswith("exit code")


def test_what_is_said_of_a_resource_is_kept_until_something_of_it_changes() -> None:
    text = b"""
cluster: {name: test, options: {stonith-enabled: false}}
primitives: {alone: {agent: ocf:test:File}, first: {agent: ocf:test:File}, second: {agent: ocf:test:File}}
groups: {web: {members: [first, second]}}
"""
    configuration = load({"site.yaml": text}).configuration
    assert configuration is not None
    cib = Cib(configuration, version=Version(0, 1, 0))
    results: dict[str, LastResult] = {}
    status = ResourceStatus(cib, look(cib, Instant(0)), results.get)
    before = {said["id"]: said for said in status.documents()}
    assert all(said is before[said["id"]] for said in status.documents())
    results["second"] = LastResult("monitor", 0, AgentResult(ResultCode.ERROR, OperationStatus.DONE), 1000)
    after = {said["id"]: said for said in status.documents()}
    assert after["alone"] is before["alone"]
    assert [child["last"] and child["last"]["outcome"] for child in after["web"]["children"]] == [None, "error"]
    assert [child["last"] for child in before["web"]["children"]] == [None, None]
