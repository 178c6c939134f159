"""Members of two versions understand each other: a form in which messages travel changes only with the number of the protocol."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from reconciler.controller.envelope import OLDEST, PROTOCOL, Envelope, seal, unseal

from . import wire_forms

SPOKEN = {
    protocol: json.loads(path.read_text())
    for protocol in range(OLDEST, PROTOCOL + 1)
    if (path := wire_forms.path_of(protocol)).exists()
}
"""The tables of the protocols that members of this version speak."""


def known() -> wire_forms.Table:
    """The present table as it is kept."""
    table: wire_forms.Table = SPOKEN[PROTOCOL]
    return table


def test_each_protocol_that_is_spoken_has_a_table() -> None:
    missing = set(range(OLDEST, PROTOCOL + 1)) - SPOKEN.keys()
    assert not missing, f"{missing}: run ci/forms, and commit what it writes; the tables of former protocols stay"


def test_no_form_changes_without_another_protocol() -> None:
    changed = list(wire_forms.differences(known(), wire_forms.table()))
    assert not changed, "\n".join([f"the forms of protocol {PROTOCOL} have changed:", *changed, wire_forms.WHAT_TO_DO])


@pytest.mark.parametrize("tag", wire_forms.examples())
def test_a_message_with_something_in_every_field_is_what_its_example_says(tag: str) -> None:
    written = known()["examples"][tag].encode()
    envelope = Envelope("cluster", "view", "n1", wire_forms.examples()[tag])
    assert seal(envelope) == written
    assert unseal(written) == envelope


@pytest.mark.parametrize(("protocol", "tag"), [(one, tag) for one in SPOKEN for tag in SPOKEN[one]["examples"]])
def test_what_members_of_each_version_send_is_read(protocol: int, tag: str) -> None:
    assert unseal(SPOKEN[protocol]["examples"][tag].encode()).protocol == protocol


def test_what_is_changed_is_told() -> None:
    now = known()
    before = copy.deepcopy(now)
    del before["classes"]["Hello"]["seen"]
    before["kinds"]["another"] = "Another"
    before["head"].remove("view")
    before["examples"].pop("ping")
    told = list(wire_forms.differences(before, now))
    assert [line.partition(" was ")[0] for line in told] == [
        "head: view is new",
        "kinds: another is gone",
        "classes: Hello",
        "examples: ping is new",
    ]
    assert '"seen"' in told[2].partition(", and is ")[2]
    assert list(wire_forms.differences(now, now)) == []


def test_a_table_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wire_forms, "FORMS", tmp_path)
    assert wire_forms.main() == 0
    path = wire_forms.path_of(PROTOCOL)
    assert json.loads(path.read_text()) == wire_forms.table()
    assert wire_forms.main() == 0, "it is the same"
    table = json.loads(path.read_text())
    table["classes"]["Heard"]["more"] = ["int", 0]
    path.write_text(wire_forms.text_of(table))
    assert wire_forms.main() == 1
    assert "classes: Heard" in capsys.readouterr().err
    assert json.loads(path.read_text()) == table
