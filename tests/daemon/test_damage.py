"""Random damages of the state files: the newest configuration or a clear doubt (more: `python tests/benchmarks/damage.py`)."""

from __future__ import annotations

import random
import shutil

import pytest
from machine import mounted

from reconciler.cli.node.client import ClientError
from reconciler.sources.repository import ACTIVE

from .conftest import Node
from .damage import damage_run, is_settled, make_state, outcome, started_run


def test_no_damage_of_state_files_leads_to_an_older_configuration_without_a_doubt(node: Node) -> None:
    newest = make_state(node)
    counts = damage_run(node.path / "state", newest, node.path / "scratch", random.Random(7), 150)
    assert counts["newest"]
    assert counts["older, the newer proposed"], "some damages do lose something"


def test_a_node_with_a_damaged_state_ends_up_with_the_newest_configuration(node: Node) -> None:
    make_state(node)
    counts = started_run(node, random.Random(3), 6)
    assert sum(counts.values()) == 6


def test_what_runs_as_a_lost_configuration_says_is_found_when_that_is_there_again(node: Node) -> None:
    """Found by a hundred starts: it was looked for with the parameters of the older one, taken for stopped, and started twice."""
    newest = make_state(node)
    state = node.path / "state"
    (journal,) = [path for path in state.glob("journal-*") if newest.encode() in path.read_bytes()]
    data = journal.read_bytes()
    at = data.index(newest.encode())
    journal.write_bytes(data[:at] + b"\0" * 512 + data[at + 512 :])
    (state / "repository.git" / ACTIVE).write_bytes(b"")
    assert outcome(state, newest) == "older, held"
    before = len(node.log())
    node.start()
    node.wait(lambda: is_settled(node), "the doubt is over", 60)
    assert node.states() == {"a": "4"}
    news = [line for line in node.log()[before:] if not line.startswith(("a monitor", "gone monitor"))]
    assert news == [], "nothing was stopped, and nothing started twice"
    assert node.status()["failed_actions"] == []


def test_what_runs_is_found_although_the_record_of_its_start_is_damaged(node: Node) -> None:
    """The newest configuration is there, and of what was started only what an earlier one said."""
    newest = make_state(node)
    state = node.path / "state"
    (journal,) = [path for path in state.glob("journal-*") if newest.encode() in path.read_bytes()]
    data = journal.read_bytes()
    at = data.rindex(b'"is":"run"')
    journal.write_bytes(data[:at] + b"\0" * 64 + data[at + 64 :])
    assert outcome(state, newest) == "newest"
    before = len(node.log())
    node.start()
    node.wait(lambda: is_settled(node), "it decides again", 60)
    news = [line for line in node.log()[before:] if not line.startswith(("a monitor", "gone monitor"))]
    assert (news, node.states()) == ([], {"a": "4"})


def test_what_was_under_way_before_the_damage_does_not_end_the_doubt(node: Node) -> None:
    """It is accepted and activated at the start, as if nothing had come after it: a removed service was started by that."""
    newest = make_state(node)
    state = node.path / "state"
    (journal,) = [path for path in state.glob("journal-*") if newest.encode() in path.read_bytes()]
    data = journal.read_bytes()
    lines = data.rstrip(b"\0").splitlines(keepends=True)
    accept = next(number for number, line in enumerate(lines) if b'"is":"accept"' in line)
    journal.write_bytes(b"".join(lines[:accept]).ljust(len(data), b"\0"))
    assert outcome(state, newest) == "older, the newer proposed"
    before = len(node.log())
    node.start()
    node.wait(lambda: is_settled(node), "the doubt is over", 60)
    assert [line for line in node.log()[before:] if not line.startswith(("a monitor", "gone monitor"))] == []
    assert node.states() == {"a": "4"}
    # The newest commit itself, or what the watched directory made of the same files meanwhile.
    assert node.client.get("/v1/files")["files"] == {"site.yaml": node.configuration({"a": "4"})}


def refusal(node: Node) -> str:
    """What a daemon says that can't start."""
    with pytest.raises(AssertionError):
        node.start()
    assert node.running.wait(10) == 1
    return node.daemon_log()


@pytest.mark.parametrize("directory", ["state", "run"])
def test_a_directory_that_is_read_only_is_named(stopped_node: Node, directory: str) -> None:
    with mounted(stopped_node.path / directory, "ro"):
        said = refusal(stopped_node)
    assert f"use the {directory} directory {stopped_node.path / directory}" in said
    assert "Traceback" not in said


def test_a_full_run_directory_is_named(stopped_node: Node) -> None:
    node = stopped_node
    with mounted(node.path / "run", "size=64k,nr_inodes=4"):
        for number in range(3):
            (node.path / "run" / f"ballast-{number}").touch()
        said = refusal(node)
    assert str(node.path / "run") in said
    assert "No space left on device" in said
    assert "Traceback" not in said


def test_a_state_directory_that_is_removed_while_the_node_runs_is_named(node: Node) -> None:
    node.write(node.configuration({"a": "1"}, interval="200ms"))
    node.at_rest_with({"a": "1"})
    shutil.rmtree(node.path / "state")
    (node.path / "agents.log.a.state").unlink()
    node.wait(lambda: node.states() == {"a": "1"}, "what runs is cared for")
    told = f"{node.path / 'state'}: its files were removed"
    node.wait(lambda: any(told in text for text in node.status()["warnings"]), "it says so")
    with pytest.raises(ClientError) as refused:
        node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration({"a": "2"})}})
    assert f"there is no repository {node.path / 'state' / 'repository.git'} any more" in str(refused.value)
    assert "a start of the node makes another one" in str(refused.value)
