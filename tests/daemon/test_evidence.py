"""A state that may not be the newest is said to be so, and nothing is started or stopped by it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reconciler.controller.journal import restore, snapshot_bytes
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Activation, Shared
from reconciler.daemon.evidence import doubt_of, is_one_of_several

from .conftest import Node


@pytest.mark.parametrize(("votes", "several"), [({}, False), ({"n1": 1}, False), ({"n1": 1, "n2": 1}, True)])
def test_in_doubt_one_of_several_counts_for_nothing(votes: dict[str, int], several: bool) -> None:
    assert is_one_of_several(Shared(votes=votes), "n1") is several


def test_who_counts_for_nothing_says_so_after_a_crash() -> None:
    replica = Replica("n1", Shared(votes={"n1": 1, "n2": 1}))
    replica.doubt()
    again, _ = restore("n1", snapshot_bytes(replica), ())
    assert again.own.blank


def activation(commit: str) -> Activation:
    return Activation("0.1.0", commit, None, "site", "", "", 0)


@pytest.mark.parametrize(
    ("commit", "activated", "damaged", "named", "doubted", "newer"),
    [
        ("b", "ab", False, "b", False, None),
        ("b", "ab", True, "b", False, None),
        ("b", "ab", False, None, False, None),
        ("b", "ab", False, "a", False, None),
        ("b", "ab", True, "a", True, None),
        ("b", "ab", True, None, True, None),
        ("b", "ab", False, "c", True, "c"),
        ("b", "ab", True, "c", True, "c"),
        (None, "", False, "c", True, "c"),
        (None, "", True, None, True, None),
        (None, "", False, None, False, None),
    ],
    ids=[
        "both agree",
        "damage that both survived",
        "a repository that was never told",
        "a repository that is behind",
        "damage, and a repository that may be behind",
        "damage, and no other witness",
        "the repository knows better",
        "the repository knows better, and damage",
        "the state is gone",
        "nothing is left of it",
        "a new node",
    ],
)
def test_what_speaks_for_a_restored_state(
    commit: str | None, activated: str, damaged: bool, named: str | None, doubted: bool, newer: str | None
) -> None:
    problems = ["journal: is missing"] if damaged else []
    doubt = doubt_of(commit, [activation(one) for one in activated], problems, named)
    assert (doubt is not None, doubt and doubt.newer) == (doubted, newer)


def grown(node: Node) -> None:
    """A node that went from an old configuration, with `gone`, to a new one without it; it has ended."""
    node.write(node.configuration({"a": "1", "gone": "1"}))
    node.at_rest_with({"a": "1", "gone": "1"})
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    assert node.stop() == 0


def without_its_end(state: Path) -> None:
    """Take away everything from the last proposal on; the mark with it, so that the journal looks whole."""
    for path in state.glob("snapshot-*"):
        if path.name != min(other.name for other in state.glob("snapshot-*")):
            path.unlink()
            (state / path.name.replace("snapshot", "journal")).unlink()
    (journal,) = state.glob("journal-*")
    data = journal.read_bytes()
    last = data.rfind(b'"propose"')
    assert last > 0
    end = data.rfind(b"\n", 0, last) + 1
    journal.write_bytes(data[:end].ljust(len(data), b"\0"))
    (state / "mark").unlink()


def test_a_node_whose_state_lost_its_end_starts_nothing_that_was_removed(node: Node) -> None:
    grown(node)
    without_its_end(node.path / "state")
    node.sources = "  {}"
    before = len(node.log())
    node.start()
    node.wait(lambda: not any("nothing is started" in text for text in node.status()["warnings"]), "the doubt is over")
    node.at_rest_with({"a": "1"})
    assert not [line for line in node.log()[before:] if line.startswith("gone ") and "monitor" not in line]
    assert node.status()["active"]["source"] in ("recovery", "here"), (
        "proposed again, or what was being decided then is"
    )
    assert "nothing is started or stopped" in node.daemon_log()
    unknown = [text for text in node.status()["warnings"] if "at the start the state did not know of" in text]
    assert [str(node.status()["active"]["commit"])[:12] in text for text in unknown] == [True], "it stays to be seen"
    assert "the doubt about the state is over" in node.daemon_log()


def test_without_a_second_witness_nothing_is_started_or_stopped_until_somebody_says_what_is_to_run(node: Node) -> None:
    grown(node)
    without_its_end(node.path / "state")
    shutil.rmtree(node.path / "state" / "repository.git")
    node.sources = "  {}"
    node.start()
    held = "nothing is started or stopped"
    node.wait(lambda: any(held in text for text in node.status()["warnings"]), "it says so")
    time.sleep(1)
    assert node.states() == {"a": "1"}
    (node.path / "agents.log.a.state").unlink()
    gone = "a does not run, and nothing is started at the moment"
    node.wait(lambda: gone in node.status()["warnings"], "what runs is looked at all the same", 40)
    node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration({"a": "2"})}})
    node.at_rest_with({"a": "2"})
    assert gone not in node.status()["warnings"]


def test_a_node_of_whose_state_nothing_is_left_says_so_until_it_is_told_what_is_to_run(node: Node) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    assert node.stop() == 0
    state = node.path / "state"
    for damaged in (*state.glob("snapshot-*"), state / "repository.git" / "refs" / "reconciler" / "active"):
        damaged.write_bytes(bytes(len(damaged.read_bytes())))
    node.sources = "  {}"
    before = len(node.log())
    node.start()
    left = "nothing is left of the configuration that was active"
    node.wait(lambda: any(left in text for text in node.status()["warnings"]), "it says so")
    time.sleep(1)
    assert any(left in text for text in node.status()["warnings"]), "nobody vouches for nothing"
    assert node.states() == {"a": "1"}, "what runs is left alone"
    node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration({"a": "1"})}})
    node.at_rest_with({"a": "1"})
    assert not [line for line in node.log()[before:] if "monitor" not in line], "it is found to run"
    assert not any(left in text for text in node.status()["warnings"])


def test_a_source_vouches_for_what_was_restored(node: Node) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    assert node.stop() == 0
    (node.path / "state" / "mark").unlink()
    (node.path / "state" / "repository.git" / "refs" / "reconciler" / "active").unlink()
    (node.path / "agents.log.a.state").unlink()
    node.start()
    node.at_rest_with({"a": "1"})
    assert any("mark: is missing" in text for text in node.status()["warnings"])


@pytest.mark.parametrize("sourced", [True, False], ids=["directory", "apply"])
def test_a_node_that_lost_its_repository_takes_the_next_configuration(node: Node, sourced: bool) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    assert node.stop() == 0
    shutil.rmtree(node.path / "state" / "repository.git")
    node.sources = node.sources if sourced else "  {}"
    node.start()
    lost = "the repository has lost the active commit"
    node.wait(lambda: any(lost in text for text in node.status()["warnings"]), "it says so")
    if sourced:
        node.write(node.configuration({"a": "2"}))
    else:
        node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration({"a": "2"})}})
    node.at_rest_with({"a": "2"})


def test_one_run_directory_has_one_daemon(node: Node, tmp_path: Path) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    first = node.running
    node.process = None
    other = node.path / "node.yaml"
    text = other.read_text()
    (node.path / "second.yaml").write_text(text.replace("state: state", "state: second"))
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "run", "--config", str(node.path / "second.yaml")],
        capture_output=True,
        text=True,
        timeout=20,
    )
    node.process = first
    assert done.returncode == 1
    assert f"another daemon (process {first.pid}) uses the run directory {node.path / 'run'}" in done.stderr
    assert node.answers()
