"""The page about the command line names the codes, kinds and types that programs get, all of them and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from reconciler.analysis import consequences, guards
from reconciler.cli.planning import progress

from .citations import DOCS

PAGE = (DOCS / "command-line.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def first_texts(module: str, name: str) -> Iterator[str]:
    """The first argument of each call of that name, both ends of a choice, and what is yielded as a first of several."""
    for node in ast.walk(ast.parse(Path(module).read_text())):
        first: ast.expr | None = None
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", getattr(node.func, "attr", "")) == name
            and node.args
        ):
            first = node.args[0]
        elif name == "yield" and isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
            first = node.value.elts[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def test_the_codes_of_reasons() -> None:
    used = {*first_texts(consequences.__file__, "Because"), *consequences._CODES.values()}
    used |= {
        "params_reloadable",
        "params_not_reloadable",
        "target_role",
        "config_changed",
    }  # What `_touched` chooses from.
    assert set(re.findall(r"`(\w+)`", section("because codes"))) == used


def test_the_kinds_of_consent() -> None:
    told = section("Consent")
    kinds = re.findall(r"^\| `(\w+)` \|.*\| ?(yes)? ?\|$", told, re.MULTILINE)
    assert {kind for kind, _ in kinds} == set(guards.KINDS)
    assert {kind for kind, holds in kinds if holds} == set(guards.HELD_PUSHES)
    assert all(f"`{kind}` (" in told for kind in guards.WARNINGS)
    used = {*first_texts(guards.__file__, "Guard"), "fencing_disabled", "quorum_change"}
    assert used == {*guards.KINDS, *guards.WARNINGS}


def test_the_types_of_lines() -> None:
    told = section("Machine formats").partition("with the types")[2].partition(";")[0]
    used = {
        *first_texts(progress.__file__, "_write"),
        *first_texts(progress.__file__, "yield"),
        *progress._STEPS.values(),
    }
    assert set(re.findall(r"`(\w+)`", told)) == used
