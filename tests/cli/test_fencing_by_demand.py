"""What an operator reads before he has a node fenced, how the words of the command are taken, and how it says that it is over."""

from __future__ import annotations

import io
from typing import Any

import pytest

from reconciler.analysis.steady import settle
from reconciler.analysis.steady import steady as steady_state
from reconciler.cib import Cib
from reconciler.cli.node import fence_demand
from reconciler.cli.node.client import ClientError, ClientTimeout, Refused
from reconciler.cli.node.fence import spelled_out
from reconciler.cli.node.fence_demand import FenceDemand, demand
from reconciler.cli.node.fence_review import review
from reconciler.cli.terminal.paint import Paint
from reconciler.language import load
from reconciler.model.date import Instant

NOW = Instant(1_800_000_000)
SITE = """
cluster: {name: lab}
nodes: {n1: {}, n2: {}, n3: {}}
fencing:
  devices:
    power: {agent: "stonith:fence_x", params: {pcmk_host_list: n1 n2 n3}}
    switch: {agent: "stonith:fence_y", params: {pcmk_host_list: n2}}
primitives:
  address: {agent: "ocf:pacemaker:Dummy"}
  local: {agent: "ocf:pacemaker:Dummy"}
  each: {agent: "ocf:pacemaker:Dummy"}
  db: {agent: "ocf:pacemaker:Stateful"}
clones:
  all: {resource: each}
  dbs: {resource: db, promotable: true}
constraints:
  locations:
    address-n2: {resource: address, node: n2, score: 50}
    local-n2: {resource: local, node: n2, score: 50}
    local-not-n1: {resource: local, node: n1, score: -INFINITY}
    local-not-n3: {resource: local, node: n3, score: -INFINITY}
    db-n2: {resource: dbs, node: n2, score: 50, role: Promoted}
    db-n1: {resource: dbs, node: n1, score: 10, role: Promoted}
"""


def cib(text: str = SITE) -> Cib:
    found = load({"site.yaml": text.encode()})
    assert found.configuration is not None, found.findings
    return settle(steady_state(found.configuration, NOW).cib, NOW).cib


def read(target: str, action: str = "reboot", asked_at: str = "n1", text: str = SITE) -> list[str]:
    return list(review(cib(text), target, action, asked_at, NOW, Paint(io.StringIO())))


def test_what_runs_there_and_where_it_goes_is_shown() -> None:
    assert read("n2") == [
        "n2 is switched off at once, and on again (reboot), with power, then switch. Nothing is stopped in order there.",
        "What runs there (4), and where it goes:",
        "  address  goes to n1",
        "  db       goes on on n1, n3, one instance less; promoted on n1",
        "  each     goes on on n1, n3, one instance less",
        "  local    DOWN: no other node may run it",
    ]


def test_a_node_s_own_watchdog_is_shown_where_it_counts() -> None:
    watched = SITE.replace("lab}", "lab, options: {have-watchdog: true, fencing-watchdog-timeout: -1}}")
    alone = watched[: watched.index("fencing:")] + watched[watched.index("primitives:") :]
    lines = list(review(cib(alone), "n2", "reboot", "n1", NOW, Paint(io.StringIO()), 202.0))
    assert "(reboot), with its own watchdog, which resets it within 202 s. Nothing" in lines[0]
    assert "  address  goes to n1" in lines
    level = (
        "  levels:\n    - {target: n2, index: 1, devices: [power]}\n    - {target: n2, index: 2, devices: [watchdog]}\n"
    )
    beside = watched.replace("primitives:", f"{level}primitives:")
    first = next(review(cib(beside), "n2", "reboot", "n1", NOW, Paint(io.StringIO()), 202.0))
    assert "(reboot), with power, then its own watchdog, which resets it within 202 s." in first
    assert "with power. Nothing" in next(review(cib(beside), "n2", "reboot", "n1", NOW, Paint(io.StringIO())))
    assert "with power. Nothing" in next(review(cib(beside), "n2", "off", "n1", NOW, Paint(io.StringIO()), 202.0))


