"""What is under way to corosync is bounded, and it is noticed when nothing comes back."""

from __future__ import annotations

import pytest

from reconciler.fabric.corosync.window import BEAT_S, MOST_UNDER_WAY_BYTES, Patience, Window


def send_all(window: Window, at_s: float = 0.0) -> int:
    count = 0
    while (data := window.next) is not None:
        window.took(data, at_s)
        count += 1
    return count


def test_more_than_fits_waits_until_something_comes_back() -> None:
    window, half = Window(), bytes(MOST_UNDER_WAY_BYTES // 2)
    for _ in range(3):
        window.put(half)
    assert send_all(window) == 2
    window.returned(1.0)
    assert send_all(window, 1.0) == 1
    assert window.next is None


def test_what_is_larger_than_the_window_goes_alone() -> None:
    window = Window()
    window.put(b"small")
    window.put(bytes(2 * MOST_UNDER_WAY_BYTES))
    assert send_all(window) == 1
    window.returned(1.0)
    assert send_all(window, 1.0) == 1


def test_what_waits_is_forgotten_with_its_view_and_what_is_under_way_still_comes_back() -> None:
    window, half = Window(), bytes(MOST_UNDER_WAY_BYTES // 2)
    for data in (half, half, b"of the view before"):
        window.put(data)
    send_all(window)
    window.forget()
    window.put(b"of the next view")
    window.returned(1.0)
    assert window.next == b"of the next view"
    assert window.owed_since_s == 1.0, "the second half has not come back"


def test_what_was_forgotten_while_it_was_sent_is_under_way_once() -> None:
    window = Window()
    window.put(b"first")
    data = window.next
    assert data is not None
    window.forget()
    window.put(b"second")
    window.took(data, 0.0)
    assert window.next == b"second"


def test_a_beat_is_due_when_nothing_is_under_way_and_nothing_was_heard() -> None:
    window = Window()
    assert window.beat_in_s(0.0) == 0
    window.sent(2, 0.0)
    assert window.beat_in_s(9.0) is None, "what is under way will do"
    window.returned(9.0)
    assert window.owed_since_s is None
    window.put(b"x")
    send_all(window, 9.5)
    window.returned(9.6)
    assert window.beat_in_s(9.75) == pytest.approx(BEAT_S - 0.25)
    window.heard(10.0)
    assert window.beat_in_s(10.25) == pytest.approx(BEAT_S - 0.25)
    assert window.beat_in_s(10.0 + BEAT_S) == 0


def test_whoever_beat_last_goes_on_and_the_others_only_when_that_one_is_silent() -> None:
    window = Window()
    window.heard(0.0)
    window.beaten(ours=False)
    assert window.beat_in_s(BEAT_S) == pytest.approx(0.3)
    window.beaten(ours=True)
    assert window.beat_in_s(BEAT_S) == 0


def looks(
    patience: Patience, begin_s: float, end_s: float, turned_s: float | None, owed_s: float | None
) -> list[float]:
    """When it is over, looked at twice in a second; without `turned_s` the thread turns all the time."""
    over = []
    at_s = begin_s
    while at_s <= end_s:
        if patience.is_over(at_s, at_s if turned_s is None else turned_s, owed_s):
            over.append(at_s)
        at_s += 0.5
    return over


def test_a_call_that_does_not_end_and_a_message_that_does_not_come_back_are_noticed() -> None:
    assert looks(Patience(5.0), 0.0, 20.0, None, None) == []
    patience = Patience(5.0)
    assert looks(patience, 0.0, 10.0, None, None) == []
    assert looks(patience, 10.5, 20.0, 10.0, None)[0] == 16.5
    patience = Patience(5.0)
    assert looks(patience, 0.0, 10.0, None, None) == []
    assert looks(patience, 10.5, 30.0, None, 10.0)[0] == 21.5
    patience = Patience(5.0)
    assert looks(patience, 0.0, 10.0, None, None) == []
    patience.forming_s = 8.0
    assert looks(patience, 10.5, 20.0, 10.0, None)[0] == 19.5


def test_who_stood_still_himself_gives_corosync_its_time() -> None:
    patience = Patience(5.0)
    assert looks(patience, 0.0, 10.0, None, None) == []
    assert looks(patience, 60.0, 65.0, 10.0, 10.0) == []
    assert looks(patience, 65.5, 67.0, 10.0, 10.0) != [], "it has had its time"
