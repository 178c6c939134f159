"""Options are values: every command's parser and class agree, and options that exclude each other are usage errors."""

from __future__ import annotations

import importlib
from typing import Any, get_args

import pytest

from reconciler.cli.commands import COMMANDS, module_of
from reconciler.cli.main import command_parser, main, parsed_words
from reconciler.cli.options import USAGE_ERROR, value_of

LEAST = {
    "diff": ["a", "b"],
    "run": ["--config", "node.yaml"],
    "why": ["web"],
    "debug": ["web", "monitor"],
    "import": ["cib.xml"],
    "agents": ["list"],
    "cluster": ["status"],
    "completion": ["bash"],
    "cleanup": ["web"],
    "fence": ["confirm", "n2"],
    "doctor": ["--config", "node.yaml"],
    "lab": ["status"],
    "names": ["nodes"],
}
"""What a command needs at least, where that is more than nothing."""


def parsed(name: str, *words: str) -> Any:
    """The value that a command line stands for."""
    module = importlib.import_module(module_of(name))
    found = parsed_words(command_parser(name, module), list(words))
    return value_of(getattr(found, "kind", None) or module.Options, found)


def fields(kind: Any) -> set[str]:
    """The names of a class's options, with those of the classes inside."""
    names: set[str] = set()
    for name, hint in importlib.import_module("typing").get_type_hints(kind).items():
        names |= fields(hint) if hasattr(hint, "__frozen_fields__") else {name}
    return names


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_parser_is_a_field_of_its_value_and_the_other_way_round(name: str) -> None:
    module = importlib.import_module(module_of(name))
    found = command_parser(name, module).parse_args(LEAST.get(name, []))
    kind = getattr(found, "kind", None) or module.Options
    unused = {
        "kind",
        "action",
        "output_as",
    }  # Which subcommand it is says the class; crm_simulate's option has one value.
    assert set(vars(found)) - unused == fields(kind)
    assert parsed(name, *LEAST.get(name, [])) == parsed(name, *LEAST.get(name, []))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *(("fence", words) for words in (["node", "n2"], ["node", "n2", "--off"], ["confirm", "n2"], ["history"])),
        *(("agents", words) for words in (["list"], ["info", "a"], ["test", "a"])),
        *(("cluster", [word, "h1"]) for word in ("init", "add", "join", "remove", "recover", "forget")),
        *(("cluster", [word]) for word in ("recover", "status", "told", "leave")),
    ],
)
def test_each_subcommand_has_a_value_of_its_own(name: str, words: list[str]) -> None:
    module = importlib.import_module(module_of(name))
    found = command_parser(name, module).parse_args(words)
    assert found.kind in get_args(module.Options)
    assert set(vars(found)) - {"kind", "action"} == fields(found.kind)


def test_a_value_never_changes_and_lists_are_tuples() -> None:
    options = parsed("plan", "web.d", "--allow", "stop:a", "--allow", "fence:n1", "--node", "n1")
    assert (options.path, options.allow, options.state.node) == ("web.d", ("stop:a", "fence:n1"), ("n1",))
    with pytest.raises(AttributeError):
        options.path = "other.d"


EXCLUSIVE = [
    "plan --base a --snapshot b",
    "plan --base a --socket b",
    "plan --snapshot a --socket b",
    "plan --offline --socket b",
    "plan --snapshot a --node n1",
    "plan --json --markdown",
    "plan --dot --concise",
    "status --json --snapshot x",
    "status --watch --snapshot f",
    "show --places --format json",
    "why web --path a --snapshot b",
    "why web --path a --socket b",
    "why web --node n1",
    "verify --json --markdown",
    "import cib.xml --force",
    "agents list --class lsb --provider heartbeat",
    "simulate -x a -p",
    "simulate -p -X",
    "apply --yes .",
]


@pytest.mark.parametrize("line", EXCLUSIVE)
def test_options_that_exclude_each_other_are_a_usage_error(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(line) == USAGE_ERROR
    written = capsys.readouterr()
    assert "argument" in written.err
    assert not written.out


UNREADABLE = [
    "plan --offline --at yesterday",
    "history --limit 0",
    "history --limit ten",
    "apply --timeout -1 .",
    "apply --timeout nan .",
    "watch --debounce inf",
    "verify --jobs -3",
    "verify --survive 3",
    "agents info IPaddr2",
    "agents test ocf:pacemaker:Dummy -o nothing",
    "agents test ocf:pacemaker:Dummy --timeout soon",
    "simulate -R",
    "simulate -L",
    "completion fish",
    "plam",
]


@pytest.mark.parametrize("line", UNREADABLE)
def test_what_cannot_be_read_is_a_usage_error(line: str, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site / "cluster.d")
    assert code_of(line) == USAGE_ERROR


def code_of(line: str) -> int:
    """The exit code of a command line, run in this process."""
    try:
        return main(line.split())
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize(
    "words",
    [
        ("up", "--directory", "d", "cluster.d"),
        ("up", "cluster.d", "--directory", "d"),
        ("--directory", "d", "up", "cluster.d"),
    ],
)
def test_options_may_stand_between_the_words_of_lab(words: tuple[str, ...]) -> None:
    assert (parsed("lab", *words).words, parsed("lab", *words).directory) == (("up", "cluster.d"), "d")


def test_options_may_stand_between_the_paths_of_fmt() -> None:
    assert (parsed("fmt", "a", "--check", "b").path, parsed("fmt", "a", "--check", "b").check) == (("a", "b"), True)
    assert (parsed("fmt", "--check").path, parsed("fmt", "--check").check) == ((".",), True)
