"""Who a node is: corosync's name for it, as node.yaml allows, and the last one while corosync does not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.daemon import identity
from reconciler.daemon.config import CorosyncConfig, NodeConfig
from reconciler.daemon.identity import IdentityError, identified


def config(state: Path, written: str | None = None) -> NodeConfig:
    return NodeConfig(node=written or "the-host", state=str(state), corosync=CorosyncConfig(written))


def corosync_says(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    monkeypatch.setattr(identity, "_ask", lambda: name)


def test_corosyncs_name_counts_and_is_kept_for_when_it_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corosync_says(monkeypatch, "db1")
    assert identified(config(tmp_path)).node == "db1"
    assert identified(config(tmp_path, "db1")).node == "db1"
    corosync_says(monkeypatch, None)
    assert identified(config(tmp_path)).node == "db1"
    assert identified(config(tmp_path, "written")).node == "written"
    corosync_says(monkeypatch, "db2")
    assert identified(config(tmp_path)).node == "db2"
    corosync_says(monkeypatch, None)
    assert identified(config(tmp_path)).node == "db2"


def test_two_names_for_one_host_are_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corosync_says(monkeypatch, "db1")
    with pytest.raises(IdentityError, match=r"this node is called db2.*calls this host db1.*write `node: db1`"):
        identified(config(tmp_path, "db2"))


def test_a_corosync_that_stands_still_holds_up_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forever = identity.threading.Event()
    monkeypatch.setattr(identity, "_ANSWER_S", 0.05)
    monkeypatch.setattr(identity, "_ask_now", forever.wait)
    assert identified(config(tmp_path, "db1")).node == "db1"
    forever.set()


def test_who_never_heard_its_name_from_corosync_does_not_start_under_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the host's own name; where corosync had another one for it, it could not join before it was started anew."""
    monkeypatch.setattr(identity, "_FIRST_S", 0.05)
    monkeypatch.setattr(identity, "_ASK_AGAIN_S", 0.01)
    corosync_says(monkeypatch, None)
    with pytest.raises(IdentityError, match=r"does not say who this node is.*start corosync.*or write `node:`"):
        identified(config(tmp_path))


def test_without_corosync_in_node_yaml_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corosync_says(monkeypatch, "db1")
    alone = NodeConfig(node="db2", state=str(tmp_path))
    assert identified(alone) is alone


def test_a_first_start_waits_for_a_corosync_that_is_starting_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([None, None, "db1"])
    monkeypatch.setattr(identity, "_ASK_AGAIN_S", 0.01)
    monkeypatch.setattr(identity, "_ask", lambda: next(answers))
    assert identified(config(tmp_path)).node == "db1"
    assert (tmp_path / "corosync-name").read_text() == "db1", "it is kept"
