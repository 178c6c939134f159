"""What came over the wire once and was wrong comes again, and the fuzzer of the wire finds what it looks for (`ci/fuzz` runs it)."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.controller import envelope, intake, replica
from reconciler.frozen import replace

from . import wire
from .marks import try_marks
from .run import Run
from .targets import Wrong
from .wire_changes import Changes
from .wire_files import replayed, shrunk, written
from .wire_messages import Sender
from .wire_scenes import recorded
from .wire_session import Act, Session, why_ignored

FINDINGS = sorted((Path(__file__).parent / "findings").glob("wire-*"))
"""Of scenes as they were: what changes these may make a session say less. Each fault has a test of its own besides."""
SCENES = recorded().scenes
KINDS = {kind.__name__.lower() for kind in (*envelope.Message.__args__, envelope.Chunk)}


def lived(seed: object, scene: str, length: int = 150) -> Session:
    """A session of random acts."""
    dice = random.Random(str(seed))
    session = Session(SCENES[scene])
    sender = Sender(recorded().messages, session, dice)
    while session.here and len(session.acts) < length:
        for _, act in sender.draw():
            if session.here:
                session.act(act)
    return session


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.name)
def test_a_session_that_was_found_ends_well(path: Path) -> None:
    replayed(path.read_bytes(), SCENES)


def test_there_is_a_valid_message_of_every_kind() -> None:
    assert recorded().messages.keys() == KINDS
    for kind, texts in recorded().messages.items():
        for text in texts:
            body = {"v": 2, "cluster": "", "view": "", "sender": "n1", "message": json.loads(text)}
            assert type(envelope.unseal(json.dumps(body).encode()).message).__name__.lower() == kind


@pytest.mark.parametrize("scene", SCENES)
def test_members_bear_what_comes(scene: str) -> None:
    assert lived(scene, scene).check() in ("well", "left")


@pytest.mark.parametrize("scene", ["blank, on its way in", "behind, on its way in"])
def test_who_holds_nothing_or_less_comes_into_a_good_view(scene: str) -> None:
    session = Session(SCENES[scene])
    assert session.check() == "well"
    assert session.here[0].node.replica.commit == SCENES[scene].held.commit is not None


def test_messages_get_beyond_the_envelope() -> None:
    """Else nothing behind it would be tried."""
    taken: Counter[str] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        take_in = replica.Replica.take_in

        def noting(self: Any, sender: str, data: bytes, message: Any) -> None:
            taken[type(message).__name__] += 1
            take_in(self, sender, data, message)

        patch.setattr(replica.Replica, "take_in", noting)
        for scene in SCENES:
            lived("beyond", scene, 250)
    assert len(taken) >= 20, taken


def test_acts_follow_from_the_seed() -> None:
    acts = [lived(number, "at rest, without the DC", 60).acts for number in (1, 1, 2)]
    assert acts[0] == acts[1] != acts[2]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "no JSON"),
        (b"[]", "without a head"),
        (b'{"v":2,"cluster":"","view":"v","sender":"n1"}', "without a head"),
        (b'{"v":2,"cluster":"","view":"v","sender":"n1","message":{},"more":1}', "more than that"),
        (b'{"v":3,"cluster":"","view":"v","sender":"n1","message":{}}', "another protocol"),
        (b'{"v":true,"cluster":"","view":"v","sender":"n1","message":{}}', "another protocol"),
        (b'{"v":2,"cluster":"","view":"w","sender":"n1","message":{}}', "another view"),
        (b'{"v":2,"cluster":"","view":"v","sender":"n2","message":{}}', "another view or sender"),
        (b'{"v":2,"cluster":"","view":"v","sender":"n1","message":{}}', None),
    ],
)
def test_what_has_to_be_skipped_by_its_head_alone(data: bytes, why: str | None) -> None:
    told = why_ignored("n1", data, replica.Partition("v", ("n1",), True, 2))
    assert told is None if why is None else why in (told or "")
    assert why_ignored("n9", data, replica.Partition("v", ("n1",), True, 2)) is not None


# It finds what it looks for


def _stamp_unchecked(patch: pytest.MonkeyPatch) -> None:
    refusal = intake.Intake._refusal
    patch.setattr(
        intake.Intake,
        "_refusal",
        lambda self, sender, told: refusal(self, sender, replace(told, view=self.parts.replica.partition.view)),
    )


def _skipped_and_counted_in_the_clock(patch: pytest.MonkeyPatch) -> None:
    def skip(self: Any, sender: str, data: bytes) -> None:
        self.shared = replace(self.shared, clock_ms=self.shared.clock_ms + 1)

    patch.setattr(replica.Replica, "skip", skip)


def _state_of_the_node(patch: pytest.MonkeyPatch) -> None:
    skip = replica.Replica.skip
    patch.setattr(replica.Replica, "skip", lambda self, sender, data: skip(self, sender, data + self.name.encode()))


def _an_exception(patch: pytest.MonkeyPatch) -> None:
    def add(self: object, sender: str, chunk: envelope.Chunk) -> bytes:
        raise KeyError(chunk.place)

    patch.setattr(envelope.Assembly, "add", add)


def _never_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        wire.Session, "_send", lambda self, sender, data: self.order.extend([(sender, data)] * 6_000) or self._deliver()
    )


def _heavy(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wire, "MOST_BYTES", 1_000)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (_stamp_unchecked, "did not count what is of another view or sender"),
        (_skipped_and_counted_in_the_clock, "skipped a message, and clock_ms changed"),
        (_state_of_the_node, "different states after the same messages"),
        (_an_exception, "KeyError"),
        (_never_the_end, "answer each other without end"),
        (_heavy, "bytes"),
    ],
)
def test_what_should_not_be_is_found(
    broken: Callable[[pytest.MonkeyPatch], None], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    monkeypatch.setattr(wire, "shrunk", written)
    monkeypatch.setattr(wire, "LENGTHS", (300,))
    fuzz = wire.WireFuzz()
    ends = (fuzz.session(random.Random(f"found/{number}")) for number in range(20))
    word, session = next((word, session) for word, session in ends if word.startswith("wrong"))
    assert told in word
    assert json.loads(session)["acts"]


def test_a_step_that_takes_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(SCENES["alone"])
    monkeypatch.setattr("fuzz.wire_session.SLOW_S", -1.0)
    with pytest.raises(Wrong, match=r"n1 needs .* s for Delivered"):
        session.act(Act("n1", b"{"))


def test_memory_that_grows_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LENGTHS", (100,))
    monkeypatch.setattr(wire, "_WARM", 0)
    sizes = iter([50, 100, 50 + wire.MOST_GROWTH_MIB + 1])
    monkeypatch.setattr(wire, "_resident_mib", lambda: next(sizes))
    run = Run(tmp_path, 0, None)
    for _ in range(3):
        run.turn("wire")
    assert run.findings == 1
    assert "resident 50 MiB" in run.report()


def test_a_session_is_made_short_and_can_be_had_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the message that breaks it is left."""
    session = lived("short", "at rest, with the DC", 60)
    _an_exception(monkeypatch)
    piece = {"v": 2, "cluster": "", "view": session.view, "sender": "n3"}
    piece["message"] = {"is": "chunk", "digest": "d", "place": 0, "count": 1, "data": ""}  # type: ignore[assignment]
    session.acts.insert(30, Act("n3", json.dumps(piece, separators=(",", ":")).encode()))
    short = shrunk(session)
    assert len(json.loads(short)["acts"]) <= 2
    with pytest.raises(KeyError):
        replayed(short, SCENES)


def test_marks_of_any_kind_lead_to_no_view_that_is_none() -> None:
    assert [try_marks(random.Random(number)) for number in range(10)] == ["well"] * 10


def test_every_change_of_a_message_is_drawn() -> None:
    changes = Changes(recorded().messages, random.Random(1))
    before = changes.valid("hello")
    after = []
    for _ in range(200):
        message = json.loads(json.dumps(before))
        changes.change(message)
        after.append(changes.bytes_of(message))
    assert len(set(after)) > 100
    assert len({changes.damaged(after[0]) for _ in range(100)}) > 60
