"""`why` from files and snapshots: chain, places, scores, edits, and its form for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import SITE, Run


def test_the_chain_leads_to_the_line_that_decided(site: Path, run: Run) -> None:
    done = run("why", "web", "--path", "cluster.d")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("web runs on n1")
    done = run("why", "web", "--on", "n2", "--path", "cluster.d")
    assert done.returncode == 0, done.stderr
    assert "web-with-ip" in done.stdout
    assert "cluster.d/site.yaml:20:18" in done.stdout


def test_why_not_on_another_node_and_what_would_change_it(site: Path, run: Run) -> None:
    done = run("why", "ip", "--on", "n2", "--path", "cluster.d")
    assert done.returncode == 0, done.stderr
    assert "n2" in done.stdout.splitlines()[0]
    assert "This would change it (tried):" in done.stdout
    assert "prefer-n1" in done.stdout


def test_scores_are_listed_term_by_term_when_asked(site: Path, run: Run) -> None:
    terms = run("why", "ip", "--path", "cluster.d", "--scores").stdout
    assert "+500" in terms
    assert "prefer-n1" in terms
    assert "+500" not in run("why", "ip", "--path", "cluster.d").stdout


def test_json_is_the_same_every_time(site: Path, run: Run) -> None:
    outputs = {
        run("why", "web", "--path", "cluster.d", "--json", env={"PYTHONHASHSEED": seed}).stdout for seed in ("0", "1")
    }
    assert len(outputs) == 1
    [answer] = json.loads(outputs.pop())
    assert answer["resource"] == "web"
    assert {node["node"] for node in answer["nodes"]} == {"n1", "n2"}
    assert any("site.yaml" in str(link["place"]) for link in answer["chain"])


def test_what_is_banned_everywhere_is_nowhere(site: Path, run: Run) -> None:
    ban = "node: n1, score: -INFINITY}\n    not-n2: {resource: ip, node: n2, score: -INFINITY}"
    export = SITE.replace("node: n1, score: 500}", ban)
    (site / "cluster.d" / "site.yaml").write_text(export)
    done = run("why", "ip", "--path", "cluster.d")
    # What can never run is refused before anything is explained.
    assert done.returncode == 1
    assert "cluster.d/site.yaml" in done.stderr


def test_a_pacemaker_cluster_is_explained(site: Path, run: Run) -> None:
    assert run("export", "cluster.d", "--out", "cib.xml").returncode == 0
    done = run("why", "web", "--snapshot", "cib.xml")
    assert done.returncode == 0, done.stderr
    assert "web" in done.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("wep", "--path", "cluster.d"), "wep"),
        (("web", "--on", "n9", "--path", "cluster.d"), "n9"),
        (("web", "--path", "nowhere"), "nowhere"),
        (("web", "--snapshot", "nowhere"), "nowhere"),
        (("web", "--path", "cluster.d", "--at", "tomorrow"), "tomorrow"),
        (("web",), "no-such.sock"),
    ],
)
def test_what_can_not_be_explained_is_an_error_that_names_it(
    site: Path, words: tuple[str, ...], text: str, run: Run
) -> None:
    done = run("why", *words)
    assert done.returncode == (64 if "--at" in words else 1)
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("option", "nodes", "said", "offered"),
    [
        ("-1", "n1: {}, n2: {}, n3: {}", "have-watchdog does not say that nodes have a watchdog", True),
        ("10s", "n1: {}, n2: {}", "no node counts as fenced by its watchdog (of two nodes", False),
    ],
)
def test_without_a_fence_device_watchdogs_are_a_way_out_where_they_may_count(
    site: Path, run: Run, option: str, nodes: str, said: str, offered: bool
) -> None:
    (site / "cluster.d" / "site.yaml").write_text(
        "cluster:\n  name: t\n"
        "  # reconciler: accept fencing-by-watchdog because it is a test\n"
        f"  options: {{fencing-watchdog-timeout: {option}}}\n"
        f"nodes: {{{nodes}}}\n"
        "primitives:\n  a: {agent: 'ocf:reconciler:Dummy'}\n"
    )
    done = run("why", "a", "--path", "cluster.d")
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert ("have-watchdog: true" in done.stdout) is offered
    assert "fencing-enabled" in done.stdout
