"""The examples of the commands, run: each ends as it says. And the manual pages, read: they have what they promise."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from daemon.conftest import Node
from machine import needs

from reconciler.cli.commands import COMMANDS, module_of

from .citations import DOCS, ROOT

SAYINGS: dict[str, Any] = tomllib.loads((DOCS / "reference" / "commands.toml").read_text())
PAGES = sorted((ROOT / "share" / "man" / "man8").glob("*.8"))
SITE = """\
cluster:
  name: site
  # reconciler: ignore fencing-disabled because nothing here shares data
  options: {fencing-enabled: false}
nodes:
  n1:
  n2:
primitives:
  web:
    agent: ocf:reconciler:process
    params: {command: sleep 1000}
    operations:
      start: {timeout: 30s}
      stop: {timeout: 30s}
      monitor: {interval: 1min}
"""
MORE = """\
constraints:
  locations:
    prefer-n1: {resource: web, node: n1, prefer: 50}
"""


def examples(needs: str) -> list[Any]:
    return [
        pytest.param(example, id=example["run"])
        for name, command in COMMANDS.items()
        if not command.hidden
        for example in SAYINGS[name]["examples"]
        if example.get("needs", "") == needs
    ]


def run(command: str, directory: Path, socket: Path) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    assert words[0] == "reconciler"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("RECONCILER", "GIT_"))},
        "RECONCILER_SOCKET": str(socket),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *words[1:]],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def git(directory: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples find: `cluster.d` with two commits, the same as a CIB, and a node.yaml."""
    directory = tmp_path_factory.mktemp("site")
    (directory / "cluster.d").mkdir()
    (directory / "cluster.d" / "web.yaml").write_text(SITE)
    git(directory, "init", "--quiet", "--initial-branch=main")
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "-m", "The site")
    (directory / "cluster.d" / "places.yaml").write_text(MORE)
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "-m", "A preference")
    (directory / "node.yaml").write_text("node: n1\nstate: state\nrun: run\n")
    made = run("reconciler export cluster.d -o cib.xml", directory, directory / "none.sock")
    assert made.returncode == 0, made.stderr
    return directory


@pytest.mark.parametrize("example", examples(""))
def test_an_example_without_a_node_ends_as_it_says(example: dict[str, Any], site: Path, tmp_path: Path) -> None:
    directory = tmp_path / "site"
    shutil.copytree(site, directory)
    done = run(example["run"], directory, directory / "none.sock")
    assert done.returncode == example.get("exit", 0), done.stdout + done.stderr


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that runs `web` with the value 1; `next.d` has the value 2."""
    made = Node(tmp_path_factory.mktemp("node"))
    made.sources = "  {}"
    made.start()
    socket = Path(made.client.path)
    for folder, value in (("first.d", "1"), ("next.d", "2")):
        (made.path / folder).mkdir()
        (made.path / folder / "site.yaml").write_text(made.configuration({"web": value}))
    for command in ("reconciler plan first.d --out first.plan", "reconciler apply first.plan --yes"):
        done = run(command, made.path, socket)
        assert done.returncode == 0, done.stderr
    yield made
    made.stop()


ORDER = ["plan", "apply", "status", "history", "why", "debug", "cleanup", "fence", "rollback"]
"""In which order the examples beside a node are run: a plan is saved before it is applied."""


def test_examples_beside_a_node_end_as_they_say(node: Node) -> None:
    beside = [example for name in ORDER for example in SAYINGS[name]["examples"] if example.get("needs", "") == "node"]
    assert len(beside) == len(examples("node"))
    for example in beside:
        done = run(example["run"], node.path, Path(node.client.path))
        assert done.returncode == example.get("exit", 0), f"{example['run']}\n{done.stdout}{done.stderr}"


def test_every_command_has_sayings() -> None:
    assert set(SAYINGS) == {name for name, command in COMMANDS.items() if not command.hidden} | {"common"}


@needs("man")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_manual_page_is_legible_at_80_columns(page: Path) -> None:
    shown = subprocess.run(
        ["man", "-l", str(page)],
        env={**os.environ, "MANWIDTH": "80", "MANPAGER": "cat", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = shown.stdout.splitlines()
    assert shown.stderr == ""
    assert [line for line in lines if len(line) > 80] == []
    assert "EXIT STATUS" in lines
    assert "SEE ALSO" in lines
    if page.stem.removeprefix("reconciler-") in SAYINGS:
        assert ("EXAMPLES" in lines) is bool(SAYINGS[page.stem.removeprefix("reconciler-")]["examples"])


def test_the_table_of_actions_in_a_help_is_a_table_in_the_reference() -> None:
    page = (DOCS / "reference" / "commands.md").read_text().splitlines()
    rows = {
        name: [line.strip() for line in (import_module(module_of(name)).__doc__ or "").splitlines() if line[:1] == " "]
        for name, command in COMMANDS.items()
        if not command.hidden
    }
    assert rows["lab"], "lab has such a table"
    assert [(name, row) for name, lines in rows.items() for row in lines if row not in page] == []
