"""The table of commands: what each is for, and the module that holds it, loaded only when the command is called.

A command's module has a frozen class `Options` and two functions: `add_arguments(parser)` declares the options, `run(options) -> int`
carries the command out and returns the exit code. A parser of a subcommand names its own class (`set_defaults(kind=…)`); where its word may
be left out, the module's `spelled_out(words)` adds it. Modules are named by text and imported when called, so that a command starts
without the other ones.
"""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One command: its module below `reconciler.cli`, the line that help shows, and whether help lists it."""

    module: str
    help: str
    hidden: bool = False


COMMANDS: dict[str, Command] = {
    "validate": Command("editing.validate", "check configuration files, without a cluster"),
    "fmt": Command("editing.fmt", "rewrite configuration files in the canonical form"),
    "show": Command("editing.show", "print the effective configuration, or a saved plan"),
    "diff": Command("editing.diff", "compare two configurations: directories, git revisions or versions"),
    "plan": Command("planning.plan", "show what a configuration would change, and why"),
    "apply": Command("planning.apply", "make a configuration or a saved plan the active one"),
    "watch": Command("planning.watch", "apply a directory whenever it changes"),
    "status": Command("node.status", "what runs where"),
    "history": Command("node.history", "the versions of the configuration that were active"),
    "rollback": Command("planning.rollback", "make an earlier version the active one again"),
    "cleanup": Command("node.cleanup", "forget the failures of a resource, so that it may run again"),
    "fence": Command("node.fence", "fence a node, show what was fenced, or confirm that a node is off"),
    "cluster": Command("cluster.cluster", "make a cluster of several machines, and change which nodes it has"),
    "run": Command("node.run", "be the node: the daemon"),
    "doctor": Command("node.doctor", "what would let others in, let the node down, or mislead it"),
    "simulate": Command(
        "pacemaker.simulate", "what the scheduler decides for a Pacemaker CIB, as crm_simulate prints it"
    ),
    "why": Command("explaining.why", "why a resource is, or is not, where it is"),
    "debug": Command("explaining.debug", "run one operation of a resource by hand, and see what its agent says"),
    "verify": Command("explaining.verify", "what every single or double failure would do"),
    "import": Command("pacemaker.importing", "turn a Pacemaker CIB into this configuration"),
    "export": Command("pacemaker.exporting", "turn this configuration into a Pacemaker CIB"),
    "agents": Command("agents.agents", "list, describe and test resource agents"),
    "lab": Command("lab.lab", "several nodes on one machine with faults on command, or whole clusters simulated"),
    "completion": Command("shell.completion", "print the completion script for a shell"),
    "names": Command(
        "shell.names", "names of resources, nodes, versions or agents, for completion scripts", hidden=True
    ),
}
"""Commands in the order in which help lists them."""


def module_of(name: str) -> str:
    """The module that holds a command."""
    return f"reconciler.cli.{COMMANDS[name].module}"
