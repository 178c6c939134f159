"""A plan, with its decisions, holds nothing of the run that it came from, and so can't change what was decided."""

from __future__ import annotations

import gc
from collections.abc import Iterator

from action_texts import done, started, state, watched
from histories import NOW, cib, primitive

from reconciler.model.date import Instant
from reconciler.model.resource import Clone
from reconciler.scheduler import look, schedule

OF_THE_RUN = "reconciler.scheduler.working"


def reached_from(value: object) -> Iterator[object]:
    """Everything that a value holds, itself included; classes and modules aside."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if (
            id(one) in seen
            or isinstance(one, type)
            or type(one).__name__ in ("module", "function", "getset_descriptor")
        ):
            continue
        seen.add(id(one))
        yield one
        waiting += gc.get_referents(one)


def test_nothing_of_the_working_state_is_held() -> None:
    given = cib(
        primitive("A"),
        Clone("c", primitive("B")),
        states=(state("n1", done(started(), watched(rc=1))), state("n2")),
    )
    plan = schedule(given, Instant(NOW), decisions=True)
    assert plan.actions
    assert plan.failures
    for value in (plan, look(given, Instant(NOW))):
        held = list(reached_from(value))
        assert len(held) > 50
        assert [one for one in held if type(one).__module__.startswith(OF_THE_RUN)] == []
