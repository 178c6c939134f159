"""Which agents a node has, as it travels: packed, bounded, and read from anybody."""

from __future__ import annotations

import asyncio
import base64
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.agents.installed import Roots
from reconciler.daemon.agent_lists import AgentLists, packed_names, unpacked_names

NAMES = st.lists(st.text("abcdefghij:-_.@0123456789", min_size=1, max_size=40), max_size=300, unique=True)


@given(NAMES)
def test_what_is_packed_is_unpacked(names: list[str]) -> None:
    packed = packed_names(names)
    assert packed is not None
    assert unpacked_names(packed) == sorted(names)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "!!!!",
        base64.b64encode(b"no zlib").decode(),
        base64.b64encode(zlib.compress(b"\xff\xfe")).decode(),
        "A" * 100_000,
    ],
)
def test_what_can_not_be_read_names_nothing(text: str) -> None:
    assert unpacked_names(text) == []


def test_a_bomb_is_unpacked_to_its_bound_only() -> None:
    bomb = base64.b64encode(zlib.compress(b"a" * 40_000_000, 9)).decode()
    assert sum(map(len, unpacked_names(bomb))) <= 512 * 1024


def test_names_that_would_be_too_long_are_not_told() -> None:
    import random

    chance = random.Random(1)
    names = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=40)) for _ in range(5_000)]
    assert packed_names(names) is None


def test_it_is_told_to_others_alone_and_again_once_something_was_installed(tmp_path: Path) -> None:
    told: list[list[str]] = []
    node = SimpleNamespace(members=("n1",))

    def tell(event: Any) -> None:
        told.append([name for name in unpacked_names(event.values["#agents"]) if name.startswith("ocf:x:")])

    shell: Any = SimpleNamespace(node=node, tell=tell)
    lists = AgentLists(shell, Roots(ocf=(str(tmp_path),), lsb=(), stonith=()))
    agents = tmp_path / "resource.d" / "x"
    agents.mkdir(parents=True)

    def install(name: str) -> None:
        (agents / name).write_text("#!/bin/sh\n")
        (agents / name).chmod(0o755)

    install("web")
    asyncio.run(lists.look())
    assert told == [], "a node alone"
    node.members = ("n1", "n2")
    asyncio.run(lists.look())
    assert told == [["ocf:x:web"]]
    install("db")
    asyncio.run(lists.look())
    assert told[1:] == [["ocf:x:db", "ocf:x:web"]]
    asyncio.run(lists.look())
    assert told[2] == told[1], "who was away meanwhile, or came, hears it; the core sends what nobody knows alone"
