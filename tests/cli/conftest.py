"""Commands as users run them: real processes, in a directory of their own, with no daemon about."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

SITE = """\
cluster:
  name: web-prod
  options: {fencing-enabled: false}
nodes:
  n1: {}
  n2: {}
primitives:
  ip:
    agent: ocf:pacemaker:Dummy
    params: {fake: 10.0.0.7}
    operations:
      monitor: {interval: 30s}
  web:
    agent: ocf:pacemaker:Dummy
    meta: {resource-stickiness: 100}
    operations:
      monitor: {interval: 1min}
constraints:
  colocations:
    web-with-ip: {resource: web, with: ip, score: INFINITY}
  orders:
    ip-then-web: {first: ip, then: web}
  locations:
    prefer-n1: {resource: ip, node: n1, score: 500}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory with `cluster.d`, a small valid configuration."""
    (tmp_path / "cluster.d").mkdir()
    (tmp_path / "cluster.d" / "site.yaml").write_text(SITE)
    return tmp_path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `reconciler` with the words, in the test's directory; the answer has code, output and errors."""

    def call(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
        environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("RECONCILER", "GIT_", "NO_COLOR"))
            },
            "RECONCILER_SOCKET": str(tmp_path / "no-such.sock"),
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
        }
        environment.update(more.pop("env", {}))  # type: ignore[call-overload]  # A mapping of texts.
        return subprocess.run(
            [sys.executable, "-m", "reconciler", *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
            **more,  # type: ignore[call-overload]  # Whatever subprocess.run takes.
        )

    return call
