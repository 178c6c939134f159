"""The unit file: what the node needs of systemd is in it, and systemd understands it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from machine import needs

UNIT = Path(__file__).parents[2] / "share" / "systemd" / "reconciler.service"


def settings() -> dict[str, str]:
    lines = [line for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Type", "notify"),
        ("KillMode", "process"),
        ("Delegate", "yes"),
        ("OOMPolicy", "continue"),
        ("Restart", "on-failure"),
        ("StartLimitIntervalSec", "0"),
        ("RuntimeDirectoryPreserve", "yes"),
    ],
)
def test_the_services_outlive_the_node_and_the_node_comes_back(name: str, value: str) -> None:
    assert settings()[name] == value


def test_it_begins_after_what_connects_it_and_ends_before() -> None:
    connects = {"network-online.target", "corosync.service"}
    assert connects <= set(settings()["After"].split())
    assert connects == set(settings()["Wants"].split()), "it runs on without them"


def test_the_watchdog_is_more_patient_than_the_longest_decision() -> None:
    from reconciler.daemon import budget

    assert int(settings()["WatchdogSec"]) >= 3 * budget._MOST_S


def test_nothing_is_forbidden_that_the_services_would_inherit() -> None:
    forbidden = ("Protect", "Private", "NoNew", "Capab", "SystemCall", "ReadOnly", "Inaccessible", "Restrict")
    assert [name for name, value in settings().items() if name.startswith(forbidden) and value != "no"] == []


@needs("systemd-analyze")
def test_systemd_understands_it(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/bin/reconciler", sys.executable))
    words = ["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", str(unit)]
    done = subprocess.run(words, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, said) == (0, []), done.stderr
