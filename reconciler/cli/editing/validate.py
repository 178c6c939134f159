"""Check configuration files, without a cluster: form, names, references, and what could never work.

Everything that is wrong is shown at once, by file, line and column. Where resource agents are installed, parameters are checked
against what is known of them: what came with them, or what they said when they were asked before. None is run, because it is the
configuration that names them; --ask-agents runs those of which nothing is known.

Exit codes: 0 valid, 1 invalid (with --strict also for warnings), 64 usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reconciler.cli.terminal.paint import Paint, add_colour_argument
from reconciler.cli.terminal.printing import say
from reconciler.errors import Finding, InputError, Severity
from reconciler.frozen import frozen

_MOST_NAMED = 5


@frozen
class Options:
    """What the command line asks for."""

    path: str
    strict: bool
    format: str
    no_agents: bool
    ask_agents: bool
    color: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "path", nargs="?", default=".", help="a directory, a file, or a git revision REV:PATH (default: .)"
    )
    parser.add_argument("--strict", action="store_true", help="warnings are errors")
    parser.add_argument(
        "--format", choices=("text", "json", "github", "sarif"), default="text", help="how findings are printed"
    )
    agents = parser.add_mutually_exclusive_group()
    agents.add_argument("--no-agents", action="store_true", help="don't look at the agents installed here")
    agents.add_argument(
        "--ask-agents",
        action="store_true",
        help="run the meta-data action of installed agents of which nothing is known",
    )
    add_colour_argument(parser)


def run(options: Options) -> int:
    """Print the findings; 0 when there is no error among them."""
    from reconciler.cli.inputs.configurations import agents_here, loaded

    agents = None if options.no_agents else agents_here(ask=options.ask_agents)
    try:
        found = loaded(options.path, strict=options.strict, agents=agents)
    except InputError as error:
        findings: Sequence[Finding] = error.findings
    else:
        findings = found.findings
    _print(options, findings)
    if agents is not None and not options.ask_agents and (unknown := agents.not_asked()):
        say(_note(unknown), sys.stderr)
    return int(any(finding.severity is Severity.ERROR for finding in findings))


def _note(unknown: Sequence[str]) -> str:
    """What was not checked, because it takes to run what the configuration names."""
    which = ", ".join(unknown[:_MOST_NAMED]) + (
        f" and {len(unknown) - _MOST_NAMED} more" * (len(unknown) > _MOST_NAMED)
    )
    return (
        f"note: parameters were not checked of agents that nobody has asked what they take (--ask-agents does): {which}"
    )


def _print(options: Options, findings: Sequence[Finding]) -> None:
    if options.format != "text":
        from reconciler.cli.editing.findings_forms import FORMS

        print(FORMS[options.format](findings))
        return
    paint = Paint(sys.stdout, options.color)
    for finding in findings:
        print(_painted(finding, paint))
        if (shown := _excerpt(finding)) is not None:
            print(shown)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    warnings = len(findings) - errors
    counts = f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
    say(f"{options.path}: {'invalid' if errors else 'valid'}: {counts}", sys.stderr if findings else sys.stdout)


def _painted(finding: Finding, paint: Paint) -> str:
    """The finding with its severity in colour."""
    word = finding.severity.value
    style = "red" if finding.severity is Severity.ERROR else "yellow"
    return str(finding).replace(f": {word}: ", f": {paint(style, word)}: ", 1)


def _excerpt(finding: Finding) -> str | None:
    """The line that the finding is about with a mark below its column; None where the file can't be shown."""
    place = finding.place
    if not place.line:
        return None
    try:
        with Path(place.file).open(encoding="utf-8") as file:
            line = next((text for number, text in enumerate(file, start=1) if number == place.line), None)
    except (OSError, UnicodeDecodeError):
        return None
    if line is None or len(line) > 200 or not line.rstrip("\n").isprintable():
        return None
    return f"    {line.rstrip()}\n    {' ' * (place.column - 1)}^" if place.column else f"    {line.rstrip()}"
