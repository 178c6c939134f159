"""Inputs on which an earlier version decided or printed otherwise than the reference: each is put to both programs anew.

Where we differ on purpose, `EXPLAINED` says why; such a case has to differ still, or it goes.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from published_cases import needs_oracle, oracle

from reconciler.cli.main import main

INPUTS = Path(__file__).resolve().parents[1] / "golden" / "deviations"
WORDS = {
    "inject-over-foreign-fail-count": ["-S", "-s", "-i", "rsc64_monitor_0@node2=190"],
    "none-do_shutdown": ["-S", "-a"],
    "promote-nowhere-all-actions": ["-S", "-a"],
    "reconnect-clear-failcount": ["-S", "-s", "-t", "2026-11-25T20:03:00Z"],
}
EXPLAINED = {
    "balanced-hash-order": "among equal nodes the reference takes what a hash table of names gives first; ours goes by their list",
    "guest-by-id-ref": "a block that is shared counts for each who shares it, with the reference all but for remote-node",
    "inject-over-foreign-fail-count": "an injection writes its own fail count; the reference changes the first with its name",
    "names-like-notify-ids": "the reference takes a resource for another one's notification by the form of its name",
    "none-do_shutdown": "an order that -a alone shows, of an action on no node",
    "promote-nowhere-all-actions": "an action that -a alone shows, of a resource that goes nowhere",
    "template-and-operations-id-ref": "the reference forgets a template's operations when the primitive shares another one's",
    "utilization-int-overflow": "the reference's sums have 32 bits and come out negative",
}


def test_each_explanation_is_of_a_case() -> None:
    assert EXPLAINED.keys() | WORDS.keys() <= {path.stem for path in INPUTS.glob("*.xml")}


@needs_oracle
@pytest.mark.parametrize("name", sorted(path.stem for path in INPUTS.glob("*.xml")))
def test_text_graph_and_picture_are_the_reference_s(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    words = [*WORDS.get(name, ["-S", "-s"]), "--text-fancy", "-x", str(INPUTS / f"{name}.xml")]
    theirs, ours = _Files(tmp_path / "theirs"), _Files(tmp_path / "ours")
    expected = oracle("crm_simulate", *words, *theirs.options).stdout
    assert main(["simulate", *words, *ours.options]) == 0
    same = (capsys.readouterr().out, *ours.read()) == (expected, *theirs.read())
    assert same is (name not in EXPLAINED), EXPLAINED.get(name, "differs")


@needs_oracle
def test_what_a_hash_table_decides_changes_with_names_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes that are called otherwise, in the same order: the reference starts a resource elsewhere, this program does not."""
    monkeypatch.setenv("TZ", "UTC")
    starts: tuple[set[str], set[str]] = set(), set()
    for name in ("node", "srv"):
        path = tmp_path / f"{name}.xml"
        path.write_text((INPUTS / "balanced-hash-order.xml").read_text().replace('"node', f'"{name}'))
        words = ["-S", "--text-fancy", "-x", str(path)]
        assert main(["simulate", *words]) == 0
        for found, text in zip(starts, (oracle("crm_simulate", *words).stdout, capsys.readouterr().out), strict=True):
            found.update(re.findall(rf"Start +Prim66 +\( *{name}(\d)", text))
    assert starts == ({"3", "5"}, {"3"})


class _Files:
    """The files that a run writes: graph and picture."""

    def __init__(self, stem: Path) -> None:
        self.graph, self.picture = stem.with_suffix(".xml"), stem.with_suffix(".dot")
        self.options = ("-G", str(self.graph), "-D", str(self.picture))

    def read(self) -> tuple[str, set[str]]:
        """The graph, and the lines of the picture, which repeat.

        When to look again is ours: the reference never does when a date specification changes, and a second late after an expiry.
        """
        graph = re.sub(r' recheck-by="[0-9]+"', "", self.graph.read_text())
        return graph, set(self.picture.read_text().splitlines())
