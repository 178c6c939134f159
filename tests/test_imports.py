"""No module imports, by way of others, itself: any module can be read, imported and tested with what it names."""

from __future__ import annotations

import graphlib

import grimp


def test_no_circle_of_imports_at_run_time() -> None:
    graph = grimp.build_graph("reconciler", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        circle = " <- ".join(error.args[1])
        raise AssertionError(circle) from None
    assert sum(map(len, imports.values())) > 1000
