"""What the commands say is in the words of the files, agrees with itself, and names what it assumed."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.cli.node import history
from reconciler.cli.planning.graph_form import graph
from reconciler.cli.planning.rollback import _before
from reconciler.cli.planning.versions import known_version
from reconciler.cli.terminal.paint import Paint
from reconciler.scheduler.plan import ActionKind, PlannedAction

from .conftest import SITE, Run

OPTIONS = SITE.replace("fencing-enabled: false", "fencing-enabled: false, fencing-timeout: 2min")


def plan(run: Run, *words: str) -> dict[str, Any]:
    done = run("plan", *words, "--json")
    assert done.returncode in (0, 2, 3), done.stderr
    return json.loads(done.stdout)


def test_a_plan_prints_the_words_of_the_files_value_by_value(site: Path, run: Run) -> None:
    (site / "cluster.d" / "defaults.yaml").write_text("defaults: {resources: {resource-stickiness: 5}}\n")
    (site / "cluster.d" / "site.yaml").write_text(OPTIONS)
    text = run("plan", "cluster.d", "--offline").stdout
    assert "cluster/options/fencing-timeout" in text
    assert "cluster/options/fencing-enabled" in text
    assert "defaults/resources/resource-stickiness" in text
    assert "stonith" not in text
    assert "cluster-name" not in text


@pytest.mark.parametrize("head", [OPTIONS, SITE.replace("500", "400")])
def test_counts_agree_with_the_lines(head: str, site: Path, run: Run) -> None:
    (site / "head.d").mkdir()
    (site / "head.d" / "site.yaml").write_text(head)
    for words in (("cluster.d",), ("head.d", "--base", "cluster.d")):
        made = plan(run, *words, "--offline")
        actions = [change["action"] for change in made["config_changes"]]
        assert made["summary"]["add"] == actions.count("add")
        assert made["summary"]["remove"] == actions.count("remove")
        assert made["summary"]["change"] == actions.count("change") + actions.count("rename")


def test_no_node_is_made_up_where_one_is_known(site: Path, run: Run) -> None:
    (site / "base.d").mkdir()
    (site / "base.d" / "site.yaml").write_text(
        SITE.replace("nodes:\n  n1: {}\n  n2: {}\n", "").replace("node: n1,", "node: n2,")
    )
    made = plan(run, "cluster.d", "--base", "base.d")
    nodes = {node for one in made["transitions"] for node in (one["node_from"], one["node_to"])} - {None}
    assert nodes <= {"n1", "n2"}
    (site / "lone.d").mkdir()
    (site / "lone.d" / "a.yaml").write_text(
        "cluster: {options: {fencing-enabled: false}}\nprimitives: {a: {agent: 'ocf:pacemaker:Dummy'}}\n"
    )
    assert "(localhost)" in run("plan", "lone.d", "--offline").stdout


def test_a_socket_that_nobody_serves_is_said(site: Path, run: Run) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(site / "no-such.sock"))
    dead.close()
    done = run("plan", "cluster.d")
    assert done.returncode == 0
    assert "nobody answers" in done.stderr
    assert not run("plan", "cluster.d", "--offline").stderr


def test_a_named_socket_that_is_not_there_is_said(site: Path, run: Run) -> None:
    missing = str(site / "nowhere.sock")
    done = run("plan", "cluster.d", env={"RECONCILER_SOCKET": missing})
    assert done.returncode == 0
    assert f"nobody answers at {missing}: the plan is made from nothing" in done.stderr
    assert not run("plan", "cluster.d", "--offline", env={"RECONCILER_SOCKET": missing}).stderr
    named = run("plan", "cluster.d", "--socket", missing)
    assert named.returncode == 1
    assert f"there is no socket {missing}" in named.stderr


def test_a_blocked_line_is_counted_once(site: Path, run: Run) -> None:
    (site / "cluster.d" / "site.yaml").write_text(
        SITE.replace("fake: 10.0.0.7}", "fake: 10.0.0.7}\n    meta: {target-role: Stopped}").replace(
            "colocations:\n    web-with-ip: {resource: web, with: ip, score: INFINITY}\n  ", ""
        )
    )
    made = plan(run, "cluster.d", "--offline")
    lines = [(one["verb"], one["blocked"]) for one in made["transitions"]]
    assert ("start", True) in lines
    assert made["summary"]["start"] == lines.count(("start", False))
    assert made["summary"]["blocked"] == sum(blocked for _, blocked in lines)


def test_a_move_is_a_rename_in_every_form(site: Path, run: Run) -> None:
    (site / "head.d").mkdir()
    renamed = SITE.replace("  ip:\n", "  vip:\n").replace("with: ip,", "with: vip,")
    renamed = renamed.replace("first: ip,", "first: vip,").replace("resource: ip,", "resource: vip,")
    (site / "head.d" / "site.yaml").write_text(renamed + "moved: {ip: vip}\n")
    words = ("head.d", "--base", "cluster.d")
    changes = [(one["action"], one["address"], one["after"]) for one in plan(run, *words)["config_changes"]]
    assert ("add", "moved/ip", "vip") in changes
    assert ("rename", "primitives/ip", "vip") in changes
    assert any(line.endswith('primitives/ip  => "vip"') for line in run("plan", *words).stdout.splitlines())
    assert '! primitives/ip  => "vip"' in run("plan", *words, "--markdown").stdout.splitlines()


def test_properties_may_lie_beside_the_configuration(site: Path, run: Run) -> None:
    (site / "tests").mkdir()
    (site / "tests" / "any.yaml").write_text("properties: {any: {survives: 1}}\n")
    assert run("validate", ".", "--no-agents").returncode == 0
    (site / "tests" / "other.yaml").write_text("properties: {any: {survives: 1}}\nprimitves: {}\n")
    assert run("validate", ".", "--no-agents").returncode == 1


def test_a_picture_into_a_directory_that_is_not_there(site: Path, run: Run) -> None:
    done = run("plan", "cluster.d", "--offline", "--svg", "nowhere/plan.svg")
    assert done.returncode == 1
    assert "nowhere/plan.svg" in done.stderr
    assert "graphviz" not in done.stderr


def test_a_saved_plan_is_shown_as_it_was_read(site: Path, run: Run) -> None:
    shown = run("plan", "cluster.d", "--offline", "--out", "tonight.plan").stdout
    assert run("show", "tonight.plan").stdout == shown.partition("Saved to")[0]
    assert json.loads(run("show", "tonight.plan", "--format", "json").stdout)["cluster"] == "web-prod"


@pytest.mark.parametrize("words", [("apply", "cluster.d"), ("apply", "nowhere"), ("rollback",)])
def test_errors_of_apply_are_json_when_json_is_asked_for(words: tuple[str, ...], site: Path, run: Run) -> None:
    done = run(*words, "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["type"] for line in lines] == ["version", "diagnostic", "summary"]
    assert lines[-1]["exit_code"] == done.returncode == 1
    assert not done.stderr


@pytest.mark.parametrize(
    ("spec", "known"), [("0.3.0", "0.3.0"), ("0.3.57", "0.3.0"), ("0.3", None), ("cluster.d", None), ("1.2.3.4", None)]
)
def test_every_version_that_is_printed_is_one_of_history(spec: str, known: str | None) -> None:
    assert known_version(spec) == known


class Node:
    """A node with a history: the files of each version, newest first; the first is active."""

    def __init__(self, *contents: str) -> None:
        self.contents = contents

    def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        if path == "/v1/history":
            count = len(self.contents)
            return {
                "entries": [
                    {"version": f"0.{count - n}.0", "commit": str(n), "active": n == 0}
                    for n in range(len(self.contents))
                ]
            }
        return {"files": {"a.yaml": self.contents[int(query["commit"])]}}


@pytest.mark.parametrize(("contents", "version"), [(("b", "a"), "0.1.0"), (("b", "b", "a", "c"), "0.2.0")])
def test_a_rollback_goes_to_the_last_version_that_differs(contents: tuple[str, ...], version: str) -> None:
    assert _before(Node(*contents)) == version  # type: ignore[arg-type]  # All that is asked of the client.


def test_without_a_version_that_differs_there_is_no_way_back() -> None:
    with pytest.raises(Exception, match="no earlier version"):
        _before(Node("a", "a"))  # type: ignore[arg-type]  # As above.


def test_severities_are_coloured_where_colour_is_wanted(site: Path, run: Run) -> None:
    (site / "cluster.d" / "bad.yaml").write_text("primitives: {x: {agnt: 'ocf:pacemaker:Dummy'}}\n")
    assert "\x1b[31merror\x1b[0m: " in run("validate", "cluster.d", "--no-agents", "--color", "always").stdout
    assert "\x1b" not in run("validate", "cluster.d", "--no-agents").stdout


NODE = "node: n1\nstate: state\nrun: run\nsources:\n"


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ("  site: {git: /srv/site.git}\n", "`local: true` has to allow"),
        ("  site: {git: 'https://x/y.git', allowed-signers: signers}\n", "signers can't be read: No such file"),
        ("  site: {git: 'ssh://x/y.git', key: .}\n", "can't be read: Is a directory"),
        ("  site: {directory: nowhere}\n", "there is no directory"),
    ],
)
def test_run_check_finds_what_the_sources_lack(sources: str, told: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "node.yaml").write_text(NODE + sources)
    done = run("run", "--config", "node.yaml", "--check")
    assert done.returncode == 1
    assert told in done.stderr


def test_history_is_aligned_whatever_its_parts_are_called() -> None:
    paint = Paint(io.StringIO(), "never")
    common = {"commit": "a" * 40, "activated_at": 0, "active": False}
    entries = [
        {**common, "version": "0.3.0", "source": "apply", "author": "root <r@x>", "subject": "first"},
        {
            **common,
            "version": "0.12.0",
            "source": "a-long-name-of-a-source",
            "author": "Ada <a@x>",
            "subject": "second",
        },
    ]
    lines = [history.line(entry, paint, history.widths_of(entries)) for entry in entries]
    assert lines[0].index("first") == lines[1].index("second")


def test_the_picture_of_a_plan_has_a_title_and_no_monitors(site: Path) -> None:
    def action(
        number: int, task: str, resource: str | None, triggers: tuple[int, ...] = (), pseudo: bool = False
    ) -> Any:
        kind = ActionKind.PSEUDO if pseudo else ActionKind.RESOURCE
        return PlannedAction(
            number, kind, task, "", resource=resource, node=None if pseudo else "n1", triggers=triggers
        )

    stop, point = action(1, "stop", 'w"eb'), action(2, "stopped", None, (1,), pseudo=True)
    start, monitor = action(3, "start", "db", (2,)), action(4, "monitor", "db", (3,))
    plan = SimpleNamespace(actions=(stop, point, start, monitor))
    dot = graph(plan, 'Cluster "x"')  # type: ignore[arg-type]  # All that is asked of a plan.
    assert 'label="Cluster \\"x\\""' in dot
    assert 'a1 [label="stop w\\"eb on n1", shape=octagon' in dot
    assert "a1 -> a3;" in dot
    assert "monitor" not in dot
    assert "a2" not in dot
