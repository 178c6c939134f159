"""The entry point: picks the command, loads only its module, and turns what goes wrong into a message and an exit code.

Exit codes (the design of the command line, "Exit codes"): 64 is a usage error on every command, 124 a timeout, 130 an
interruption; the others are the command's own. argparse would end with 2 on a usage error, which means "changes present" to a
pipeline that runs `plan`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NoReturn

from reconciler.cli.commands import COMMANDS, module_of
from reconciler.cli.options import USAGE_ERROR, UsageError, value_of
from reconciler.cli.terminal.printing import complain
from reconciler.errors import InputError, ReconcilerError
from reconciler.version import __version__

INTERRUPTED = 130


class HelpText(argparse.HelpFormatter):
    """Help as wide as the terminal; argparse would load half the standard library to find that out, on every start."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Paragraphs stay paragraphs; lines that are commands, or the rows of a table, stay lines."""
        paragraphs = text.strip().split("\n\n")
        return "\n\n".join(self._filled(paragraph, width, indent) for paragraph in paragraphs)

    def _filled(self, paragraph: str, width: int, indent: str) -> str:
        if paragraph.startswith("reconciler "):
            return paragraph
        if paragraph.startswith(" "):
            return "\n".join(_row(line, width) for line in paragraph.splitlines())
        return super()._fill_text(paragraph, width, indent)


def _row(line: str, width: int) -> str:
    """A row of two columns, the second of which is wrapped below itself."""
    import textwrap  # Help alone needs it.

    second = len(line) - len(line.lstrip()) + len(line.lstrip().partition("  ")[0])
    second += len(line[second:]) - len(line[second:].lstrip())
    return textwrap.fill(line, width, subsequent_indent=" " * second)


def _columns() -> int:
    if (given := os.environ.get("COLUMNS", "")).isdecimal() and int(given) > 20:
        return int(given)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ is not None else 1).columns or 80
    except (OSError, ValueError):
        return 80


class Parser(argparse.ArgumentParser):
    """An argument parser whose usage errors end with 64. `spelled_out` adds to its words what may be left out."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.spelled_out: Callable[[list[str]], list[str]] = list

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The same for the words with what was left out."""
        return super().parse_known_args(self.spelled_out(list(sys.argv[1:] if args is None else args)), namespace)

    @property
    def takes_a_list(self) -> bool:
        """Whether it takes any number of words."""
        return any(action.nargs in ("*", "+") for action in self._get_positional_actions())

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and exit with 64."""
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: error: {message}\n")


def command_parser(name: str, module: ModuleType) -> Parser:
    """The parser of one command."""
    parser = Parser(prog=f"reconciler {name}", description=module.__doc__, formatter_class=HelpText)
    parser.spelled_out = getattr(module, "spelled_out", list)
    module.add_arguments(parser)
    return parser


def parsed_words(parser: Parser, words: list[str]) -> argparse.Namespace:
    """The command line, in which options may stand between the words of a list, too; argparse does that only on request."""
    return parser.parse_intermixed_args(words) if parser.takes_a_list else parser.parse_args(words)


def full_parser() -> Parser:
    """The parser of everything, for completion scripts and manual pages; it loads every command's module."""
    parser = Parser(prog="reconciler", description=(sys.modules["reconciler"].__doc__ or "").partition("\n")[0])
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        if command.hidden:
            continue
        module = importlib.import_module(module_of(name))
        sub = subparsers.add_parser(name, help=command.help, description=module.__doc__)
        module.add_arguments(sub)
    return parser


def overview() -> str:
    """What `reconciler --help` prints."""
    width = max(len(name) for name, command in COMMANDS.items() if not command.hidden)
    lines = [f"  {name:{width}}  {command.help}" for name, command in COMMANDS.items() if not command.hidden]
    return "\n".join(
        [
            "usage: reconciler COMMAND [OPTION …]",
            "",
            "A high-availability cluster manager whose configuration lives in git.",
            "",
            "commands:",
            *lines,
            "",
            "`reconciler COMMAND --help` says more about one; `reconciler --version` prints the version.",
            "",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _finish(_dispatch(words))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _output_lost()
    except ReconcilerError as error:
        return _finish(_report(error))


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview(), end="", file=sys.stdout if words else sys.stderr)
        return 0 if words else USAGE_ERROR
    if words[0] in ("-V", "--version"):
        print(f"reconciler {__version__}")
        return 0
    if words[0] not in COMMANDS:
        return _unknown(words[0])
    module = importlib.import_module(module_of(words[0]))
    parser = command_parser(words[0], module)
    try:
        parsed = parsed_words(parser, words[1:])
        return int(module.run(value_of(getattr(parsed, "kind", None) or module.Options, parsed)))
    except UsageError as error:
        parser.error(str(error))


def _unknown(word: str) -> int:
    from reconciler.language.text.nearest import nearest

    near = nearest(word, COMMANDS)
    hint = f"; did you mean '{near}'?" if near is not None else ""
    complain(f"reconciler: error: there is no command '{word}'{hint} (see reconciler --help)")
    return USAGE_ERROR


def _report(error: ReconcilerError) -> int:
    if isinstance(error, InputError):
        print(*error.findings, sep="\n", file=sys.stderr)
        return error.exit_code
    cause = f": {error.__cause__}" if error.__cause__ is not None else ""
    complain(f"reconciler: error: {error}{cause} [{error.code}]")
    return error.exit_code


def _finish(code: int) -> int:
    """Flush what was printed: an answer that did not arrive is a failure, never a success."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _output_lost()
    except OSError as error:
        print(f"reconciler: error: write the output: {error.strerror}", file=sys.stderr)
        return _output_lost()
    return code


def _output_lost() -> int:
    """Keep the interpreter from failing once more while it closes standard output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


if __name__ == "__main__":
    sys.exit(main())
