"""Commits travel between the nodes of a lab: who can't reach the git server, or has lost its repository, has them from the others."""

from __future__ import annotations

import json
import shutil
import subprocess
import time

import pytest

from reconciler.cli.node.client import Client
from reconciler.sources.repository import ACTIVE, Repository

from .harness import Lab, wait_until

NODES = ("n1", "n2", "n3")
CONFIGURATION = """
cluster: {name: lab, options: {fencing-enabled: false}}
nodes: {n1: {}, n2: {}, n3: {}}
primitives:
  a: {agent: "ocf:reconciler:Dummy", operations: {stop: {timeout: 1s}}}
"""
SERVICE = '  {name}: {{agent: "ocf:reconciler:Dummy"}}\n'


class Site:
    """A clone of what the nodes follow, of which the committed files grow."""

    def __init__(self, lab: Lab) -> None:
        self.path = lab.directory.parent / "site"
        self._git(str(lab.directory.parent), "clone", "--quiet", str(lab.directory / "site.git"), str(self.path))
        self.text = CONFIGURATION

    def commit(self, text: str) -> str:
        self.text = text
        (self.path / "cluster.d" / "all.yaml").write_text(text)
        self._git(str(self.path), "commit", "--quiet", "--all", "--message", "a change")
        return self._git(str(self.path), "rev-parse", "HEAD").strip()

    def push(self) -> None:
        self._git(str(self.path), "push", "--quiet", "origin", "main")

    def _git(self, where: str, *words: str) -> str:
        identity = ("-c", "user.name=operator", "-c", "user.email=operator@localhost")
        done = subprocess.run(["git", "-C", where, *identity, *words], capture_output=True, text=True, check=True)
        return done.stdout


def without_server(lab: Lab, node: str) -> None:
    """This node can't reach the git server from now on."""
    path = lab.directory / node / "node.yaml"
    config = json.loads(path.read_text())
    config["sources"]["site"]["git"] = str(lab.directory / "unreachable.git")
    path.write_text(json.dumps(config))


def active(lab: Lab, node: str) -> str | None:
    found = lab.status(node).get("active") or {}
    return found.get("commit")


def begun(lab: Lab) -> str:
    """All have the same commit; which."""
    found: set[str | None] = {None}

    def agree() -> bool:
        found.clear()
        found.update(active(lab, node) for node in NODES)
        return len(found) == 1 and None not in found

    wait_until(agree, "all begin with the same commit")
    (commit,) = found
    assert commit is not None
    return commit


def durable_on(lab: Lab, node: str) -> list[str]:
    found = lab.status(node).get("active") or {}
    return list(found.get("durable_on", ()))


def repository(lab: Lab, node: str) -> Repository:
    return Repository(str(lab.directory / node / "state" / "repository.git"))


def has_whole(lab: Lab, node: str, commit: str) -> bool:
    """Whether the node can read the files, and its repository names the commit as the active one."""
    own = repository(lab, node)
    return own.reference(ACTIVE) == commit and "all.yaml" in own.files(commit, "cluster.d")


@pytest.mark.timeout(240)
def test_commits_reach_who_can_not_fetch_them(lab: Lab) -> None:
    lab.up(CONFIGURATION)
    begun(lab)
    site = Site(lab)
    for node in ("n1", "n2"):
        without_server(lab, node)
        lab.tell("restart", node)
        wait_until(lambda: all(lab.view_of(one) == list(NODES) for one in NODES), "the node is back")

    commit = site.commit(site.text + SERVICE.format(name="b"))
    site.push()
    wait_until(lambda: all(active(lab, node) == commit for node in NODES), "all have what one of them could fetch")
    wait_until(lambda: all(has_whole(lab, node, commit) for node in NODES), "and its files")
    wait_until(lambda: all(durable_on(lab, node) == list(NODES) for node in NODES), "each tells that it is on its disk")
    assert all(lab.status(node)["active"]["confirmed"] for node in NODES)

    broken = site.commit(site.text + "  c: {agnet: nothing}\n")
    site.push()
    wait_until(lambda: (lab.status("n1").get("rejected") or {}).get("commit") == broken, "a mistake is refused")
    rejected = lab.status("n1")["rejected"]
    places = [finding["line"] for finding in rejected["findings"] if finding["severity"] == "error"]
    assert places == [7], "with the place, not as unknown"

    shutil.rmtree(lab.directory / "site.git")
    mended = {"all.yaml": CONFIGURATION + SERVICE.format(name="d")}
    for number, node in enumerate(NODES):
        files = mended | {f"{number}.yaml": "{}\n"}
        answer = Client(str(lab.directory / node / "node.sock")).post("/v1/proposals", {"files": files, "message": "m"})
        commit = answer["commit"]
        wait_until(lambda commit=commit: all(active(lab, one) == commit for one in NODES), "without any git server")
    wait_until(lambda: all(has_whole(lab, node, commit) for node in NODES), "and all have its files")


@pytest.mark.timeout(240)
def test_a_node_that_was_replaced_has_the_active_commit_again(lab: Lab) -> None:
    lab.up(CONFIGURATION)
    commit = begun(lab)
    lab.tell("off", "n2")
    without_server(lab, "n2")
    shutil.rmtree(lab.directory / "n2" / "state")
    lab.tell("restart", "n2")
    wait_until(lambda: active(lab, "n2") == commit, "it has the state")
    wait_until(lambda: has_whole(lab, "n2", commit), "and the files")
    assert repository(lab, "n2").history(commit)[0].id == commit, "history can be walked to where it was cut"

    lab.tell("kill", "n3")
    without_server(lab, "n3")
    shutil.rmtree(lab.directory / "n3" / "state" / "repository.git")
    lab.tell("restart", "n3")
    wait_until(lambda: has_whole(lab, "n3", commit), "one that has lost its repository alone has the files, too")

    answer = Client(str(lab.directory / "n2" / "node.sock")).post(
        "/v1/proposals",
        {"files": {"all.yaml": CONFIGURATION + SERVICE.format(name="b")}, "message": "from the new one"},
    )
    wait_until(lambda: all(active(lab, node) == answer["commit"] for node in NODES), "what it makes follows")


@pytest.mark.timeout(240)
def test_two_directories_on_two_nodes_do_not_fight(lab: Lab) -> None:
    lab.up(CONFIGURATION)
    begun(lab)
    directories = {node: lab.directory.parent / f"{node}.d" for node in ("n1", "n2")}
    for node, directory in directories.items():
        directory.mkdir()
        path = lab.directory / node / "node.yaml"
        config = json.loads(path.read_text())
        config["sources"] = {f"of-{node}": {"directory": str(directory)}}
        path.write_text(json.dumps(config))
        lab.tell("restart", node)
        wait_until(lambda: all(lab.view_of(one) == list(NODES) for one in NODES), "the node is back")

    def last(node: str, name: str) -> bool:
        """Whether all have what this node's directory said last."""
        found = {(lab.status(one).get("active") or {}).get("source") for one in NODES}
        own = repository(lab, "n3")
        commit = active(lab, "n3")
        return (
            found == {f"of-{node}"}
            and commit is not None
            and name.encode() in own.files(commit, "cluster.d")["all.yaml"]
        )

    for node, name in (("n1", "b1"), ("n2", "b2"), ("n1", "b3")):
        (directories[node] / "all.yaml").write_text(CONFIGURATION + SERVICE.format(name=name))
        wait_until(lambda node=node, name=name: last(node, name), f"what {node} says now is active everywhere")
    version = lab.status("n3")["active"]["version"]
    time.sleep(5)
    assert lab.status("n3")["active"]["version"] == version, "and nobody takes it back"
