"""No module imports, by way of others, itself: any module can be read, imported and tested with what it names.

Nor does a room (a folder), even where only types are imported: whoever reads it needs to know nothing of what is built on it.
"""

from __future__ import annotations

import graphlib
from collections.abc import Mapping, Set
from pathlib import Path

import grimp

import reconciler

ROOT = Path(reconciler.__file__).parent.parent


def test_no_circle_of_imports_at_run_time() -> None:
    graph = grimp.build_graph("reconciler", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert circle(imports) is None
    assert sum(map(len, imports.values())) > 1000


def test_no_circle_of_rooms_types_included() -> None:
    graph = grimp.build_graph("reconciler", cache_dir=None)
    rooms: dict[str, set[str]] = {}
    for module in graph.modules:
        own = rooms.setdefault(room(module), set())
        own |= {room(other) for other in graph.find_modules_directly_imported_by(module)}
    assert circle({own: {one for one in others if apart(own, one)} for own, others in rooms.items()}) is None
    assert len(rooms) > 40


def room(module: str) -> str:
    """The folder in which a module lies."""
    return module if (ROOT / module.replace(".", "/")).is_dir() else module.rpartition(".")[0]


def apart(one: str, other: str) -> bool:
    """Whether neither folder is inside the other: what lies beside the rooms of a house is its door."""
    return not f"{one}.".startswith(f"{other}.") and not f"{other}.".startswith(f"{one}.")


def circle(imports: Mapping[str, Set[str]]) -> str | None:
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return " <- ".join(error.args[1])
    return None


def test_a_circle_is_seen() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) is not None
