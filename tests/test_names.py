"""One name of a class has one meaning, wherever in the program it stands."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "reconciler"
CONVENTIONS = {"Options": "each command's own, in a module named after the command; no module has two of them"}


def test_no_two_classes_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PROGRAM.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(PROGRAM)))
    shared = {name: found for name, found in places.items() if len(found) > 1 and name not in CONVENTIONS}
    assert not shared, "\n".join(f"{name}: {', '.join(found)}" for name, found in shared.items())
