"""What all forms of a plan say of a value that changes."""

from __future__ import annotations

import pytest

from reconciler.cib.difference import ConfigChange
from reconciler.cli.planning.facts import LONGEST_VALUE, change_value

LONG = "x" * 100


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("1", "2", '"1" -> "2"'),
        ("a\nb", "a\nc", '"a\\nb" -> "a\\nc"'),
        (f"{LONG}old", f"{LONG}new", '…xxxxxxxxxxxxold" -> …xxxxxxxxxxxxnew"'),
        (f"old{LONG}", f"new{LONG}", f'"old{"x" * (LONGEST_VALUE - 5)}… -> "new{"x" * (LONGEST_VALUE - 5)}…'),
        (LONG, LONG + "y", '…xxxxxxxxxxxx" -> …xxxxxxxxxxxxy"'),
        (None, LONG, f'(nothing) -> "{"x" * (LONGEST_VALUE - 2)}…'),
    ],
)
def test_of_long_values_is_shown_where_they_differ(before: str | None, after: str, text: str) -> None:
    assert change_value(ConfigChange(("primitives", "a", "params", "p"), "change", before, after)).strip() == text
