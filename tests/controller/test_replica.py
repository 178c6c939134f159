"""A node's state in its three parts: whose time counts, what a member doubts or has promised, and what is planned from."""

from __future__ import annotations

import pytest

from reconciler.controller.installing import Installed
from reconciler.controller.messages import Cleanup, Ping
from reconciler.controller.own import Own
from reconciler.controller.replica import Partition, Replica
from reconciler.controller.shared import Shared
from reconciler.frozen import replace


@pytest.mark.parametrize(
    ("dc", "sender", "clock_ms"), [("n1", "n1", 9), ("n1", "n2", 0), ("", "n2", 9)], ids=["DC", "another", "no DC yet"]
)
def test_the_clusters_time_is_that_of_the_dcs_messages(dc: str, sender: str, clock_ms: int) -> None:
    replica = Replica("n1", Shared(dc=dc))
    replica.take_in(sender, b"", Cleanup(("a",), 9))
    assert replica.shared.clock_ms == clock_ms


def test_what_a_member_promised_it_does_not_take_back() -> None:
    replica = Replica("n1", own=Own(promised=5))
    replica.promise(4)
    assert replica.own.promised == 5
    replica.promise(6)
    assert replica.own.promised == 6


@pytest.mark.parametrize(("counting", "blank"), [(("n1",), False), (("n2",), True), ((), True)])
def test_who_doubts_its_state_counts_again_once_a_view_that_decides_has_it(
    counting: tuple[str, ...], blank: bool
) -> None:
    replica = Replica("n1")
    replica.doubt()
    assert replica.own.blank
    installed = Installed("c", 1, ("n1",), "n1", True, {"n1": 1}, {"n1": "b"}, {"n1": "i"}, ("n1",), counting)
    replica.install(installed)
    assert replica.own.blank is blank


def test_who_never_doubted_does_not_by_an_installation() -> None:
    replica = Replica("n1")
    replica.install(Installed("c", 1, ("n1",), "n1", True, {"n1": 1}, {"n1": "b"}, {"n1": "i"}, ("n1",)))
    assert not replica.own.blank


def test_an_installation_goes_on_from_what_was_taken_over() -> None:
    installed = Installed("c", 3, ("n1",), "n1", True, {"n1": 1}, {"n1": "b"}, {"n1": "i"}, ("n1",))
    for adopted, commit in ((None, "ours"), (Shared(commit="theirs", term=2), "theirs")):
        replica = Replica("n1", Shared(commit="ours", term=2))
        replica.install(installed, adopted)
        assert (replica.commit, replica.term) == (commit, 3)


def test_what_is_planned_from_has_the_dc_and_the_quorum_of_the_installed_view() -> None:
    replica = Replica("n1", Shared(dc="n2", quorate=True))
    assert (replica.cib.dc_id, replica.cib.have_quorum, replica.dc, replica.quorate) == (None, False, None, False)
    replica.partition = Partition("v", ("n1", "n2"), True, 2)
    assert (replica.cib.dc_id, replica.cib.have_quorum, replica.dc, replica.quorate) == ("n2", True, "n2", True)
    assert replica.cib is replica.cib, "it is made once"
    status = replace(replica.shared.cib, version=replace(replica.shared.cib.version, epoch=7))
    replica.shared = replace(replica.shared, cib=status)
    assert replica.cib.version.epoch == 7, "and anew for another state"


def test_what_is_skipped_is_part_of_the_chain_alone() -> None:
    replica = Replica("n1", Shared(quorate=True))
    before = replica.shared
    replica.skip("n2", b"x")
    assert replica.shared.chain != before.chain
    assert replace(replica.shared, chain=before.chain, seq=before.seq) == before


def test_what_tells_no_time_moves_no_clock() -> None:
    replica = Replica("n1", Shared(dc="n1", clock_ms=5))
    replica.take_in("n1", b"", Ping("n1", 1, 0, 0, 0, "", "", {}, 3))
    assert replica.shared.clock_ms == 5


def test_who_skips_what_others_take_in_holds_another_state_by_name() -> None:
    nothing = Cleanup(("a",), 9)  # Of a resource that nobody knows: in what it changes it is as if skipped.
    one, other = (Replica("n1", Shared(dc="n1", quorate=True)) for _ in range(2))
    one.take_in("n2", b"data", nothing)
    other.skip("n2", b"data")
    assert replace(one.shared, chain="") == replace(other.shared, chain="")
    assert one.shared.chain != other.shared.chain
