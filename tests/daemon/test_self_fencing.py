"""A node ends its own machine, as node.yaml allows it; the kernel's trigger is a file here."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from reconciler.cib import Cib
from reconciler.daemon.config import SelfFencingConfig
from reconciler.daemon.self_fencing import SelfFencing, SelfFencingError
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration


class Dog:
    """A watchdog that resets the machine within so many seconds, or is not armed."""

    def __init__(self, armed_s: int | None) -> None:
        self.armed_s = armed_s
        self.starved: list[str] = []

    def starve(self, why: str) -> int | None:
        self.starved.append(why)
        return self.armed_s


def fencing(dog: Dog, config: SelfFencingConfig) -> SelfFencing:
    return SelfFencing(config, dog)  # type: ignore[arg-type]  # It has what is asked for.


@pytest.mark.parametrize(("sysrq", "letter"), [("reboot", "b"), ("off", "o")])
def test_the_kernel_is_asked_and_the_watchdog_starves_besides(tmp_path: Path, sysrq: str, letter: str) -> None:
    trigger, dog = tmp_path / "trigger", Dog(2)
    trigger.touch()
    asyncio.run(fencing(dog, SelfFencingConfig(sysrq=sysrq, trigger=str(trigger)))("no quorum"))
    assert (trigger.read_text(), dog.starved) == (letter, ["no quorum"])


@pytest.mark.parametrize("armed_s", [2, None])
def test_without_leave_the_kernel_is_asked_nothing(tmp_path: Path, armed_s: int | None) -> None:
    trigger, dog = tmp_path / "trigger", Dog(armed_s)
    trigger.touch()
    done = fencing(dog, SelfFencingConfig(trigger=str(trigger)))("no quorum")
    if armed_s is None:
        with pytest.raises(SelfFencingError, match="does not allow it"):
            asyncio.run(done)
    else:
        asyncio.run(done)
    assert (trigger.read_text(), dog.starved) == ("", ["no quorum"])


def test_who_still_lives_after_that_and_has_no_watchdog_says_so(tmp_path: Path) -> None:
    trigger = tmp_path / "trigger"
    fenced = fencing(Dog(None), SelfFencingConfig(sysrq="reboot", trigger=str(trigger)))
    with pytest.raises(SelfFencingError, match="can't be written to: No such file"):
        asyncio.run(fenced("no quorum"))
    trigger.touch()
    with pytest.raises(SelfFencingError, match="the kernel did not do"):
        asyncio.run(fenced("no quorum"))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"no-quorum-policy": "suicide"}, "no-quorum-policy: fence"),
        ({"fence-reaction": "panic"}, "fencing-reaction: panic"),
        (
            {"no-quorum-policy": "suicide", "fence-reaction": "panic"},
            "no-quorum-policy: fence and fencing-reaction: panic",
        ),
        ({"no-quorum-policy": "stop", "fence-reaction": "stop"}, None),
        ({}, None),
    ],
)
def test_what_is_wanted_and_can_not_be_done_is_said(options: dict[str, str], wanted: str | None) -> None:
    cib = Cib(Configuration(options=plain(options)))
    told = fencing(Dog(None), SelfFencingConfig()).lacking(cib)
    assert (told is None) == (wanted is None)
    assert told is None or told.startswith(f"{wanted}: this node can't end its own machine")
    assert fencing(Dog(10), SelfFencingConfig()).lacking(cib) is None
    assert fencing(Dog(None), SelfFencingConfig(sysrq="off")).lacking(cib) is None
