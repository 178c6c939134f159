"""The lab's network, script by script: views, order, quorum, and what a host gets that stood still."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.controller.membership.events import View
from reconciler.controller.quorum.votes import RingVerdict, Votequorum
from reconciler.fabric.lab.sequencer import MISSED_AFTER_S, Sequencer, view_from_plain, view_to_plain
from reconciler.fabric.lab.wire import LARGEST_BODY, LabError, frame, read_frame


class Port:
    """Collects what a process is told."""

    def __init__(self) -> None:
        self.told: list[View | tuple[str, bytes]] = []

    def view_changed(self, view: View) -> None:
        self.told.append(view)

    def deliver(self, sender: str, data: bytes) -> None:
        self.told.append((sender, data))

    @property
    def view(self) -> View:
        return [one for one in self.told if isinstance(one, View)][-1]

    @property
    def messages(self) -> list[tuple[str, bytes]]:
        return [one for one in self.told if not isinstance(one, View)]


def lab(*names: str) -> tuple[Sequencer, dict[str, Port]]:
    """All of them joined."""
    sequencer = Sequencer(Votequorum.of(dict.fromkeys(names, 1), two_node=len(names) == 2))
    ports = {name: Port() for name in names}
    for name, port in ports.items():
        sequencer.join(name, port, 0.0)
    return sequencer, ports


def test_whoever_joins_makes_a_new_view_for_all() -> None:
    _, ports = lab("n1", "n2", "n3")
    assert {port.view for port in ports.values()} == {ports["n1"].view}
    assert ports["n1"].view.members == ("n1", "n2", "n3")
    assert len(ports["n1"].told) == 3


def test_a_process_that_is_another_makes_a_new_view_with_the_same_members() -> None:
    sequencer, ports = lab("n1", "n2")
    before, again = ports["n2"].view, Port()
    sequencer.join("n1", again, 0.0)
    assert again.view.members == before.members
    assert again.view.id != before.id
    sequencer.leave("n1", ports["n1"])
    assert sequencer.views["n1"] is again.view, "the end of the former connection changes nothing"


def test_all_get_the_same_in_the_same_order_their_own_included() -> None:
    sequencer, ports = lab("n1", "n2", "n3")
    for sender in ("n2", "n1", "n2"):
        sequencer.send(sender, sender.encode())
    assert [port.messages for port in ports.values()] == [[("n2", b"n2"), ("n1", b"n1"), ("n2", b"n2")]] * 3


def test_each_side_of_a_cut_has_a_view_and_quorum_of_its_own() -> None:
    sequencer, ports = lab("n1", "n2", "n3")
    sequencer.cut([["n1"], ["n2", "n3"]])
    assert (ports["n1"].view.members, ports["n1"].view.ring.quorate) == (("n1",), False)
    assert (ports["n2"].view.members, ports["n2"].view.ring.quorate) == (("n2", "n3"), True)
    sequencer.send("n2", b"x")
    assert ports["n1"].messages == []
    sequencer.heal()
    assert ports["n1"].view == ports["n3"].view
    assert ports["n1"].view.members == ("n1", "n2", "n3")


def test_who_is_named_on_no_side_is_alone() -> None:
    sequencer, ports = lab("n1", "n2", "n3")
    sequencer.cut([["n1", "n2"]])
    assert ports["n3"].view.members == ("n3",)


def test_a_host_whose_process_is_gone_still_counts() -> None:
    sequencer, ports = lab("n1", "n2", "n3")
    sequencer.leave("n2", ports["n2"])
    sequencer.leave("n3", ports["n3"])
    view = ports["n1"].view
    assert (view.members, view.hosts, view.ring.quorate) == (("n1",), ("n1", "n2", "n3"), True)
    sequencer.power("n2", False)
    sequencer.power("n3", False)
    assert (ports["n1"].view.hosts, ports["n1"].view.ring.quorate) == (("n1",), False)


def test_who_says_nothing_is_missed_and_what_it_had_sent_comes_in_the_later_view() -> None:
    sequencer, ports = lab("n1", "n2", "n3")
    for name in ("n2", "n3"):
        sequencer.heard(name, MISSED_AFTER_S + 1)
    sequencer.tick(MISSED_AFTER_S + 1)
    assert ports["n2"].view.hosts == ("n2", "n3")
    count = len(ports["n1"].told)
    sequencer.heard("n1", MISSED_AFTER_S + 2)
    sequencer.send("n1", b"old")
    told = ports["n1"].told[count:]
    assert isinstance(told[0], View)
    assert told[0].members == ("n1", "n2", "n3"), "it is never told that it had been missed"
    assert ports["n2"].messages == [("n1", b"old")]


def test_a_view_is_announced_only_when_something_changed() -> None:
    sequencer, ports = lab("n1", "n2")
    count = len(ports["n1"].told)
    sequencer.heal()
    sequencer.tick(0.1)
    sequencer.heard("n1", 0.2)
    assert len(ports["n1"].told) == count


def test_two_nodes_wait_for_each_other_once() -> None:
    sequencer = Sequencer(Votequorum.of({"n1": 1, "n2": 1}, two_node=True))
    sequencer.power("n2", False)
    port = Port()
    sequencer.join("n1", port, 0.0)
    assert not port.view.ring.quorate
    sequencer.power("n2", True)
    assert port.view.ring.quorate
    sequencer.power("n2", False)
    assert port.view.ring.quorate


@pytest.mark.parametrize("sides", [[["n9"]], [["n1"], ["n1", "n2"]]])
def test_a_partition_of_others_is_refused(sides) -> None:
    sequencer, ports = lab("n1", "n2")
    before = ports["n1"].view
    with pytest.raises(LabError):
        sequencer.cut(sides)
    assert sequencer.views["n1"] is before


def test_a_stranger_can_not_join() -> None:
    sequencer, _ = lab("n1", "n2")
    with pytest.raises(LabError):
        sequencer.join("n9", Port(), 0.0)


def test_a_view_reads_as_it_was_written() -> None:
    view = View("a.1", ("n1",), RingVerdict(True, 2, 1), ("n1", "n2"), ("n1", "n2", "n3"))
    assert view_from_plain(view_to_plain(view)) == view
    with pytest.raises(LabError):
        view_from_plain({"id": 1})


def read(data: bytes):
    async def run():
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await read_frame(reader)

    return asyncio.run(run())


def test_a_frame_reads_as_it_was_written_and_half_a_one_is_the_end() -> None:
    data = frame({"is": "send"}, b"\x00body")
    assert read(data) == ({"is": "send"}, b"\x00body")
    assert read(data[:-1]) is None
    assert read(b"") is None


@pytest.mark.parametrize(
    "data", [frame({"is": "x"}, b"y" * (LARGEST_BODY + 1)), b"\x00\x00\x00\x02\x00\x00\x00\x00{]", frame({})]
)
def test_what_is_no_frame_is_refused(data) -> None:
    with pytest.raises(LabError):
        read(data)
