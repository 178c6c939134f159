"""What is written and made durable when, and what is said of a disk that takes nothing."""

from __future__ import annotations

import pytest

from reconciler.controller.events import Begin, Emit, Examined, SetTimer, Sync, Wish, Write
from reconciler.controller.journal import Record
from reconciler.controller.keeper import (
    GENERATION_TIMER,
    SYNC_TIMER,
    Adopting,
    Keeper,
    Promising,
    Purpose,
    Routine,
    SendAcceptance,
    TakeBack,
    TakeIn,
    Vouch,
)
from reconciler.controller.messages import Cleanup, Heard
from reconciler.controller.moment import Moment

NOW = Moment(1_800_000_000_000, 1_000)
MIB = 1024 * 1024
MESSAGE = Cleanup(("a",), 1)
TAKE_IN = TakeIn("n1", b"", MESSAGE)


def record(size: int = 1) -> Record:
    return Record("M", b"x" * size)


def token(wishes: list[Wish]) -> int:
    (wish,) = [wish for wish in wishes if isinstance(wish, Sync | Begin)]
    return wish.token


def told(wishes: list[Wish]) -> list[str]:
    return [str(wish.fields["what"]) for wish in wishes if isinstance(wish, Emit)]


def test_what_nobody_waits_for_is_synchronised_within_a_second_of_the_first_of_it() -> None:
    keeper = Keeper()
    assert keeper.write(record(), NOW) == [Write(record(), False), SetTimer(SYNC_TIMER, NOW.mono_ms + 1_000)]
    assert keeper.write(record(), NOW, begins=True) == [Write(record(), True)], "the timer runs already"
    (wish,) = keeper.sync_due()
    assert isinstance(wish, Sync)
    assert len(keeper.write(record(), NOW)) == 2, "it is set anew"


@pytest.mark.parametrize(
    ("purpose", "snapshot", "holds"),
    [
        (TAKE_IN, None, True),
        (TakeBack(MESSAGE, ""), None, True),
        (Promising(1), None, False),
        (Vouch(Heard("n1", 1, 1, 1), "v"), None, False),
        (Routine(), None, False),
        (Routine(), b"{}", True),
        (Adopting(), b"{}", True),
    ],
)
def test_messages_wait_for_one_before_them_and_for_a_generation(
    purpose: Purpose, snapshot: bytes | None, holds: bool
) -> None:
    keeper = Keeper()
    assert not keeper.holding
    begun = token(keeper.sync(purpose, snapshot))
    assert keeper.holding is holds
    assert (keeper.sync_due() == []) is holds, "nor is anything synchronised besides"
    assert keeper.durable(begun)[0] == purpose
    assert not keeper.holding


def test_each_wait_has_a_number_of_its_own() -> None:
    keeper = Keeper()
    first, second = token(keeper.sync(Promising(1), None)), token(keeper.sync(Promising(2), None))
    assert keeper.durable(second) == (Promising(2), [])
    assert keeper.durable(first) == (Promising(1), [])


@pytest.mark.parametrize(
    ("written", "snapshot", "wanted"),
    [
        (4 * MIB, 0, False),
        (4 * MIB + 1, 0, True),
        (4 * MIB + 1, 2 * MIB, True),
        (6 * MIB, 3 * MIB, False),
        (6 * MIB + 1, 3 * MIB, True),
    ],
)
def test_a_journal_beyond_four_mib_and_twice_the_snapshot_is_replaced(
    written: int, snapshot: int, wanted: bool
) -> None:
    keeper = Keeper()
    keeper.durable(token(keeper.sync(Routine(), b"x" * snapshot)))
    for size in (written - MIB, MIB):
        assert not keeper.wants_generation
        keeper.write(record(size), NOW)
    assert keeper.wants_generation is wanted
    keeper.durable(token(keeper.sync(Promising(1), None)))
    assert keeper.wants_generation is wanted, "being durable makes it no shorter"
    keeper.durable(token(keeper.sync(Routine(), b"")))
    assert not keeper.wants_generation
    keeper.write(record(4 * MIB), NOW)
    assert not keeper.wants_generation, "it is counted from the beginning"


def test_a_failed_write_is_said_once_and_another_generation_is_tried_ten_seconds_later() -> None:
    keeper = Keeper()
    wishes = keeper.not_written("no space left", NOW)
    assert wishes[0] == SetTimer(GENERATION_TIMER, NOW.mono_ms + 10_000)
    assert wishes[1:] == [Emit("daemon", {"what": "store-failed", "text": "no space left"})]
    assert keeper.broken == "no space left"
    assert keeper.write(record(5 * MIB), NOW) == []
    assert not keeper.wants_generation, "it is wanted anyway"
    assert keeper.sync_due() == []
    assert told(keeper.not_written("again", NOW)) == []


def test_what_waits_for_a_write_that_failed_is_void_but_for_a_generation() -> None:
    keeper = Keeper()
    waiting, generation = token(keeper.sync(TAKE_IN, None)), token(keeper.sync(Routine(), b"{}"))
    assert keeper.void(waiting) is None
    keeper.not_written("no space left", NOW)
    assert (keeper.void(waiting), keeper.void(generation)) == ("no space left", None)
    purpose, wishes = keeper.not_durable(waiting, "no space left", NOW)
    assert (purpose, told(wishes)) == (TAKE_IN, [])
    assert keeper.void(waiting) is None
    assert keeper.broken is not None
    assert keeper.durable(generation) == (
        Routine(),
        [Emit("daemon", {"what": "store-restored", "text": "the state can be written again"})],
    )
    assert keeper.broken is None
    assert keeper.write(record(), NOW)


def test_only_a_generation_mends_a_journal() -> None:
    keeper = Keeper()
    waiting = token(keeper.sync(Promising(1), None))
    keeper.not_written("no space left", NOW)
    assert keeper.durable(waiting) == (Promising(1), [])
    assert keeper.broken == "no space left"


def test_a_generation_that_could_not_be_written_is_a_failure_and_a_first_one_that_could_is_no_news() -> None:
    keeper = Keeper()
    assert keeper.durable(token(keeper.sync(Routine(), b"{}")))[1] == []
    purpose, wishes = keeper.not_durable(token(keeper.sync(Adopting(), b"{}")), "no space left", NOW)
    assert (purpose, told(wishes), keeper.broken) == (Adopting(), ["store-failed"], "no space left")
    assert wishes[0] == SetTimer(GENERATION_TIMER, NOW.mono_ms + 10_000)
    assert not keeper.holding
    assert told(keeper.durable(token(keeper.sync(Adopting(), b"{}")))[1]) == ["store-restored"]
    assert keeper.durable(token(keeper.sync(Adopting(), b"{}")))[1] == []


def test_a_commit_is_about_to_be_accepted_until_the_disk_has_answered() -> None:
    keeper = Keeper()
    assert keeper.accepting == frozenset()
    first = token(keeper.sync(SendAcceptance(Examined(NOW, "new", None, "digest", None)), None))
    second = token(keeper.sync(SendAcceptance(Examined(NOW, "other", None, "digest", None)), None))
    keeper.sync(Routine(), None)
    assert keeper.accepting == {"new", "other"}
    keeper.durable(first)
    keeper.not_durable(second, "no space left", NOW)
    assert keeper.accepting == frozenset()
