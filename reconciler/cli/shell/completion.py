"""Print the script that makes a shell complete this program's commands and options.

reconciler completion bash > /etc/bash_completion.d/reconciler
reconciler completion zsh > "${fpath[1]}/_reconciler"
reconciler completion tcsh > /etc/profile.d/reconciler.csh
"""

from __future__ import annotations

import argparse
from pathlib import Path

from reconciler.frozen import frozen

SHELLS = ("bash", "zsh", "tcsh")


@frozen
class Options:
    """What the command line asks for."""

    shell: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("shell", choices=SHELLS, help="the shell to complete in")


def run(options: Options) -> int:
    """Print the script, which was generated from the parsers of all commands (ci/generate)."""
    print(Path(__file__).with_name("completions").joinpath(f"reconciler.{options.shell}").read_text(), end="")
    return 0
