"""Messages travel whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.analysis.recording import Launched
from reconciler.cib.observations import (
    AttributeRaised,
    AttributeSet,
    EntryForgotten,
    HistoryForgotten,
    NodeObserved,
    Recorded,
    ResourceForgotten,
)
from reconciler.controller.envelope import (
    LARGEST_SENT_BYTES,
    Assembly,
    Chunk,
    Envelope,
    may_send,
    parcels,
    seal,
    unseal,
)
from reconciler.controller.fencing.messages import (
    FenceConfirmed,
    FenceEnded,
    FenceGivenUp,
    FenceOrdered,
    FenceWanted,
)
from reconciler.controller.fencing.record import FenceCause, FenceOrder, FenceProgress
from reconciler.controller.fencing.topology import FenceStep
from reconciler.controller.membership.history import Rank, StateId
from reconciler.controller.membership.messages import Exclude, Hello, Ready
from reconciler.controller.messages import (
    LARGEST_BYTES,
    Accept,
    Activate,
    AgentOrder,
    Cleanup,
    GraceOver,
    Heard,
    Joined,
    MessageError,
    NewerMessageError,
    Observe,
    Problem,
    Propose,
    Refresh,
    Reject,
    Release,
    Report,
    Reported,
    Run,
    Settled,
    Shutdown,
    State,
    Underway,
)
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.errors import Finding, Place, Severity
from reconciler.frozen import replace
from reconciler.model.resource import Agent
from reconciler.model.status import HistoryEntry

LAUNCHED = Launched(
    "a", "start", "n1", "1", Agent("ocf", "Dummy", "x"), "1:2:0:u", attributes={"p": "é"}, digested={"p": "q"}
)
SEEN = (
    Recorded("n1", "a", {"class": "ocf"}, HistoryEntry("a_last_0", {"rc-code": "0"})),
    EntryForgotten("n1", "a", "x"),
    ResourceForgotten("n1", "a"),
    HistoryForgotten("n1", True),
    AttributeSet("n1", "x", None),
    AttributeSet("n1", "x", "1"),
    AttributeRaised("n1", "x"),
    NodeObserved("n1", "n1", {"join": "member", "gone": None}),
)
FENCE = FenceOrder(
    3, "n2", 1, "boot", FenceProgress(), (FenceStep("power", "reboot", True),), 2, True, "n1", "run.1", 60_000
)
MESSAGES = (
    Propose("c", None, "site", "subject", True, 3),
    Accept("c", "b", "d", 3),
    Reject("c", "why", (Finding("code", Place("f", 1, 2), "text", "hint", Severity.WARNING),), 3, 4),
    Activate("c", 4, "d", 5, 3),
    Observe(SEEN, "why", 5, 3, 6, 7),
    Run(3, 8, (AgentOrder(1, 20_000, LAUNCHED),), 5),
    Reported(3, 8, 1, "a", "start", 0, "n1", 1, 4, True, "reason", 12, SEEN, 5),
    Joined("n1", 3, "boot", ("a",), SEEN, 5),
    Cleanup(("a", "b"), 5),
    Refresh(("a",), 5),
    Shutdown("n1", 5),
    Release("n1", 3, 8, 1),
    Report("n1", "boot", ("a",), (Underway(3, 8, 1, "a", "start", 20_000),), SEEN, 5),
    GraceOver("n1"),
    Heard("n1", 3, 8, 1),
    Settled("0.1.2", "c", (Problem("a", "failed"),), 5),
    State(StateId(Rank(0, 3, 7), 1, "chain"), {"commit": "c"}),
    Hello("c", "n1", "run.1", "boot", (2, 2), 3, True, StateId(), False, 1, RingVerdict(True, 2), {"n1": 1}),
    Ready("n1", 3, StateId()),
    Exclude(("n2",), "no hello within the time"),
    FenceWanted("n2", "boot", FenceCause.LOST, "reboot", "it was lost", 5),
    FenceOrdered(FENCE, 5),
    FenceEnded("n1", 3, "n2", 1, True, "", 5),
    FenceGivenUp(3, "n2", 1, 5),
    FenceConfirmed("n2", "ann", 5),
)


IN_ENVELOPES = [Envelope("cluster", "view", "n1", message) for message in MESSAGES]


def kind(envelope: Envelope) -> str:
    return type(envelope.message).__name__


@pytest.mark.parametrize("sent", IN_ENVELOPES, ids=kind)
def test_a_message_arrives_as_it_was_sent(sent):
    assert unseal(seal(sent)) == sent
    assert list(parcels(sent)) == [seal(sent)]


@pytest.mark.parametrize("sent", IN_ENVELOPES, ids=kind)
def test_a_message_without_a_field_or_with_a_wrong_one_is_refused(sent):
    plain = json.loads(seal(sent))
    optional = {
        ("reject", "transient"),
        *(("observe", name) for name in ("term", "transition", "action")),
        *(("fenceordered", name) for name in ("delay_ms", "delay_most_ms")),
        *(("hello", name) for name in ("votes", "known", "fenced", "online", "hosts")),
    }
    for name in plain:
        for wrong in ({key: plain[key] for key in plain if key != name}, {**plain, name: {"x": [1.5]}}):
            with pytest.raises(MessageError):
                unseal(json.dumps(wrong).encode())
    body = plain["message"]
    for name in body:
        # A state's form is looked at where it is taken over.
        wrongs = [] if (body["is"], name) == ("state", "shared") else [{**body, name: {"x": [1.5]}}]
        if (body["is"], name) not in optional:
            wrongs.append({key: body[key] for key in body if key != name})
        for wrong in wrongs:
            with pytest.raises(MessageError):
                unseal(json.dumps({**plain, "message": wrong}).encode())


def in_envelope(body: str) -> bytes:
    return f'{{"v":2,"cluster":"","view":"","sender":"n1","message":{body}}}'.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        in_envelope("7"),
        in_envelope("{}"),
        in_envelope('{"is":"nothing"}'),
        in_envelope('{"is":"accept","commit":"c","base":null,"digest":"d","term":3,"more":1}'),
        in_envelope('{"is":"accept","commit":"c","base":null,"digest":"d","term":4611686018427387904}'),
        in_envelope('{"is":"observe","observations":[["set","n1","a","1"]],"why":"","at_ms":1}'),
        in_envelope('{"is":"observe","observations":[{"is":"set"}],"why":"","at_ms":1}'),
        in_envelope('{"is":"chunk","digest":"d","place":1,"count":1,"data":""}'),
        in_envelope('{"is":"chunk","digest":"d","place":-1,"count":1,"data":""}'),
        in_envelope('{"is":"chunk","digest":"d","place":1,"count":1000000,"data":""}'),
        b'{"v":2,"is":"accept","commit":"c","base":null,"digest":"d","term":3}',
        b'{"v":1,"is":"Nothing"}',
        b'{"v":1,"is":"Observe","observations":[["set"]],"why":"","at":1,"transition":0,"action":0}',
        b'{"v":1,"is":"Observe","observations":[[]],"why":"","at":1,"transition":0,"action":0}',
        b'{"v":1,"is":"Observe","observations":7,"why":"","at":1,"transition":0,"action":0}',
        b'{"v":1,"is":"Run","transition":1,"at":1,"orders":[7]}',
        b'{"v":1,"is":"Run","transition":1,"at":1,"orders":[{"action":1,"timeout":1,"launched":[]}]}',
        b" " * (LARGEST_BYTES + 1),
    ],
    ids=range(24),
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(MessageError):
        unseal(data)


def test_a_message_of_a_newer_format_is_told_apart_from_rubbish():
    with pytest.raises(NewerMessageError, match="format 4"):
        unseal(b'{"v":4,"is":"whatever"}')


# Pieces

LARGE = Envelope("cluster", "view", "n1", Observe((), "x" * 900_000, 1))


def pieces(envelope: Envelope = LARGE) -> list[Chunk]:
    found = [unseal(data).message for data in parcels(envelope)]
    assert all(isinstance(piece, Chunk) for piece in found)
    return found  # type: ignore[return-value]


def test_a_large_message_travels_in_pieces_none_of_which_is_large():
    sent = list(parcels(LARGE))
    assert len(sent) > 3
    assert max(map(len, sent)) <= LARGEST_SENT_BYTES
    assembly = Assembly()
    *first, last = [assembly.add("n1", piece) for piece in pieces()]
    assert set(first) == {None}
    assert last is not None
    assert unseal(last) == LARGE


def test_pieces_of_several_senders_do_not_mix():
    assembly = Assembly()
    one, other = pieces(), pieces(Envelope("cluster", "view", "n2", Observe((), "y" * 900_000, 1)))
    *_, last = [(assembly.add("n1", a), assembly.add("n2", b)) for a, b in zip(one, other, strict=True)]
    assert [unseal(data).sender for data in last] == ["n1", "n2"]


@pytest.mark.parametrize("wrong", ["missing", "twice", "another's", "changed", "no base64"])
def test_a_message_whose_pieces_do_not_fit_is_none(wrong):
    assembly, parts = Assembly(), pieces()
    match wrong:
        case "missing":
            del parts[1]
        case "twice":
            parts.insert(1, parts[1])
        case "another's":
            parts[1] = replace(parts[1], digest="0" * 64)
        case "changed":
            parts[1] = replace(parts[1], data="AAAA" + parts[1].data[4:])
        case "no base64":
            parts[1] = replace(parts[1], data="?" + parts[1].data[1:])
    with pytest.raises(MessageError):
        [assembly.add("n1", part) for part in parts]
    assert assembly.add("n1", parts[0]) is None, "what follows begins anew"


def test_what_was_not_sent_to_its_end_in_a_view_never_is():
    assembly, parts = Assembly(), pieces()
    for part in parts[:-1]:
        assembly.add("n1", part)
    assembly.forget()
    with pytest.raises(MessageError):
        assembly.add("n1", parts[-1])


def test_what_nobody_would_take_is_not_sent():
    with pytest.raises(MessageError, match="send a Observe"):
        list(parcels(replace(LARGE, message=Observe((), "x" * (LARGEST_BYTES + 1), 1))))


# Who may send what

ANYBODY = {"Propose", "Accept", "Reject", "Cleanup", "Refresh", "Shutdown", "State", "Exclude", "FenceConfirmed"}
THE_DC = {"Settled", "Activate", "Run", "Release", "GraceOver", "FenceWanted", "FenceOrdered", "FenceGivenUp"}
THE_NODE = {"Heard", "Reported", "Observe", "Report", "Hello", "Ready", "FenceEnded"}
NOBODY = {"Joined"}
"""A former version's, which had no second node."""


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_what_the_dc_decides_and_what_a_node_knows_is_taken_from_nobody_else(message):
    """The messages are of n1 where they are of a node."""
    name = type(message).__name__
    assert name in ANYBODY | THE_DC | THE_NODE | NOBODY
    assert may_send("n2", message, dc="n3") is (name in ANYBODY)
    assert may_send("n1", message, dc="n3") is (name in ANYBODY | THE_NODE)
    assert may_send("n3", message, dc="n3") is (name in ANYBODY | THE_DC | {"Observe"})
    assert may_send("n2", message, dc=None) is (name in ANYBODY)


