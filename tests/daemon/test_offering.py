"""What was refused for something that may pass is offered again, more and more rarely."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from reconciler.daemon.events import EventLog
from reconciler.daemon.service import Service


class Asked:
    """A source that notes that it was asked to look again."""

    def fetch_now(self) -> None:
        """Never called here: the loop only notes when it would be."""


def pauses(*events: tuple[str, bool]) -> list[float]:
    """After which pause the source `a` is asked again, for each of these events of its proposals."""
    found: list[float] = []

    async def go() -> None:
        loop, log, sources = asyncio.get_running_loop(), EventLog("run"), {"a": Asked(), "b": Asked()}
        later = loop.call_later

        def noted(delay_s: float, callback, *args, **more):  # type: ignore[no-untyped-def]
            if getattr(callback, "__self__", None) is sources["a"]:
                found.append(delay_s)
            return later(delay_s, callback, *args, **more)

        loop.call_later = noted  # type: ignore[method-assign]
        service = SimpleNamespace(_shell=SimpleNamespace(events=log), _sources=sources)
        task = asyncio.create_task(Service._offer_again(service))  # type: ignore[arg-type]
        for type, transient in events:
            await asyncio.sleep(0)
            log.add(type, {"source": "a", "transient": transient, "findings": []}, 0.0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    return found


def test_the_pause_doubles_up_to_its_bound_and_begins_anew_after_a_success() -> None:
    refused, active = ("rejected", True), ("activated", False)
    assert pauses(*[refused] * 9)[:4] == [5.0, 10.0, 20.0, 40.0]
    assert pauses(*[refused] * 12)[-1] == pauses(*[refused] * 13)[-1] == 300.0
    assert pauses(refused, refused, active, refused) == [5.0, 10.0, 5.0]


def test_what_is_refused_for_good_is_not_offered_again() -> None:
    assert pauses(("rejected", False), ("rejected", False)) == []
