"""No test is left out for want of what could have been installed: `ci/test` installs it."""

from __future__ import annotations

import re
from pathlib import Path

import machine
import pytest

TESTS = Path(__file__).parent
SELDOM = {
    "machine.py": "says what tests need",
    "published_cases.py": "the published cases are no package",
    "test_skips.py": "looks for the others",
}


@pytest.mark.parametrize(
    "package", sorted({*machine.PROGRAMS.values(), *machine.AGENTS.values(), *machine.HEADERS.values()} - {"bash"})
)
def test_what_tests_need_is_installed_before_them(package: str) -> None:
    script = (TESTS.parent / "ci" / "test").read_text()
    [installed] = re.findall(r"^need_packages (.*)$", script, flags=re.MULTILINE)
    assert package in installed.split()


def test_what_leaves_a_test_out_is_named_in_one_place() -> None:
    marks = re.compile(r"pytest\.skip\(|skipif\(|importorskip|mark\.skip|mark\.xfail")
    found = {path.name for path in TESTS.rglob("*.py") if marks.search(path.read_text())}
    assert found <= SELDOM.keys()