def test_that_the_node_is_ones_own_is_shown() -> None:
    lines = read("n1", "off")
    assert lines[0].startswith("n1 is switched off at once, and stays off (off), with power.")
    assert lines[1] == "! n1 is the node that is asked: this session may end with it"


def test_where_nothing_runs_that_is_said() -> None:
    quiet = SITE[: SITE.index("primitives:")]
    assert read("n2", text=quiet)[1:] == ["No service runs there, as far as is known."]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["n2"], ["node", "n2"]),
        (["--off", "n2"], ["node", "--off", "n2"]),
        (["node", "n2"], ["node", "n2"]),
        (["confirm", "n2"], ["confirm", "n2"]),
        (["history"], ["history"]),
        (["--help"], ["--help"]),
        ([], []),
    ],
)
def test_the_action_may_be_left_out(words: list[str], meant: list[str]) -> None:
    assert spelled_out(words) == meant


# To the end.


def tried(succeeded: bool, device: str = "power", by: str = "n1") -> dict[str, Any]:
    why = "" if succeeded else "no\n  power"
    return {"what": "reboot", "device": device, "by": by, "succeeded": succeeded, "why": why, "at": 1, "node": "n2"}


def asked(succeeded: bool, why: str = "", by: str = "ann") -> dict[str, Any]:
    return {"what": "ask", "device": "", "by": by, "succeeded": succeeded, "why": why, "at": 2, "node": "n2"}


WANTED = {"node": "n2", "state": "wanted"}
DOWN = {"node": "n2", "state": "down", "by": "n3"}


