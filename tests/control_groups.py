"""Control groups that a test made, taken away when it ends: what still runs in them is killed first."""

from __future__ import annotations

import time

from reconciler.agents.cgroup import delegated_tree

_GONE_WITHIN_S = 5.0


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
