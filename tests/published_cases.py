"""The published scheduler cases beside the repository, and the program that they were made with; tests without them are skipped."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from machine import needs

CONFORMANCE = Path(__file__).resolve().parents[1].parent / "shared" / "conformance"
CASES = CONFORMANCE / "cases"

needs_cases = pytest.mark.skipif(
    not CASES.is_dir(),
    reason="the published cases (../shared/conformance) are no part of this repository and do not lie beside it",
)
SITUATIONS = CONFORMANCE.parent / "cases" / "found-by-users"
needs_situations = pytest.mark.skipif(
    not SITUATIONS.is_dir(),
    reason="the situations (../shared/cases/found-by-users) are no part of this repository and do not lie beside it",
)
needs_oracle = needs("crm_simulate")


@cache
def catalogue() -> tuple[dict[str, Any], ...]:
    """Name, arguments and tags of every case; empty without the cases."""
    if not CASES.is_dir():
        return ()
    return tuple(json.loads((CASES / "catalogue.json").read_text())["cases"])


def xml_of(name: str) -> Path:
    """The document of a case."""
    return CASES / "xml" / f"{name}.xml"


@cache
def judge() -> ModuleType:
    """The module that compares texts at the conformance levels."""
    spec = importlib.util.spec_from_file_location("conformance_judge", CONFORMANCE / "conformance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def oracle(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of Pacemaker's programs in UTC and the C locale."""
    environment = os.environ | {"LC_ALL": "C", "TZ": "UTC"}
    command = [str(word) for word in words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
