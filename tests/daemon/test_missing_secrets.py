"""A secret that this node can't tell keeps no commit from becoming active, and stops nothing that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.daemon.compile import Judge
from reconciler.errors import Severity
from reconciler.sources.repository import Repository

from .conftest import Node


@pytest.fixture
def with_secrets(stopped_node: Node) -> Node:
    """A node that finds secrets in files."""
    stopped_node.extra = "secrets: {directory: secrets}"
    (stopped_node.path / "secrets").mkdir(mode=0o700)
    return stopped_node


def give(node: Node, name: str, value: str) -> Path:
    path = node.path / "secrets" / name
    fresh = path.with_suffix(".new")
    fresh.write_text(value)
    fresh.chmod(0o600)
    fresh.rename(path)
    return path


def secret(node: Node, values: dict[str, str], *names: str, interval: str = "10s") -> str:
    """The configuration with these values, of which some are names of secrets."""
    text = node.configuration(values, interval=interval)
    for name in names:
        text = text.replace(f"value: '{name}'", f"value: {{secret: {name}}}")
    return text


def lacking(node: Node) -> list[str]:
    return [text for text in node.status()["warnings"] if "secret" in text]


def test_a_commit_takes_effect_and_what_lacks_a_secret_starts_once_it_is_there(with_secrets: Node) -> None:
    node = with_secrets
    node.write(secret(node, {"a": "word", "b": "1"}, "word"))
    node.start()
    node.wait(lambda: node.states() == {"b": "1"} and bool(node.status()["converged"]), "b runs")
    status = node.status()
    assert status["active"] is not None
    assert lacking(node) == ["a needs the secret word, which this node can't tell"]
    (failed,) = [one for one in status["failed_actions"] if one["resource"] == "a"]
    assert (failed["operation"], failed["exit_reason"]) == ("start", "this node can't tell the secret word")
    assert [line for line in node.log() if line.startswith("a start")] == []
    node.kill()
    node.start()
    node.wait(lambda: lacking(node) != [], "a restart forgets nothing")
    give(node, "word", "open")
    node.wait(lambda: node.states() == {"a": "open", "b": "1"}, "a runs", 60)
    node.wait(
        lambda: lacking(node) == [] and node.status()["failed_actions"] == [], "and nothing is said of it any more"
    )


def test_a_service_keeps_running_whose_secret_is_lost(with_secrets: Node) -> None:
    node = with_secrets
    path = give(node, "word", "open")
    node.write(secret(node, {"a": "word"}, "word", interval="200ms"))
    node.start()
    node.at_rest_with({"a": "open"})
    path.unlink()
    node.wait(lambda: lacking(node) != [], "it is said")
    node.kill()
    node.start()
    node.wait(lambda: lacking(node) != [] and bool(node.status()["converged"]), "and after a restart")
    assert [line for line in node.log() if "stop" in line or "VIOLATION" in line] == []
    assert node.roles() == {"a": "Started"}
    assert node.status()["failed_actions"] == []
    give(node, "word", "open")
    node.wait(lambda: lacking(node) == [], "it is there again")
    assert node.states() == {"a": "open"}
    (node.path / "agents.log.a.state").unlink()
    node.wait(lambda: node.states() == {"a": "open"}, "and it is watched")


def test_what_runs_is_not_stopped_for_a_secret_that_is_missing(with_secrets: Node) -> None:
    node = with_secrets
    node.write(node.configuration({"a": "1", "b": "1"}))
    node.start()
    node.at_rest_with({"a": "1", "b": "1"})
    node.write(secret(node, {"a": "word", "b": "1"}, "word"))
    node.wait(lambda: node.status()["rejected"] is not None, "it is refused")
    rejected = node.status()["rejected"]
    assert rejected["reason"] == "what runs here would be stopped for secrets that this node can't tell"
    (finding,) = rejected["findings"]
    assert (finding["code"], finding["severity"]) == ("unknown-secret", "error")
    give(node, "word", "open")
    node.wait(lambda: node.states() == {"a": "open", "b": "1"}, "it is taken", 60)


@pytest.mark.parametrize("strict", [False, True])
def test_only_a_strict_node_refuses_what_merely_does_not_start(tmp_path: Path, strict: bool) -> None:
    text = b"cluster: {name: x}\nprimitives:\n  fence: {agent: 'stonith:fence_x', params: {password: {secret: word}}}\n"
    judge = Judge(Repository(str(tmp_path / "git")), None, lambda _: None, strict)
    try:
        judged = judge.compile("0" * 40, {"a.yaml": text})
    finally:
        judge.close()
    (finding,) = judged.findings
    assert (finding.code, finding.severity) == ("unknown-secret", Severity.ERROR if strict else Severity.WARNING)
    assert (judged.configuration is None, judged.transient) == (strict, strict)