def test_one_foreign_observation_among_own_ones_is_too_many():
    message = Observe((AttributeSet("n1", "x", "1"), ResourceForgotten("n2", "a")), "", 1)
    assert not may_send("n1", message, dc="n3")


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["v", "is", "observations", "orders", "at", "commit", "message", "view"]), inner
            )
        ),
    )
)
def test_any_json_is_read_or_refused(data):
    try:
        unseal(json.dumps(data).encode())
    except MessageError:
        return
    raise AssertionError("random JSON was taken for a message")


def test_an_operator_may_want_anybody_fenced():
    asked = FenceWanted("n2", "", FenceCause.ASKED, "reboot", "ann asked for it", 5)
    assert may_send("n1", asked, dc="n3")


# Pieces


def piece(place: int, count: int, data: bytes = b"ab", digest: str | None = None) -> Chunk:
    """One of the pieces of two bytes each, of `data` told so many times."""
    whole = hashlib.sha256(data * count).hexdigest()
    return Chunk(whole if digest is None else digest, place, count, base64.b64encode(data).decode())


def test_pieces_make_the_whole_once_the_last_has_come_for_each_sender() -> None:
    assembly = Assembly()
    assert assembly.add("n1", piece(0, 2)) is None
    assert assembly.add("n2", piece(0, 3)) is None
    assert assembly.add("n1", piece(1, 2)) == b"abab"
    assert assembly.add("n2", piece(1, 3)) is None
    assert assembly.add("n2", piece(2, 3)) == b"ababab"
    assert assembly.add("n1", piece(0, 1)) == b"ab", "the next one begins anew"


