"""Messages travel whole or not at all."""

from __future__ import annotations

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
from reconciler.controller.messages import (
    BOUNDS,
    LARGEST_BYTES,
    Accept,
    Activate,
    Joined,
    MessageError,
    NewerMessageError,
    Observe,
    Order,
    Propose,
    Reject,
    Reported,
    Run,
    decode,
    encode,
)
from reconciler.errors import Finding, Place, Severity
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
MESSAGES = (
    Propose("c", None, "site", "subject", True, 3),
    Accept("c", "b", "d", 3),
    Reject("c", "why", (Finding("code", Place("f", 1, 2), "text", "hint", Severity.WARNING),), 3, 4),
    Activate("c", 4, "d", 5, 3),
    Observe(SEEN, "why", 5, 6, 7),
    Run(8, (Order(1, 20_000, LAUNCHED),), 5),
    Reported(8, 1, "a", "start", 0, "n1", 1, 4, True, "reason", 12, SEEN, 5),
    Joined("n1", 3, "boot", ("a",), SEEN, 5),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message):
    assert decode(encode(message)) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_without_a_field_or_with_a_wrong_one_is_refused(message):
    plain = json.loads(encode(message))
    optional = {("reject", "transient"), ("observe", "transition"), ("observe", "action")}
    for name in plain:
        if (plain["is"], name) not in optional:
            with pytest.raises(MessageError):
                decode(json.dumps({key: value for key, value in plain.items() if key != name}).encode())
        with pytest.raises(MessageError):
            decode(json.dumps({**plain, name: {"x": [1.5]}}).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"v":2,"is":"accept"}',
        b'{"v":2,"is":"nothing"}',
        b'{"v":2,"is":"accept","commit":"c","base":null,"digest":"d","term":3,"more":1}',
        b'{"v":2,"is":"accept","commit":"c","base":null,"digest":"d","term":4611686018427387904}',
        b'{"v":2,"is":"observe","observations":[["set","n1","a","1"]],"why":"","at_ms":1}',
        b'{"v":2,"is":"observe","observations":[{"is":"set"}],"why":"","at_ms":1}',
        b'{"v":1,"is":"Nothing"}',
        b'{"v":1,"is":"Observe","observations":[["set"]],"why":"","at":1,"transition":0,"action":0}',
        b'{"v":1,"is":"Observe","observations":[[]],"why":"","at":1,"transition":0,"action":0}',
        b'{"v":1,"is":"Observe","observations":7,"why":"","at":1,"transition":0,"action":0}',
        b'{"v":1,"is":"Run","transition":1,"at":1,"orders":[7]}',
        b'{"v":1,"is":"Run","transition":1,"at":1,"orders":[{"action":1,"timeout":1,"launched":[]}]}',
        b" " * (LARGEST_BYTES + 1),
    ],
    ids=range(19),
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(MessageError):
        decode(data)


def test_a_message_of_a_newer_format_is_told_apart_from_rubbish():
    with pytest.raises(NewerMessageError, match="format 3"):
        decode(b'{"v":3,"is":"whatever"}')


@pytest.mark.parametrize("size", [BOUNDS.text, BOUNDS.text + 1])
def test_a_text_has_a_bound(size):
    data = encode(Observe((), "x" * size, 1))
    if size > BOUNDS.text:
        with pytest.raises(MessageError, match="longer than"):
            decode(data)
    else:
        assert decode(data).why == "x" * size


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["v", "is", "observations", "orders", "at", "commit"]), inner)
        ),
    )
)
def test_any_json_is_read_or_refused(data):
    try:
        decode(json.dumps(data).encode())
    except MessageError:
        return
    raise AssertionError("random JSON was taken for a message")
