"""A git command as a child process: what it may use, and that it goes first when the machine runs out of memory."""

from __future__ import annotations

import resource
from pathlib import Path

from reconciler.sources.git_command import end_git, start_git
from reconciler.sources.repository import Repository


def test_a_command_has_limits_of_memory_and_time_and_ends_before_the_services(repository: Repository) -> None:
    child = start_git(repository.path, "cat-file", "--batch")
    try:
        soft = {
            name: resource.prlimit(child.pid, getattr(resource, f"RLIMIT_{name}"))[0] for name in ("AS", "CPU", "CORE")
        }
        score = int(Path(f"/proc/{child.pid}/oom_score_adj").read_text())
    finally:
        end_git(child)
    assert 0 < soft["AS"] <= 4 << 30
    assert 0 < soft["CPU"] <= 600
    assert soft["CORE"] == 0
    assert score > int(Path("/proc/self/oom_score_adj").read_text())
