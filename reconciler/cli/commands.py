"""The table of commands: what each is for, and the module that holds it, loaded only when the command is called.

A module `cli/cmd_<name>.py` has two functions: `add_arguments(parser)` declares its options, `run(args) -> int` carries the command out
and returns the exit code.
"""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One command: the line that help shows, and whether help lists it."""

    help: str
    hidden: bool = False


COMMANDS: dict[str, Command] = {
    "validate": Command("check configuration files, without a cluster"),
    "fmt": Command("rewrite configuration files in the canonical form"),
    "show": Command("print the effective configuration, or a saved plan"),
    "diff": Command("compare two configurations: directories, git revisions or versions"),
    "plan": Command("show what a configuration would change, and why"),
    "apply": Command("make a configuration or a saved plan the active one"),
    "watch": Command("apply a directory whenever it changes"),
    "status": Command("what runs where"),
    "history": Command("the versions of the configuration that were active"),
    "rollback": Command("make an earlier version the active one again"),
    "cleanup": Command("forget the failures of a resource, so that it may run again"),
    "run": Command("be the node: the daemon"),
    "simulate": Command("what the scheduler decides for a Pacemaker CIB, as crm_simulate prints it"),
    "why": Command("why a resource is, or is not, where it is"),
    "verify": Command("what every single or double failure would do"),
    "import": Command("turn a Pacemaker CIB into this configuration"),
    "export": Command("turn this configuration into a Pacemaker CIB"),
    "agents": Command("list, describe and test resource agents"),
    "completion": Command("print the completion script for a shell"),
}
"""Commands in the order in which help lists them."""


def module_of(name: str) -> str:
    """The module that holds a command."""
    return f"reconciler.cli.cmd_{name.strip('_').replace('-', '_')}"
