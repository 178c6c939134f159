"""Control groups of tests: which tests are about them, and that what a test made is taken away when it ends."""

from __future__ import annotations

import time

import pytest

from reconciler.agents.cgroup import delegated_tree

_GONE_WITHIN_S = 5.0

in_control_groups = pytest.mark.parametrize("cgroups", ["cgroup"], indirect=True)
"""For a test that is about control groups, among those that are run with them and without."""


def remove_control_groups(node: str, run_directory: str) -> None:
    """Nothing of what the node with this run directory started runs any more, and its control groups are gone."""
    tree = delegated_tree(node, run_directory)
    if tree is None:
        return
    end = time.monotonic() + _GONE_WITHIN_S
    while (groups := tree.all_groups()) and time.monotonic() < end:
        for group in groups:
            group.kill()
            group.remove()
        time.sleep(0.01)
    tree.close()
