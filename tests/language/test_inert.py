"""What is kept and has no effect here is said to have none: in one finding for all, and only where it is not the default."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from planted import CLEAN, change, judged

import reconciler
from reconciler.errors import Severity
from reconciler.model.settings import CLUSTER_OPTIONS, FENCING_PARAMETERS, Setting

INERT_OPTIONS = [setting for setting in CLUSTER_OPTIONS.values() if setting.inert]
INERT_PARAMETERS = [setting for setting in FENCING_PARAMETERS.values() if setting.inert]
WORTH = {"boolean": "true", "duration": "7s", "percentage": "7%"}
"""For each kind of setting a value that is nobody's default."""


def other(setting: Setting) -> str:
    return WORTH.get(setting.kind, "7")


def options(settings: dict[str, str]) -> str:
    more = "".join(f", {name}: {value}" for name, value in settings.items())
    return change(("fencing-timeout: 90s", f"fencing-timeout: 90s{more}"))


def parameters(settings: dict[str, str]) -> str:
    more = "".join(f", {name}: {value}" for name, value in settings.items())
    return change(("pcmk_host_list: n1 n2}}", f"pcmk_host_list: n1 n2{more}}}}}"))


def warned(text: str) -> list[str]:
    """The texts of all findings, each of which is a warning of what has no effect."""
    found = judged(text).findings
    assert {(one.code, one.severity) for one in found} <= {("not-acted-upon", Severity.WARNING)}
    return [one.text for one in found]


@pytest.mark.parametrize("setting", INERT_OPTIONS, ids=lambda setting: setting.name)
def test_an_option_without_effect_is_warned_of_where_it_is_not_its_default(setting: Setting) -> None:
    assert warned(options({setting.name: other(setting)})) == [f"options that have no effect here: {setting.name}"]
    assert warned(options({setting.name: setting.default})) == []


@pytest.mark.parametrize("setting", INERT_PARAMETERS, ids=lambda setting: setting.name)
def test_a_parameter_without_effect_is_warned_of_where_it_is_not_its_default(setting: Setting) -> None:
    named = f"parameters of fence devices that have no effect here: {setting.name}"
    assert warned(parameters({setting.name: other(setting)})) == [named]
    assert warned(parameters({setting.name: setting.default})) == []


def test_one_finding_names_them_all_at_the_first_place() -> None:
    (found,) = judged(options({setting.name: other(setting) for setting in INERT_OPTIONS})).findings
    assert found.text.partition(": ")[2].split(", ") == sorted(setting.name for setting in INERT_OPTIONS)
    line = next(line for line in CLEAN.splitlines() if "fencing-timeout" in line)
    column = line.index("90s") + len(f"90s, {INERT_OPTIONS[0].name}: ") + 1
    assert (found.place.line, found.place.column) == (3, column)


def test_what_a_template_of_devices_sets_is_found_there() -> None:
    text = change(
        ("templates:\n", "templates:\n  ipmi: {agent: 'stonith:fence_ipmilan', params: {pcmk_action_limit: -1}}\n"),
        ("f1: {agent: 'stonith:fence_ipmilan', ", "f1: {template: ipmi, "),
    )
    (found,) = judged(text).findings
    assert (found.code, found.place.line) == ("not-acted-upon", 10)


@pytest.mark.parametrize("value", ["60000ms", "1min", "PT60S"])
def test_another_spelling_of_the_default_is_the_default(value: str) -> None:
    assert warned(options({"cluster-delay": value})) == []


# Whether it is true

_NO_READERS = ("interop", "language", "model", "analysis", "cli", "crm", "simulator")
"""Packages that carry settings from one form into another, judge them, or show them: nothing in a running cluster is done by them."""
_SAID = {"cluster-infrastructure", "dc-version", "last-lrm-refresh"}
"""What tools write down for people."""
_GRAPH_ONLY = {"cluster-delay"}
_WATCHDOGS = {"fencing-watchdog-timeout"}
"""Who counts on these has a finding of its own."""


@cache
def acting() -> str:
    """The source of what decides and acts."""
    root = Path(reconciler.__file__).parent
    files = (path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in _NO_READERS)
    return "\n".join(path.read_text() for path in files)


def test_an_option_is_without_effect_when_nothing_reads_it() -> None:
    unread = {
        setting.name
        for setting in CLUSTER_OPTIONS.values()
        if not any(f'"{name}"' in acting() for name in {setting.name, setting.key})
    }
    deprecated = {setting.name for setting in CLUSTER_OPTIONS.values() if setting.deprecated}
    assert unread - _SAID - _WATCHDOGS - deprecated == {setting.name for setting in INERT_OPTIONS} - _GRAPH_ONLY