class Daemon:
    """Answers what a daemon would tell, one answer after the other, the last one for ever; None: it can't be reached."""

    def __init__(self, *answers: tuple[list[dict[str, Any]], list[dict[str, Any]]] | None) -> None:
        self.answers = [([], []), *answers]
        self.asked: list[dict[str, Any]] = []

    def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        assert (path, query) == ("/v1/fencing", {"node": "n2"})
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise ClientError("it is gone", "no-daemon")
        return {"records": answer[0], "history": answer[1]}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert path == "/v1/fencing/fence"
        self.asked.append(body)
        return {"within_s": 100.0}


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Have a node fenced where the daemon answers so: the exit code, and what is printed on both streams."""
    now = [0.0]
    monkeypatch.setattr(fence_demand.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(fence_demand.time, "sleep", lambda s: now.__setitem__(0, now[0] + s))

    def call(daemon: Daemon, **changes: Any) -> tuple[int, list[str], list[str]]:
        monkeypatch.setattr(fence_demand, "Client", lambda path: daemon)
        given = {"node": "n2", "off": False, "yes": True, "timeout": None, "json": False, "socket": None} | changes
        code = demand(FenceDemand(**given), "ann")
        told = capsys.readouterr()
        return code, told.out.splitlines(), told.err.splitlines()

    return call


def test_each_try_is_told_and_that_it_is_down(ends) -> None:
    daemon = Daemon(
        ([], []),
        ([WANTED], []),
        ([WANTED], [tried(False)]),
        None,
        ([DOWN], [asked(True), tried(True, "switch", "n3"), tried(False)]),
    )
    code, out, err = ends(daemon)
    assert code == 0
    assert err == ["n1: reboot with power failed: no power", "n3: reboot with switch: done"]
    assert out == [
        "n2 is down (by n3 with switch): what ran there may run elsewhere, and it takes part again once it has booted."
    ]
    body = {"node": "n2", "action": "reboot", "operator": "ann"}
    assert daemon.asked == [body | {"only_check": True}, body]


def test_what_was_before_is_not_taken_for_its_end(ends) -> None:
    old = [asked(True), tried(True)]
    daemon = Daemon(([WANTED], old), ([], [asked(False, "no device could do it"), tried(False), tried(False), *old]))
    daemon.answers[0] = ([], old)
    code, _, err = ends(daemon)
    assert code == 1
    assert err[-1] == (
        "reconciler: error: n2 was not fenced: 1 device failed, in 2 tries; it is not tried again [not-fenced]"
    )


@pytest.mark.parametrize(
    ("answers", "code", "why"),
    [
        ([([], [asked(True, "it has booted anew")])], 0, "it has booted anew"),
        ([([], [asked(False, "no device can do that from here")])], 1, "no device can do that from here"),
        ([([], [])], 1, "nothing was tried: the members changed meanwhile; ask again"),
        ([([WANTED], []), ([], [tried(False)])], 1, "it was given up: the members changed meanwhile; ask again"),
        ([([WANTED], []), ([DOWN], [])], 0, "by n3"),
    ],
    ids=["booted", "no executor", "lost", "dropped", "by another"],
)
def test_each_end_is_told(ends, answers, code: int, why: str) -> None:
    import json

    ended, out, _ = ends(Daemon(*answers), json=True)
    told = json.loads("\n".join(out))
    assert (ended, told["fenced"], told["why"]) == (code, code == 0, why)


def test_the_end_of_what_another_asked_for_is_not_ones_own(ends) -> None:
    """It fails and ends just before ours is delivered, which is tried then."""
    others = [asked(False, "no device could do it", by="bob"), tried(False)]
    begun, done = ([WANTED], others), ([DOWN], [asked(True), tried(True, "switch", "n3"), *others])
    code, out, err = ends(Daemon(([], others), begun, done))
    assert (code, err) == (0, ["n1: reboot with power failed: no power", "n3: reboot with switch: done"])
    assert out[0].startswith("n2 is down (by n3 with switch): ")


def test_what_another_asked_for_may_be_all_that_was_done(ends) -> None:
    """Ours was dropped where it was delivered, as that was under way."""
    code, _, err = ends(Daemon(([WANTED], []), ([], [asked(False, "no power", by="bob"), tried(False)])))
    assert (code, err[-1]) == (
        1,
        "reconciler: error: n2 was not fenced: bob had asked for it too, and that failed (no power); ask again [not-fenced]",
    )


@pytest.mark.parametrize(
    ("what", "off", "code", "told"),
    [
        ("reboot", False, 0, "n2 is down (by n1 with power, bob had asked for it too): "),
        ("off", True, 0, "n2 is down (by n1 with power, bob had asked for it too): "),
        ("reboot", True, 1, "n2 was not fenced: bob had something else done to it (reboot); ask again"),
    ],
)
def test_what_another_had_done_counts_where_it_comes_to_the_same(
    ends, what: str, off: bool, code: int, told: str
) -> None:
    line = tried(True) | {"what": what}
    ended, out, err = ends(Daemon(([DOWN], [asked(True, by="bob"), line])), off=off)
    assert ended == code
    assert told in (out if code == 0 else err)[-1]


def test_it_is_waited_for_no_longer_than_it_can_take(ends) -> None:
    with pytest.raises(ClientTimeout) as late:
        ends(Daemon(([WANTED], [])))
    assert str(late.value).startswith("it is not over after 130 s: reconciler fence history n2 tells")
    assert late.value.exit_code == 124


def test_what_the_node_refuses_is_no_silence(ends) -> None:
    class Stranger(Daemon):
        def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
            raise Refused(403, {"error": {"code": "forbidden", "message": "not you"}})

    with pytest.raises(Refused):
        ends(Stranger())


def test_a_refusal_is_shown_with_the_code_that_programs_get() -> None:
    assert Refused(409, {"error": {"code": "no-device", "message": "none is for n2"}}).code == "no-device"


@pytest.mark.parametrize("code", ["", "No Code", "a\x1b[2J", "x" * 65, None, 7])
def test_what_is_no_code_is_not_shown_as_one(code: object) -> None:
    assert Refused(409, {"error": {"code": code}}).code == "refused"
