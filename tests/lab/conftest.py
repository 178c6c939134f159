"""A lab for each test, of which nothing is left afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.fabric.lab.wire import LabError

from .harness import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab that was not started yet."""
    made = Lab(tmp_path / "lab")
    yield made
    with contextlib.suppress(LabError):
        made.tell("down")
