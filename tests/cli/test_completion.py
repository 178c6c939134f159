"""What bash completes: files, and names that the program itself is asked for; asked of bash itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from machine import needs, needs_agents

from reconciler.cli.shell import completion

SCRIPT = Path(completion.__file__).with_name("completions") / "reconciler.bash"
CONFIGURATION = """\
nodes: {n1: , n2: }
cluster: {options: {fencing-enabled: false}}
primitives: {web: {agent: ocf:reconciler:Dummy}, db: {agent: ocf:reconciler:Dummy}}
"""
ASK = """
source "$1"
COMP_LINE="$2"; COMP_POINT=${#COMP_LINE}
# As bash splits words: at blanks, and at colons, which are words of their own.
read -ra COMP_WORDS <<< "${COMP_LINE//:/ : }"
[[ "$COMP_LINE" == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }
_reconciler
printf '%s\\n' "${COMPREPLY[@]}"
"""
VERSIONS = """[ "$*" = "names versions" ] && exec echo "0.1.0 0.2.0" # As a daemon with two of them would answer."""
COMPLETED = [
    ("reconciler why w", ["web"]),
    ("reconciler why ", ["db", "web"]),
    ("reconciler cleanup d", ["db"]),
    ("reconciler why web --on ", ["n1", "n2"]),
    ("reconciler validate clus", ["cluster.d"]),
    ("reconciler plan --out pl", ["plan.file"]),
    ("reconciler diff clus", ["cluster.d"]),
    ("reconciler diff 0.", ["0.1.0", "0.2.0"]),
    ("reconciler diff 0.1.0 0.2", ["0.2.0"]),
    ("reconciler show 0.1", ["0.1.0"]),
    ("reconciler show clus", ["cluster.d"]),
    ("reconciler plan --base 0.1", ["0.1.0"]),
    ("reconciler rollback 0.1", ["0.1.0"]),
    ("reconciler validate 0.1", []),
    ("reconciler hist", ["history"]),
]


@needs("bash")
@pytest.mark.parametrize(("line", "expected"), COMPLETED)
def test_bash(line: str, expected: list[str], tmp_path: Path) -> None:
    assert completed(line, tmp_path) == expected


@needs("bash")
@needs_agents("pacemaker")
def test_bash_goes_on_behind_the_colon_of_an_agent(tmp_path: Path) -> None:
    assert completed("reconciler agents info ocf:pacemaker:Dum", tmp_path) == ["Dummy"]


def completed(line: str, directory: Path) -> list[str]:
    """What bash offers in a directory with a configuration and a plan."""
    (directory / "cluster.d").mkdir()
    (directory / "cluster.d" / "site.yaml").write_text(CONFIGURATION)
    (directory / "plan.file").touch()
    programs = directory / "bin"
    programs.mkdir()
    program = programs / "reconciler"
    program.write_text(f'#!/bin/sh\n{VERSIONS}\nexec {sys.executable} -m reconciler "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "RECONCILER_SOCKET": str(directory / "no-such.sock"),
    }
    done = subprocess.run(
        ["bash", "-c", ASK, "bash", SCRIPT, line],
        capture_output=True,
        text=True,
        check=True,
        cwd=directory,
        env=environment,
    )
    return sorted(word for word in done.stdout.split("\n") if word)
