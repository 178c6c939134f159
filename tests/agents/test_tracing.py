"""Agents that are shell scripts are traced; what is none is not run at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.agents.tracing import traced


@pytest.mark.parametrize(
    ("first", "found"),
    [
        ("#!/bin/sh", ("/bin/sh", "-x")),
        ("#!/bin/bash -e", ("/bin/bash", "-e", "-x")),
        ("#!/usr/bin/env bash", ("/bin/bash", "-x")),
        ("#! /usr/bin/ksh", ("/usr/bin/ksh", "-x")),
        ("#!/usr/bin/python3", None),
        ("\x7fELF", None),
        ("", None),
    ],
)
def test_scripts_are_known_by_their_first_line(tmp_path: Path, first: str, found: tuple[str, ...] | None) -> None:
    path = tmp_path / "agent"
    path.write_text(f"{first}\necho hello\n")
    assert traced((str(path), "monitor")) == (None if found is None else (*found, str(path), "monitor"))


def test_what_a_shell_is_started_for_is_traced() -> None:
    assert traced(("/bin/sh", "/some/agent", "start")) == ("/bin/sh", "-x", "/some/agent", "start")


def test_what_is_not_there_is_not_traced(tmp_path: Path) -> None:
    assert traced((str(tmp_path / "none"), "start")) is None