def test_a_first_piece_begins_anew_and_what_follows_on_nothing_is_refused() -> None:
    assembly = Assembly()
    assembly.add("n1", piece(0, 2))
    assert assembly.add("n1", piece(0, 2)) is None
    assert assembly.add("n1", piece(1, 2)) == b"abab"
    assembly.add("n1", piece(0, 2))
    assembly.forget()
    with pytest.raises(MessageError, match="another was expected"):
        assembly.add("n1", piece(1, 2))
    assembly.add("n1", piece(0, 3))
    with pytest.raises(MessageError, match="another was expected"):
        assembly.add("n1", piece(2, 3))
    with pytest.raises(MessageError, match="another was expected"):
        assembly.add("n1", piece(1, 3))


def test_pieces_of_two_messages_make_none_nor_do_others_than_were_sent() -> None:
    assembly = Assembly()
    assembly.add("n1", piece(0, 2))
    with pytest.raises(MessageError, match="another was expected"):
        assembly.add("n1", piece(1, 2, digest="other"))
    with pytest.raises(MessageError, match="its digest is another"):
        assembly.add("n1", piece(0, 1, digest="other"))
    with pytest.raises(MessageError, match="read a piece of a message"):
        assembly.add("n1", replace(piece(0, 1), data="YW I="))


