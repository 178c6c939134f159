"""The daemon as operators see it: from a changed directory or a push to running services, through every kind of end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Node, Operator


def test_a_directory_becomes_running_services(node: Node) -> None:
    node.write(node.configuration({"a": "1", "b": "1"}))
    node.at_rest_with({"a": "1", "b": "1"})
    assert node.roles() == {"a": "Started", "b": "Started"}
    node.write(node.configuration({"a": "1", "b": "2"}))
    node.at_rest_with({"a": "1", "b": "2"})
    node.write(node.configuration({"b": "2"}))
    node.at_rest_with({"b": "2"})
    assert [line for line in node.log() if line.startswith("a ") and "monitor" not in line] == ["a start 1", "a stop 1"]


def test_a_changed_parameter_stops_with_the_old_and_starts_with_the_new(node: Node) -> None:
    node.write(node.configuration({"a": "old"}))
    node.at_rest_with({"a": "old"})
    node.write(node.configuration({"a": "new"}))
    node.at_rest_with({"a": "new"})
    assert [line for line in node.log() if "monitor" not in line] == ["a start old", "a stop old", "a start new"]


def test_a_broken_change_is_reported_and_nothing_changes(node: Node) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    before = node.status()["active"]
    node.write(node.configuration({"a": "2"}) + "nonsense: {x: 1}\n")
    node.wait(lambda: node.status()["rejected"] is not None, "the rejection is shown")
    status = node.status()
    (finding,) = [found for found in status["rejected"]["findings"] if found["severity"] == "error"]
    assert (finding["file"], finding["line"], finding["column"]) == ("site.yaml", 8, 1)
    assert status["active"] == before
    assert node.states() == {"a": "1"}
    node.write(node.configuration({"a": "3"}))
    node.at_rest_with({"a": "3"})
    assert node.status()["rejected"] is None


def test_a_failed_service_is_recovered_by_its_monitor(node: Node) -> None:
    node.write(node.configuration({"a": "1"}, interval="200ms"))
    node.at_rest_with({"a": "1"})
    (node.path / "agents.log.a.state").unlink()
    node.wait(lambda: node.states() == {"a": "1"}, "it runs again")
    node.wait(lambda: node.status()["converged"], "rest")
    (resource,) = node.status()["resources"]
    assert resource["fail_count"] == 1
    assert [failed["operation"] for failed in node.status()["failed_actions"]] == ["monitor"]
    node.client.post("/v1/resources/a/cleanup")
    node.wait(lambda: node.status()["resources"][0]["fail_count"] == 0, "the failure is forgotten")
    node.at_rest_with({"a": "1"})
    assert node.status()["failed_actions"] == []


def test_a_failed_start_is_reported_and_not_repeated(node: Node) -> None:
    (node.path / "agents.log.fail-start").touch()
    node.write(node.configuration({"a": "1"}))
    node.wait(lambda: node.status()["converged"] and bool(node.status()["failed_actions"]), "the failure is shown")
    time.sleep(0.5)
    status = node.status()
    assert node.log().count("a start-failed") == 1
    assert status["failed_actions"][0]["exit_reason"] == "asked to fail"
    assert status["failed_actions"][0]["output"] == "ocf-exit-reason:asked to fail\n"
    assert status["resources"][0]["role"] == "Stopped"
    (node.path / "agents.log.fail-start").unlink()
    node.client.post("/v1/resources/a/cleanup")
    node.at_rest_with({"a": "1"})


def test_a_failed_stop_blocks_and_nothing_is_assumed(node: Node) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    (node.path / "agents.log.fail-stop").touch()
    node.write(node.configuration({"a": "2"}))
    node.wait(lambda: node.status()["counts"]["blocked"] == 1, "the resource is blocked")
    time.sleep(0.3)
    assert node.states() == {"a": "1"}
    assert "a start 2" not in node.log()


def test_the_end_of_the_daemon_leaves_resources_running_and_a_start_adopts_them(node: Node) -> None:
    node.write(node.configuration({"a": "1", "b": "1"}))
    node.at_rest_with({"a": "1", "b": "1"})
    assert node.stop() == 0
    assert node.states() == {"a": "1", "b": "1"}
    node.start()
    node.at_rest_with({"a": "1", "b": "1"})
    assert sorted(line for line in node.log() if "monitor" not in line) == ["a start 1", "b start 1"]


def test_what_died_while_the_daemon_was_away_is_started_again(node: Node) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    node.kill()
    (node.path / "agents.log.a.state").unlink()
    node.start()
    node.at_rest_with({"a": "1"})
    assert [line for line in node.log() if "monitor" not in line] == ["a start 1", "a start 1"]


def test_a_change_made_while_the_daemon_was_away_is_applied(node: Node) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    node.kill()
    node.write(node.configuration({"a": "2"}))
    node.start()
    node.at_rest_with({"a": "2"})


def test_resources_are_stopped_when_asked_for(stopped_node: Node) -> None:
    node = stopped_node
    node.start("--stop-resources")
    node.write(node.configuration({"a": "1", "b": "1"}))
    node.at_rest_with({"a": "1", "b": "1"})
    assert node.stop() == 0
    assert node.states() == {}
    node.start()
    node.at_rest_with({"a": "1", "b": "1"})


def test_a_push_becomes_running_services_and_a_bad_one_a_finding(stopped_node: Node, operator: Operator) -> None:
    node = stopped_node
    node.sources = f"  site: {{git: 'file://{operator.remote}', poll: 60s, local: true}}"
    operator.push(node.configuration({"a": "1"}))
    node.start()
    node.at_rest_with({"a": "1"})
    good = operator.push(node.configuration({"a": "2"}))
    node.running.send_signal(signal.SIGHUP)
    node.at_rest_with({"a": "2"})
    assert node.status()["active"]["commit"] == good
    bad = operator.push("primitives: {a: {agent: 5}}\n")
    node.client.post("/v1/sources/fetch", {"source": "site"})
    node.wait(lambda: (node.status()["rejected"] or {}).get("commit") == bad, "the bad commit is reported")
    assert node.status()["active"]["commit"] == good
    assert node.states() == {"a": "2"}


def test_a_rewritten_history_is_refused(stopped_node: Node, operator: Operator) -> None:
    node = stopped_node
    node.sources = f"  site: {{git: 'file://{operator.remote}', poll: 60s, local: true}}"
    operator.push(node.configuration({"a": "1"}))
    good = operator.push(node.configuration({"a": "2"}))
    node.start()
    node.at_rest_with({"a": "2"})
    operator.git("reset", "--quiet", "--hard", "HEAD~1")
    operator.push(node.configuration({"a": "3"}), force=True)
    node.client.post("/v1/sources/fetch")
    node.wait(lambda: node.status()["sources"][0]["state"] == "failed", "the source reports it")
    assert node.status()["sources"][0]["findings"][0]["code"] == "history-rewritten"
    assert node.status()["active"]["commit"] == good
    assert node.states() == {"a": "2"}


def test_going_back_in_the_repository_goes_back_here_where_history_may_be_rewritten(
    stopped_node: Node, operator: Operator
) -> None:
    node = stopped_node
    node.sources = f"  site: {{git: 'file://{operator.remote}', poll: 60s, local: true, history: rewrite}}"
    old = operator.push(node.configuration({"a": "1"}))
    node.start()
    node.at_rest_with({"a": "1"})
    operator.push(node.configuration({"a": "2"}))
    node.client.post("/v1/sources/fetch", {})
    node.at_rest_with({"a": "2"})
    operator.git("push", "--quiet", "--force", str(operator.remote), f"{old}:main")
    node.client.post("/v1/sources/fetch", {})
    node.at_rest_with({"a": "1"})
    assert node.status()["active"]["commit"] == old


def test_a_rollback_holds_until_the_repository_moves_on(stopped_node: Node, operator: Operator) -> None:
    node = stopped_node
    node.sources = f"  site: {{git: 'file://{operator.remote}', poll: 60s, local: true}}"
    node.start()
    for value in ("1", "2"):
        operator.push(node.configuration({"a": value}))
        node.client.post("/v1/sources/fetch", {})
        node.at_rest_with({"a": value})
    node.client.post("/v1/rollback", {})
    node.at_rest_with({"a": "1"})
    node.client.post("/v1/sources/fetch", {})
    node.stop()
    node.start()
    time.sleep(1)
    node.at_rest_with({"a": "1"})
    operator.push(node.configuration({"a": "3"}))
    node.client.post("/v1/sources/fetch", {})
    node.at_rest_with({"a": "3"})


def test_a_directory_and_a_repository_do_not_fight(stopped_node: Node, operator: Operator) -> None:
    """Who moves last is followed; nothing comes back because somebody looked again, or because the daemon was started anew."""
    node = stopped_node
    node.sources = (
        f"  site: {{git: 'file://{operator.remote}', poll: 1s, local: true}}\n"
        "  here: {directory: source, debounce: 50ms, rescan: 1s}"
    )
    operator.push(node.configuration({"a": "1"}))
    node.start()
    node.at_rest_with({"a": "1"})
    node.write(node.configuration({"a": "2"}))
    node.at_rest_with({"a": "2"})
    operator.push(node.configuration({"a": "3"}))
    node.at_rest_with({"a": "3"})
    entries = len(node.client.get("/v1/history")["entries"])
    time.sleep(3)
    node.stop()
    node.start()
    time.sleep(3)
    node.at_rest_with({"a": "3"})
    assert len(node.client.get("/v1/history")["entries"]) == entries
    node.write(node.configuration({"a": "4"}))
    node.at_rest_with({"a": "4"})
    operator.push(node.configuration({"a": "5"}))
    node.at_rest_with({"a": "5"})
    told = [event["text"] for event in node.client.events(since="0", follow=False) if event.get("what") == "overtake"]
    assert len(told) == 1
    assert "site" in told[0]


@pytest.mark.parametrize("end", ["\r", "\x1e", "\x85", "\u2028"])
def test_a_subject_with_any_line_end_ends_nothing(stopped_node: Node, operator: Operator, end: str) -> None:
    node = stopped_node
    node.sources = f"  site: {{git: 'file://{operator.remote}', poll: 60s, local: true}}"
    operator.push(node.configuration({"a": "1"}))
    operator.git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "-m", f"one{end}two")
    operator.git("push", "--quiet", str(operator.remote), "HEAD:main")
    node.start()
    node.at_rest_with({"a": "1"})
    assert node.status()["active"]["subject"] == "one two"
    assert node.client.get("/v1/history")["entries"][0]["subject"] == "one two"
    node.stop()
    node.start()
    node.at_rest_with({"a": "1"})


def test_apply_and_rollback_through_the_api(stopped_node: Node) -> None:
    node = stopped_node
    node.sources = "  {}"
    node.start()
    first = node.client.post(
        "/v1/proposals", {"files": {"site.yaml": node.configuration({"a": "1"})}, "message": "one"}
    )
    node.at_rest_with({"a": "1"})
    node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration({"a": "2"})}, "base": first["commit"]})
    node.at_rest_with({"a": "2"})
    answer = node.client.post("/v1/rollback", {})
    node.at_rest_with({"a": "1"})
    entries = node.client.get("/v1/history")["entries"]
    assert [entry["source"] for entry in entries] == ["rollback", "apply", "apply"]
    assert [entry["active"] for entry in entries] == [True, False, False]
    assert entries[0]["commit"] == answer["commit"]
    assert entries[2]["subject"] == "one"
    again = node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration({"a": "1"})}})
    assert again["active"] is True


def test_events_tell_the_story_of_a_proposal(node: Node) -> None:
    node.wait(lambda: node.status()["converged"], "rest")
    answer = node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration({"a": "1"})}})
    seen = []
    for event in node.client.events(since=answer["cursor"], timeout_s=10):
        seen.append(event["type"])
        if event["type"] == "converged":
            break
    story = [
        type for type in seen if type in ("proposed", "accepted", "activated", "planned", "action_done", "converged")
    ]
    assert story == ["proposed", "accepted", "activated", "planned", *["action_done"] * 3, "converged"]
    later = list(node.client.events(since=answer["cursor"], follow=False))
    assert [event["type"] for event in later][: len(seen)] == seen


def test_two_daemons_do_not_share_a_state(node: Node) -> None:
    command = [sys.executable, "-m", "reconciler", "run", "--config", str(node.path / "node.yaml")]
    second = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert second.returncode == 1
    assert "another daemon" in second.stderr
    assert "Errno" not in second.stderr, "that it is locked has been said, and by whom"
    assert node.answers()


def test_the_state_of_another_node_is_not_touched(node: Node) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    node.stop()
    config = node.path / "node.yaml"
    config.write_text(config.read_text().replace("node: n1", "node: n2"))
    command = [sys.executable, "-m", "reconciler", "run", "--config", str(config)]
    renamed = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert renamed.returncode == 1
    assert "the state is of the node 'n1'" in renamed.stderr
    assert node.states() == {"a": "1"}
    node.start()
    node.at_rest_with({"a": "1"})


def test_a_directory_s_change_that_came_second_is_not_lost(node: Node) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    for value in ("2", "3", "4"):
        node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration({"b": value})}})
        node.write(node.configuration({"a": value}))
        node.at_rest_with({"a": value})


def test_the_service_manager_is_told(stopped_node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node = stopped_node
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(node.path / "notify"))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(node.path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        node.start()
        heard = [manager.recv(1000).decode() for _ in range(3)]
        assert sorted(heard) == ["READY=1\nSTATUS=node n1", "WATCHDOG=1", "WATCHDOG=1"]
        node.stop()
        while heard[-1] != "STOPPING=1":
            heard.append(manager.recv(1000).decode())


def test_a_node_that_can_not_end_its_machine_as_is_wanted_says_so(stopped_node: Node) -> None:
    node = stopped_node
    node.write(
        "cluster: {name: test, options: {stonith-enabled: false, no-quorum-policy: fence, fencing-reaction: panic}}\n"
    )
    node.start()
    node.at_rest_with({})
    wanted = "no-quorum-policy: fence and fencing-reaction: panic: this node can't end its own machine"
    node.wait(lambda: any(text.startswith(wanted) for text in node.status()["warnings"]), "status says it")
    node.stop()
    node.extra = "self-fencing: {sysrq: reboot, sysrq-trigger: trigger}"
    node.start()
    node.at_rest_with({})
    assert [text for text in node.status()["warnings"] if "its own machine" in text] == []


def test_a_bad_node_configuration_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "node.yaml").write_text("node: n1\nsorces: {}\n")
    command = [sys.executable, "-m", "reconciler", "run", "--check", "--config", str(tmp_path / "node.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert f"{tmp_path}/node.yaml:2:1: error: unknown key 'sorces'" in done.stderr


def test_a_promotable_clone_is_promoted_by_what_its_agent_says(node: Node) -> None:
    node.write(
        "cluster: {options: {stonith-enabled: false}}\n"
        "primitives:\n  db:\n    agent: ocf:reconciler:Stateful\n"
        f"    params: {{state: {node.path}/db.state}}\n"
        "    operations:\n      monitor: [{interval: 10s, role: Promoted}, {interval: 11s, role: Unpromoted}]\n"
        "clones:\n  dbs: {resource: db, promotable: true}\n"
    )
    node.wait(lambda: node.roles() == {"dbs": "Promoted"}, "it is promoted")
    node.wait(lambda: node.status()["converged"], "rest")
    node.kill()
    node.start()
    node.wait(lambda: node.roles() == {"dbs": "Promoted"} and node.status()["converged"], "it is adopted as promoted")
    kinds = {
        event["operation"] for event in node.client.events(since="0", follow=False) if event["type"] == "action_started"
    }
    assert kinds <= {"monitor"}
    node.client.post("/v1/shutdown", {"resources": True})
    assert node.running.wait(15) == 0


def test_a_group_keeps_its_order_and_a_constraint_is_honoured(node: Node) -> None:
    more = (
        "groups:\n  g: {members: [a, b]}\n"
        "constraints:\n  orders:\n    c-after-g: {first: g, then: c}\n"
        "  colocations:\n    c-with-g: {resource: c, with: g, score: INFINITY}\n"
    )
    node.write(node.configuration({"a": "1", "b": "1", "c": "1"}, more=more))
    node.at_rest_with({"a": "1", "b": "1", "c": "1"})
    node.write(node.configuration({"a": "2", "b": "1", "c": "1"}, more=more))
    node.at_rest_with({"a": "2", "b": "1", "c": "1"})
    changes = [line for line in node.log() if "monitor" not in line]
    assert changes == [
        *("a start 1", "b start 1", "c start 1"),
        *("c stop 1", "b stop 1", "a stop 1"),
        *("a start 2", "b start 1", "c start 1"),
    ]


def test_a_reloadable_parameter_leaves_the_service_running(node: Node) -> None:
    def text(timeout: int) -> str:
        return (
            "cluster: {options: {stonith-enabled: false}}\n"
            f"primitives:\n  p:\n    agent: ocf:reconciler:process\n    params: {{command: sleep 778, stop_timeout: {timeout}}}\n"
            "    operations: {monitor: {interval: 10s}}\n"
        )

    node.write(text(5))
    node.wait(lambda: node.roles() == {"p": "Started"} and node.status()["converged"], "it runs")
    node.write(text(6))
    node.wait(
        lambda: node.status()["active"]["version"] == "0.2.0" and node.status()["converged"], "the change is applied"
    )
    done = [
        event["operation"] for event in node.client.events(since="0", follow=False) if event["type"] == "action_done"
    ]
    assert "reload-agent" in done
    assert "stop" not in done
    node.client.post("/v1/shutdown", {"resources": True})
    assert node.running.wait(15) == 0
