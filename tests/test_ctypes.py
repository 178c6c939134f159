"""C is called where that is the subject of a module, and nowhere else: a wrong signature there is a crash that no test sees."""

from __future__ import annotations

import ast
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "reconciler"
PLACES = {
    "agents/kernel.py": "what the kernel offers and Python's library does not",
    "fabric/corosync/library.py": "corosync's structures and functions",
    "fabric/corosync/connection.py": "the calls of them",
}


def test_c_is_called_in_named_places_alone() -> None:
    found = {
        str(path.relative_to(PROGRAM))
        for path in PROGRAM.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(one.name.split(".")[0] == "ctypes" for one in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ctypes")
    }
    assert found == PLACES.keys()
