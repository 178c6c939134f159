"""What nobody has heard yet is told again, and only that."""

from __future__ import annotations

from reconciler.cib.observations import AttributeSet
from reconciler.controller.events import Broadcast
from reconciler.controller.messages import Cleanup, Observe, Report, Reported, Underway
from reconciler.controller.moment import Moment
from reconciler.controller.outbox import Outbox
from reconciler.controller.shared import Shared, deliver
from reconciler.frozen import replace

NOW = Moment(5, 5)
FAILED = Reported(1, 2, 3, "a", "monitor", 10_000, "n1", 7, 0, True, "", 1, (), 4)
WORKED = replace(FAILED, rc=0, failed=False)


def told(wishes) -> list[object]:
    return [wish.message for wish in wishes]


def test_results_are_told_again_in_their_order_until_each_was_delivered():
    outbox = Outbox("n1")
    outbox.told([Broadcast(FAILED), Broadcast(WORKED)])
    assert told(outbox.again(NOW)) == [FAILED, WORKED]
    outbox.heard(replace(FAILED, node="n2"))
    outbox.heard(FAILED)
    assert told(outbox.again(NOW)) == [WORKED]
    outbox.heard(WORKED)
    assert outbox.again(NOW) == []


def test_an_attribute_is_compared_with_what_was_last_told_not_with_what_was_delivered():
    """An agent says 5 and then 10 within one round trip, and then 5 again."""
    outbox = Outbox("n1")
    values = [outbox.set_attributes({"x": value}, {"x": "5"}, NOW) for value in ("5", "10", "10", "5")]
    assert [len(wishes) for wishes in values] == [0, 1, 0, 1]
    assert told(values[3])[0].observations == (AttributeSet("n1", "x", "5"),)


def test_an_attribute_that_was_set_anew_meanwhile_has_still_to_be_delivered():
    outbox = Outbox("n1")
    outbox.set_attributes({"x": "5", "y": "1"}, {}, NOW)
    outbox.set_attributes({"x": "10"}, {}, NOW)
    outbox.heard(Observe((AttributeSet("n1", "x", "5"), AttributeSet("n1", "y", "1")), "", 0))
    assert told(outbox.again(NOW))[0].observations == (AttributeSet("n1", "x", "10"),)
    outbox.heard(Observe((AttributeSet("n2", "x", "10"),), "", 0))
    assert outbox.again(NOW) != []
    outbox.heard(Observe((AttributeSet("n1", "x", "10"),), "", 0))
    assert outbox.again(NOW) == []


def test_what_is_wanted_without_a_view_is_told_once_there_is_one():
    outbox = Outbox("n1")
    outbox.wait(Cleanup(("a",), 1))
    assert told(outbox.again(NOW)) == [Cleanup(("a",), 1)]
    assert told(outbox.again(NOW)) == [Cleanup(("a",), 1)], "nobody has heard it yet"
    outbox.delivered(Cleanup(("a",), 1))
    assert outbox.again(NOW) == []


def test_what_nobody_has_heard_the_end_of_is_under_way_to_the_others():
    outbox = Outbox("n1")
    outbox.told([Broadcast(FAILED)])
    assert outbox.untold() == (Underway(1, 2, 3, "a", "monitor", 0),)
    outbox.heard(FAILED)
    assert outbox.untold() == ()


def test_each_result_of_what_a_node_did_by_itself_is_awaited():
    """It stopped two resources while it was cut off: nobody ordered that, so neither has a name."""
    outbox, stopped = Outbox("n1"), replace(WORKED, term=0, transition=0, action=0, task="stop", interval_ms=0)
    results = [replace(stopped, resource=resource) for resource in ("a", "b")]
    outbox.told([Broadcast(result) for result in results])
    shared = deliver(Shared(), "n1", Report("n1", "", (), outbox.untold(), (), 1))
    for result in results:
        assert "n1" in shared.underway, "a result is on its way"
        shared = deliver(shared, "n1", result)
    assert shared.underway == {}


def test_what_is_to_be_held_travels_with_its_delay_apart_from_the_rest():
    outbox = Outbox("n1")
    values = {"x": "1", "y": "2", "z": "3"}
    wishes = outbox.set_attributes(values, {}, NOW, {"x": 5_000, "y": 0, "other": 9})
    seen = [(message.dampen_ms, [one.name for one in message.observations]) for message in told(wishes)]
    assert seen == [(0, ["y", "z"]), (5_000, ["x"])]
    assert [(message.dampen_ms, len(message.observations)) for message in told(outbox.again(NOW))] == [
        (0, 2),
        (5_000, 1),
    ]


def test_a_delay_is_that_of_the_value_and_not_of_the_next_one():
    outbox = Outbox("n1")
    outbox.set_attributes({"x": "1"}, {}, NOW, {"x": 5_000})
    outbox.heard(Observe((AttributeSet("n1", "x", "1"),), "", 0, dampen_ms=5_000))
    assert [message.dampen_ms for message in told(outbox.set_attributes({"x": "2"}, {}, NOW))] == [0]
    assert [message.dampen_ms for message in told(outbox.set_attributes({"x": "3"}, {}, NOW, {"x": 7}))] == [7]
    assert [message.dampen_ms for message in told(outbox.set_attributes({"x": "4"}, {}, NOW))] == [0], "nor unheard"


def test_of_what_is_wanted_without_a_view_the_newest_are_kept_and_each_once():
    outbox = Outbox("n1")
    for number in [*range(300), 299]:
        outbox.wait(Cleanup((f"r{number}",), 1))
    waiting = [message.resources for message in told(outbox.again(NOW))]
    assert waiting == [(f"r{number}",) for number in range(44, 300)]
    outbox.delivered(Cleanup(("of somebody else",), 1))


def test_only_results_are_kept_of_what_is_told():
    outbox = Outbox("n1")
    outbox.told([Broadcast(Cleanup(("a",), 1)), Broadcast(FAILED)])
    assert outbox.results == [FAILED]
    outbox.heard(WORKED)
    assert outbox.results == [FAILED], "another one was delivered"
