"""What people who run clusters asked, and what they needed to hear."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli.main import main

SITUATIONS = Path(__file__).resolve().parents[1] / "golden" / "situations"

WHY = {
    "promotion-moves": ("db", ["db:1 has a better promotion score than db:0: 200 against 100"], ["failed"]),
    "promotion-forbidden": (
        "db",
        [
            "location constraint fence-by-handler-r0 forbids that it is promoted on n1",
            "remove the constraint fence-by-handler-r0",
        ],
        [],
    ),
    "banned-moves": (
        "a",
        ["cli-ban-a-on-n1, left over from a command", "remove the constraint cli-ban-a-on-n1"],
        ["no node is better"],
    ),
    "clone-standby": ("web", ["n2: in standby", "take n2 out of standby"], ["n2: the limit"]),
    "interleave-disjoint": ("agent", ["n2: order o1: nothing that it has to come after can be on n2"], ["better"]),
    "blocked-stop": ("b", ["its stop failed on n1 with 1 (error)", "reconciler cleanup b"], []),
    "ticket-standby": ("rep", ["ticket tB is granted, but in standby", "activate the ticket tB"], ["not granted"]),
    "ticket-promotion": (
        "db",
        [
            "it is not promoted: ticket tA is not granted",
            "grant the ticket tA to this cluster",
        ],
        ["nothing gives it"],
    ),
    "definition-changed": ("a", ["it is to restart: its parameter fake changed"], []),
    "tie": ("a", ["it is there already, and no other node is better"], ["order of nodes"]),
}
PLAN = {
    "recover-in-place": (["recover  a  n1  because its monitor failed on n1 with 7 (not running)"], ["stays down"]),
    "promotion-moves": (["db:1 has the better promotion score (200 against 100)"], ["failed"]),
    "banned-moves": (["because location constraint cli-ban-a-on-n1, left over from a command"], ["no node is better"]),
    "clone-standby": (["because n2 is in standby"], ["limit"]),
    "unfence": (["0 fence", "3 unfence", "unfence  s1"], ["guard: fence"]),
    "blocked-stop": (
        ["No changes", "b stays as it is: its stop failed on n1 with 1 (error)", "reconciler cleanup b"],
        [],
    ),
    "definition-changed": (["because its parameter fake changed"], ["the definition of"]),
    "sanitized": (["No changes"], ["restart  "]),
}


@pytest.mark.parametrize("name", WHY)
def test_why(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    resource, said, unsaid = WHY[name]
    assert main(["why", resource, "--snapshot", str(SITUATIONS / f"{name}.xml")]) == 0
    _check(capsys.readouterr().out, said, unsaid)


@pytest.mark.parametrize("name", PLAN)
def test_plan(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    said, unsaid = PLAN[name]
    path = str(SITUATIONS / f"{name}.xml")
    held = 3 if name == "clone-standby" else 0  # A stop without a restart wants consent.
    assert main(["plan", path, "--snapshot", path]) == held
    _check(capsys.readouterr().out, said, unsaid)


@pytest.mark.parametrize("name", ["two-node-devices", "bundle-survive"])
def test_verify(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(SITUATIONS / f"{name}.xml"), "--survive", "1"]) == 0
    _check(capsys.readouterr().out, ["kept"], ["BROKEN"])


def test_a_tag_may_name_what_has_an_id_only_in_xml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, written = str(SITUATIONS / "tags.xml"), str(tmp_path / "site")
    assert main(["import", path, "--out", written]) == 0
    assert main(["validate", written]) == 0
    assert main(["plan", written, "--snapshot", path]) == 0
    assert main(["diff", path, written]) == 0
    capsys.readouterr()
    assert main(["export", written]) == 0
    text = capsys.readouterr().out
    _check(text, ['<op id="a-mon"', '<obj_ref id="a-mon"', '<obj_ref id="1"'], [])


def _check(text: str, said: list[str], unsaid: list[str]) -> None:
    assert [one for one in said if one not in text] == [], text
    assert [one for one in unsaid if one in text] == [], text
