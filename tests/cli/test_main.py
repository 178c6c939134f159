"""What holds for every command: usage errors, unknown commands, help, and what a command loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli.commands import COMMANDS

from .conftest import Run


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_option_is_a_usage_error_on_every_command(command: str, run: Run) -> None:
    done = run(command, "--no-such-option")
    assert done.returncode == 64
    assert "--no-such-option" in done.stderr or "required" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, run: Run) -> None:
    done = run(command, "--help", env={"COLUMNS": "80"})
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: reconciler {command}")
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []


def test_an_unknown_command_names_the_nearest(run: Run) -> None:
    done = run("plam")
    assert done.returncode == 64
    assert "did you mean 'plan'" in done.stderr


def test_help_lists_the_commands(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout for name, command in COMMANDS.items() if not command.hidden)


@pytest.mark.parametrize("command", ["status", "history", "apply", "rollback"])
def test_without_a_node_the_error_says_what_to_do(command: str, site: Path, run: Run) -> None:
    done = run(command, *(["cluster.d"] if command == "apply" else []))
    assert done.returncode == 1
    assert "reconciler run" in done.stderr


_HEAVY = {"rich", "git", "jsonschema", "asyncio", "watchdog", "jeepney"}


LIGHT = [
    ["status"],
    ["history"],
    ["--version"],
    ["simulate", "--help"],
    ["plan", "cluster.d"],
    ["validate", "cluster.d"],
]


@pytest.mark.parametrize("words", LIGHT)
def test_commands_load_nothing_heavy_that_they_do_not_need(words: list[str], site: Path) -> None:
    code = (
        "import sys; from reconciler.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print('loaded', *sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=site, capture_output=True, text=True, timeout=60)
    loaded = set(done.stderr.splitlines()[-1].split()[1:])
    assert not loaded & _HEAVY