MOST_PIECES = LARGEST_BYTES // (180 * 1024) + 1


@pytest.mark.parametrize(
    ("place", "count", "reads"),
    [
        (0, 1, True),
        (MOST_PIECES - 1, MOST_PIECES, True),
        (0, MOST_PIECES + 1, False),
        (1, 1, False),
        (2, 1, False),
        (-1, 1, False),
        (0, 0, False),
    ],
)
def test_there_are_as_many_pieces_as_the_largest_message_has(place: int, count: int, reads: bool) -> None:
    data = seal(Envelope("c", "v", "n1", Chunk("d", place, count, "")))
    if reads:
        assert isinstance(unseal(data).message, Chunk)
    else:
        with pytest.raises(MessageError, match="there are no such pieces"):
            unseal(data)


@pytest.mark.parametrize("extra", [0, 1])
def test_a_message_of_just_the_size_goes_whole(extra: int) -> None:
    empty = Envelope("c", "v", "n1", Propose("c", None, "git", "", False, 0))
    size = LARGEST_SENT_BYTES - len(seal(empty)) + extra
    told = list(parcels(Envelope("c", "v", "n1", Propose("c", None, "git", "x" * size, False, 0))))
    assert len(told) == 1 + extra


def test_a_message_beyond_the_largest_is_not_sent() -> None:
    large = Propose("c", None, "git", "", False, 0, allow=tuple("x" * 900_000 for _ in range(20)))
    with pytest.raises(MessageError, match="send a Propose of "):
        next(parcels(Envelope("c", "v", "n1", large)))


# Heads


@pytest.mark.parametrize(
    ("head", "error", "why"),
    [
        ({"v": 4}, NewerMessageError, "it has format 4, and this version reads up to 3"),
        ({"v": 0}, MessageError, "it is not of format 3"),
        ({"v": "2"}, MessageError, "it is not of format 3"),
        ({"more": 1}, MessageError, "it is not of format 3"),
        ({"cluster": 7}, MessageError, "its head is none"),
        ({"view": None}, MessageError, "its head is none"),
        ({"sender": []}, MessageError, "its head is none"),
    ],
)
def test_a_head_is_as_it_has_to_be(head: dict[str, object], error: type[Exception], why: str) -> None:
    plain = json.loads(seal(IN_ENVELOPES[0])) | head
    with pytest.raises(error) as raised:
        unseal(json.dumps(plain).encode())
    assert why in str(raised.value)
    assert type(raised.value) is error


def test_of_pieces_that_do_not_fit_nothing_is_kept() -> None:
    """Whoever sends nothing but such pieces must not fill the memory of all."""
    assembly = Assembly()
    assert assembly.add("n1", Chunk("digest", 0, 3, "YQ==")) is None
    for _ in range(3):
        with pytest.raises(MessageError, match="another was expected"):
            assembly.add("n1", Chunk("digest", 2, 3, "YQ=="))
        assert assembly._parts == {}


@pytest.mark.parametrize(("length", "taken"), [(1_000_000, True), (1_000_001, False)])
def test_a_text_of_a_message_has_at_most_a_million_characters(length: int, taken: bool) -> None:
    data = seal(Envelope("c", "v", "n1", Cleanup(("x" * length,), 1)))
    if taken:
        assert isinstance(unseal(data).message, Cleanup)
    else:
        with pytest.raises(MessageError):
            unseal(data)
