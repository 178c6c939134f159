"""Every example in the pages is what it says it is: configurations load, rules parse, commands have these options."""

from __future__ import annotations

import importlib
import re
import shlex

import pytest
from machine import needs_agents

from reconciler.agents.metadata import MetadataLookup
from reconciler.cli.commands import COMMANDS, module_of
from reconciler.cli.main import command_parser
from reconciler.daemon.config import parse_config
from reconciler.errors import Severity
from reconciler.language import load
from reconciler.language.reading.expectations import read_expectations
from reconciler.model.rule_text import parse_rule, show_rule

from .citations import ROOT
from .fences import Block, blocks

YAML = list(blocks("yaml"))
MISSING = frozenset(
    {"unknown-resource", "unknown-node", "unknown-secret", "unknown-template", "fencing-without-device"}
)
"""What a part of a configuration may lack."""


def yaml_of(*words: str) -> list[object]:
    return [pytest.param(block, id=block.place) for block in YAML if block.word in words]


@pytest.mark.parametrize("block", yaml_of(""))
def test_a_configuration_is_valid_as_it_stands(block: Block) -> None:
    loaded = load({"site.yaml": block.text.encode()})
    assert [str(finding) for finding in loaded.findings] == []
    assert loaded.configuration is not None


@needs_agents("heartbeat")
@needs_agents("pacemaker")
@pytest.mark.parametrize("block", yaml_of(""))
def test_a_configuration_is_valid_with_the_agents_that_it_names(block: Block) -> None:
    lookup = MetadataLookup()
    loaded = load({"site.yaml": block.text.encode()}, agents=lookup)
    assert [str(finding) for finding in loaded.findings] == []


@pytest.mark.parametrize("block", yaml_of("part"))
def test_a_part_of_a_configuration_lacks_only_what_it_refers_to(block: Block) -> None:
    findings = load({"part.yaml": block.text.encode()}).findings
    wrong = [finding for finding in findings if finding.severity is Severity.ERROR and finding.code not in MISSING]
    assert [str(finding) for finding in wrong] == []


@pytest.mark.parametrize("block", yaml_of("node.yaml"))
def test_a_node_yaml_is_read(block: Block) -> None:
    parse_config("node.yaml", block.text.encode())


@pytest.mark.parametrize("block", yaml_of("tests/site.yaml"))
def test_properties_are_read(block: Block) -> None:
    expectations, findings = read_expectations({"tests/site.yaml": block.text.encode()})
    assert expectations
    assert findings == ()


def test_no_block_of_yaml_is_of_a_kind_that_nobody_reads() -> None:
    known = {"", "part", "node.yaml", "tests/site.yaml"}
    assert [block.place for block in YAML if block.word not in known] == []


RULES = [(block.place, line) for block in blocks("rule") for line in block.text.splitlines()]


@pytest.mark.parametrize(("place", "line"), RULES)
def test_a_rule_is_read_and_written_back(place: str, line: str) -> None:
    rule = parse_rule(line)
    shown = show_rule(rule)
    assert shown is not None
    assert parse_rule(shown) == rule, place


def commands() -> list[object]:
    """Each command line that begins with `reconciler`, without its remark."""
    found = []
    for block in blocks("sh"):
        for line in block.text.splitlines():
            for piece in re.split(r"; (?=reconciler )", line.partition("  #")[0]):
                if piece.strip().startswith("reconciler "):
                    found.append(pytest.param(piece.strip(), id=f"{block.place} {piece.strip()}"))
    return found


@pytest.mark.parametrize("line", commands())
def test_a_command_line_has_options_that_there_are(line: str) -> None:
    words = shlex.split(re.sub(r"[<>] ?\S+.*|\|.*", "", line), comments=True)[1:]
    assert words[0] in COMMANDS
    parser = command_parser(words[0], importlib.import_module(module_of(words[0])))
    parser.parse_args(words[1:])  # Ends the process with 64 when it can't be.


def test_the_first_example_of_the_readme_is_a_whole_configuration() -> None:
    first = next(blocks("yaml", ROOT / "README.md"))
    assert first.word == ""
    assert "primitives:" in first.text
