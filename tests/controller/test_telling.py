"""What people are told: of fencing that is open, of a view that may not begin, of how an operation ended."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.controller.fencing.delivery import Present
from reconciler.controller.fencing.ordering import Circumstances, make_order
from reconciler.controller.fencing.record import Down, FenceCause, Fencing, HistoryLine, Ordered, Record, Wanted
from reconciler.controller.fencing.topology import Device
from reconciler.controller.membership.agreement import Exclusion, agree
from reconciler.controller.membership.events import Installation, View
from reconciler.controller.membership.history import Rank
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import Problem, Report, Reported, Settled
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.controller.shared import Shared
from reconciler.controller.standing import Member
from reconciler.controller.telling import (
    converged,
    installed_view,
    lost_tail,
    open_fencings,
    recovered,
    reported,
    status_word,
    undecided_view,
)
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent, Primitive

from .membership.test_agreement import hello, state

DEVICE = Primitive("power", Agent("stonith", "fence_lab"))
WANTED = Wanted("n2", "b2", FenceCause.LOST, "reboot", "it was lost", 4)
ORDER = make_order(WANTED, 1, ((Device("power"),),), Circumstances(7, {"n1": Present("n1-1", "b1")}, True))
assert ORDER is not None
FAILED = HistoryLine("n2", "reboot", "power", "n1", 5, False, "no answer")


def fencing(record: Record, *history: HistoryLine, device: bool = True) -> list[str]:
    configuration = Configuration(resources=(DEVICE,) if device else ())
    shared = Shared(cib=Cib(configuration=configuration), fencing=Fencing(records={"n2": record}, history=history))
    return list(open_fencings(shared))


LAST = "; last, n1 failed with power: no answer"


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (fencing(WANTED), "n2 is to be fenced"),
        (fencing(WANTED, FAILED), f"n2 is to be fenced{LAST}"),
        (fencing(WANTED, FAILED, replace(FAILED, succeeded=True)), "n2 is to be fenced"),
        (fencing(WANTED, replace(FAILED, succeeded=True), FAILED), f"n2 is to be fenced{LAST}"),
        (fencing(WANTED, replace(FAILED, target="n3")), "n2 is to be fenced"),
        (fencing(WANTED, FAILED, device=False), "n2 is to be fenced, and no device can do that"),
        (fencing(replace(WANTED, cause=FenceCause.UNFENCE), device=False), "n2 is to be fenced"),
        (fencing(Ordered(WANTED, ORDER)), "n2 is being fenced by n1 with power"),
        (fencing(Ordered(WANTED, ORDER), FAILED), f"n2 is being fenced by n1 with power{LAST}"),
    ],
)
def test_who_is_still_to_be_fenced_and_how_the_last_try_failed(told: list[str], text: str) -> None:
    assert told == [text]


def test_who_is_down_is_no_longer_told_of() -> None:
    assert fencing(Down("n2", "b2", "n1", 5), FAILED) == []


def view(
    *, quorate: bool = True, contested: bool = True, n2: Presence = Presence.UNCLEAN, fences: bool = True
) -> str | None:
    options = plain({"stonith-enabled": str(fences).lower()})
    nodes = {"n1": Member(Presence.ONLINE), "n2": Member(n2)}
    shared = Shared(
        cib=Cib(configuration=Configuration(options=options)), nodes=nodes, votes=dict.fromkeys(nodes, 1),
        quorate=quorate, contested=contested,
    )  # fmt: skip
    return undecided_view(shared)


def test_a_view_that_may_decide_or_is_not_quorate_needs_no_word() -> None:
    assert view(contested=False) is None
    assert view(quorate=False) is None
    assert view(n2=Presence.DOWN) is None


def test_a_view_that_may_not_decide_says_what_waits_for_what() -> None:
    why = "n2 may decide, too, as the members are no majority of the votes: "
    nothing = "nothing is started, and no commit becomes active, before n2 is "
    assert view() == f"{why}{nothing}fenced or back"
    assert view(fences=False) == f"{why}{nothing}back, or `reconciler fence confirm` says that n2 is off"
    assert view(n2=Presence.WAITED) == f"{why}no commit becomes active before n2 is fenced or back"


ENDED = Reported(1, 2, 3, "a", "monitor", 10_000, "n1", 7, 2, True, "gone", 12, (), 4)


@pytest.mark.parametrize(
    ("message", "type", "more"),
    [
        (ENDED, "action_failed", {"status": "timed-out", "exit_reason": "gone", "output": "said"}),
        (replace(ENDED, failed=False), "action_done", {}),
        (
            replace(ENDED, interval_ms=0, rc=0),
            "action_done",
            {"status": "timed-out", "exit_reason": "gone", "output": "said"},
        ),
        (
            replace(ENDED, interval_ms=0, rc=8),
            "action_done",
            {"status": "timed-out", "exit_reason": "gone", "output": "said"},
        ),
        (
            replace(ENDED, interval_ms=0),
            "action_failed",
            {"status": "timed-out", "exit_reason": "gone", "output": "said"},
        ),
        (replace(ENDED, rc=0), "action_failed", {"status": "timed-out", "exit_reason": "gone", "output": "said"}),
        (
            replace(ENDED, task="start", interval_ms=0, rc=0),
            "action_failed",
            {"status": "timed-out", "exit_reason": "gone", "output": "said"},
        ),
    ],
)
def test_a_probe_that_finds_something_has_not_failed(message: Reported, type: str, more: dict[str, str]) -> None:
    told = reported(message, "said")
    assert told.type == type
    assert {name: told.fields[name] for name in told.fields if name in ("status", "exit_reason", "output")} == more
    assert (told.fields["id"], told.fields["rc"], told.fields["execution_ms"]) == (3, message.rc, 12)


def test_a_status_that_nobody_knows_is_told_as_it_is() -> None:
    assert [status_word(status) for status in (0, 2, 11, 99)] == ["done", "timed-out", "no-secrets", "status 99"]


def test_what_is_told_of_a_return_of_a_tail_and_of_rest() -> None:
    report = Report("n1", "boot", (), (), (), 0)
    assert recovered(report).fields["text"] == "everything that ran before still runs, or nothing did"
    assert recovered(replace(report, stopped=("a", "b"))).fields["text"] == "no longer running: a, b"
    text = "what was delivered here without the others is given up for their history"
    assert lost_tail(()).fields == {"what": "tail", "commits": [], "text": text}
    assert lost_tail(("a" * 40, "b")).fields["text"] == f"{text}; these commits were active here: {'a' * 12}, b"
    assert converged(Settled("0.1.2", "c", (Problem("a", "failed"),), 5)).fields == {
        "version": "0.1.2", "commit": "c", "problems": [{"resource": "a", "text": "failed"}],
    }  # fmt: skip


# A view


@pytest.mark.parametrize(
    ("quorum", "doubtful", "quorate", "text"),
    [
        (2, False, True, "n1, n2; DC n1"),
        (3, False, False, "n1, n2; DC n1, no quorum"),
        (
            2,
            True,
            True,
            "n1, n2; DC n1, but nothing begins before n3 was fenced, confirmed to be off, or is back",
        ),
    ],
)
def test_of_a_view_it_is_told_who_is_in_it_and_whether_it_may_decide(
    quorum: int, doubtful: bool, quorate: bool, text: str
) -> None:
    ring = RingVerdict(True, quorum)
    agreement = agree({name: hello(name, ring=ring) for name in ("n1", "n2")}, {})
    assert agreement is not None
    agreement = replace(agreement, doubtful=frozenset({"n3"} if doubtful else ()))
    view = View("v", ("n1", "n2", "n3"), ring, ("n1", "n2", "n3"))
    told = installed_view(Installation(view, agreement, state(3, 5), Rank(0, 4), {"n3": Exclusion.SILENT})).fields
    assert (told["quorate"], told["text"]) == (quorate, text)
    assert (told["members"], told["dc"], told["term"]) == (["n1", "n2"], "n1", 4)
    assert told["excluded"] == {"n3": Exclusion.SILENT.value}
