"""corosync.conf as a value: what is read, judged and changed, held against the corosync of this machine where there is one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine import needs

from reconciler.errors import InputError, Severity
from reconciler.fabric.corosync.conf.checks import check
from reconciler.fabric.corosync.conf.device import QuorumDevice, with_device, without_device
from reconciler.fabric.corosync.conf.edits import NewNode, with_addresses, with_node, with_setting, without_node
from reconciler.fabric.corosync.conf.fresh import fresh
from reconciler.fabric.corosync.conf.nodes import is_loopback, names, nodes
from reconciler.fabric.corosync.conf.text import Conf, ConfSection, Remark, parse, render, value_at
from reconciler.fabric.corosync.conf.votes import (
    PartitionVotes,
    device_votes,
    expected_votes,
    quorum_lost,
    quorum_of,
    waits_for_all,
)

BASE = """\
totem {
    version: 2
    transport: knet
}
nodelist {
    node {
        name: h1
        nodeid: 1
        ring0_addr: 127.0.0.1
    }
}
"""


def made(count: int, *links: int, device: QuorumDevice | None = None) -> Conf:
    members = tuple(
        NewNode(f"h{one}", tuple(f"10.{link}.0.{one}" for link in links or (0,))) for one in range(1, count + 1)
    )
    return fresh("corosync.conf", "site", members, device)


def text_of(conf: Conf) -> str:
    return render(conf).decode()


# What corosync reads

READABLE = {
    "as it is": "",
    "a remark": "  # { nothing }\n\n\t \n",
    "blanks around": "\t quorum\t{ \n provider :  corosync_votequorum \n\t}\t\n",
    "no blanks": "quorum{\nprovider:corosync_votequorum\n}\n",
    "line ends of another system": "logging {\r\n to_syslog: yes\r\n}\r\n",
    "a value with a bracket": "logging {\n logfile: /x}y\n}\n",
    "a value of nothing": "logging {\n logfile:\n}\n",
    "sections in sections": "logging {\n logger_subsys {\n  subsys: QUORUM\n }\n}\n",
    "a section of another's": "anything {\n a: b\n}\n",
    "the longest line": f"#{'x' * 509}\n",
    "without an end": "logging {\n to_syslog: yes\n}",
}
UNREADABLE = {
    "a bracket too much": ("}\n", 12),
    "a bracket too few": ("quorum {\n", 12),
    "a word": ("quorum {\n}\nfoo\n", 14),
    "all on a line": ("quorum { provider: corosync_votequorum }\n", 12),
    "a remark behind a bracket": ("quorum { # votes\n}\n", 12),
    "something behind the end": ("quorum {\n} foo\n", 13),
    "a setting and an end": ("quorum {\n x }\n}\n", 13),
    "no name": ("{\n}\n", 12),
    "a bracket in a value": ("logging {\n logfile: /x{y\n}\n}\n", 13),
    "a long line": (f"#{'x' * 510}\n", 12),
}


@pytest.mark.parametrize("more", READABLE.values(), ids=READABLE.keys())
def test_what_corosync_reads_comes_back_byte_for_byte(more: str) -> None:
    text = BASE + more
    assert text_of(parse("f", text.encode())) == (text if text.endswith("\n") else f"{text}\n")


@needs("corosync")
@pytest.mark.parametrize(
    ("more", "is_read"),
    [*((more, True) for more in READABLE.values()), *((more, False) for more, _ in UNREADABLE.values())],
)
def test_corosync_itself_reads_the_same(more: str, is_read: bool, tmp_path: Path) -> None:
    path = tmp_path / "corosync.conf"
    path.write_text(BASE + more, newline="")
    done = subprocess.run(["corosync", "-c", str(path), "-t"], capture_output=True, text=True, timeout=30)
    assert ("parser error" not in done.stdout + done.stderr) == is_read


@pytest.mark.parametrize(("more", "line"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_corosync_refuses_is_refused_with_its_line(more: str, line: int) -> None:
    with pytest.raises(InputError) as caught:
        parse("/etc/corosync/corosync.conf", (BASE + more).encode())
    assert caught.value.findings[0].place.line == line
    assert caught.value.findings[0].code == "corosync-syntax"


def test_a_file_is_bounded_in_size_depth_and_findings() -> None:
    for data in (b"#\n" * 200_000, b"a {\n" * 20 + b"}\n" * 20, b"foo\n" * 1000):
        with pytest.raises(InputError) as caught:
            parse("f", data)
        assert len(caught.value.findings) <= 60


def test_bytes_in_another_encoding_are_kept() -> None:
    data = BASE.encode() + b"# gr\xfc\xdfe\n"
    assert b"}\n# gr\xfc\xdfe\n" in render(with_node(parse("f", data), NewNode("h2", ("10.0.0.2",))))


words = st.text("abcxyz01._- ", min_size=1, max_size=8).map(str.strip).filter(bool)
blanks = st.sampled_from(["", " ", "\t", "    "])


@st.composite
def bodies(draw: st.DrawFn, depth: int = 0) -> str:
    lines: list[str] = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["remark", "setting", "section"] if depth < 3 else ["remark", "setting"]))
        indent = draw(blanks)
        if kind == "remark":
            lines.append(indent + draw(st.sampled_from(["", "# a remark", "#"])) + "\n")
        elif kind == "setting":
            lines.append(f"{indent}{draw(words)}{draw(blanks)}:{draw(blanks)}{draw(words)}{draw(blanks)}\n")
        else:
            inner = draw(bodies(depth + 1))
            lines.append(f"{indent}{draw(words)}{draw(blanks)}{{{draw(blanks)}\n{inner}{indent}}}{draw(blanks)}\n")
    return "".join(lines)


@given(bodies())
def test_reading_and_writing_give_the_same_bytes(text: str) -> None:
    conf = parse("f", text.encode())
    assert text_of(conf) == text
    assert parse("f", render(conf)) == conf


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        conf = parse("f", data)
    except InputError:
        return
    assert render(conf) == (data if data.endswith(b"\n") or not data else data + b"\n")


# Edits


@given(bodies(), st.integers(1, 6), st.integers(1, 3))
def test_a_node_that_comes_and_goes_leaves_the_file_as_it_was(more: str, count: int, links: int) -> None:
    """What nobody here knows stays where it is, and what the votes ask for follows the nodes both ways."""
    before = parse("f", render(made(count, *range(links))) + more.encode())
    addresses = tuple(f"10.{link}.0.99" for link in range(links))
    after = with_node(before, NewNode("new", addresses))
    assert names(after) == (*names(before), "new")
    assert parse("f", render(after)) == parse("f", render(parse("f", render(after))))
    assert render(without_node(after, "new")) == render(before)


def test_remarks_and_unknown_keys_stay_and_indentation_is_that_of_the_neighbours() -> None:
    text = (
        "# ours\nnodelist {\n\tnode {\n\t\t# first\n\t\tname: h1\n\t\tnodeid: 7\n\t\tring0_addr: 10.0.0.1\n\t\tcolour: red\n"
        "\t}\n\t# the end\n}\nquorum {\n\tprovider: corosync_votequorum\n}\n"
    )
    after = text_of(with_node(parse("f", text.encode()), NewNode("h2", ("10.0.0.2",))))
    assert after == text.replace(
        "\t# the end\n",
        "\t# the end\n\tnode {\n\t\tname: h2\n\t\tnodeid: 8\n\t\tring0_addr: 10.0.0.2\n\t}\n",
    ).replace("votequorum\n", "votequorum\n\ttwo_node: 1\n")


@pytest.mark.parametrize(
    ("count", "two", "quorum", "waits"),
    [(1, None, 1, False), (2, "1", 1, True), (3, None, 2, False), (5, None, 3, False)],
)
def test_two_node_is_on_with_exactly_two(count: int, two: str | None, quorum: int, waits: bool) -> None:
    for conf in (made(count), without_node(made(count + 1), f"h{count + 1}")):
        written = value_at(conf, "quorum", "two_node")
        assert (written and written.value) == two
        assert (quorum_of(conf), waits_for_all(conf), check(conf)) == (quorum, waits, ())


def test_what_is_written_of_votes_follows_the_nodes() -> None:
    conf = with_setting(with_setting(made(3), ("quorum", "expected_votes"), "3"), ("totem", "config_version"), "4")
    after = with_node(conf, NewNode("h4", ("10.0.0.4",)))
    assert {
        key: getattr(value_at(after, *key), "value", None)
        for key in (("quorum", "expected_votes"), ("totem", "config_version"))
    } == {
        ("quorum", "expected_votes"): "4",
        ("totem", "config_version"): "5",
    }
    assert check(after) == ()


def test_a_device_takes_the_place_of_two_node() -> None:
    conf = made(2, device=QuorumDevice("q", "ffsplit"))
    assert value_at(conf, "quorum", "two_node") is None
    assert (expected_votes(conf), quorum_of(conf), check(conf)) == (3, 2, ())
    lms = made(3, device=QuorumDevice("q", "lms"))
    assert (device_votes(lms), expected_votes(lms), quorum_of(lms)) == (2, 5, 3)
    assert device_votes(with_node(lms, NewNode("h4", ("10.0.0.4",)))) == 3


@pytest.mark.parametrize("algorithm", ["ffsplit", "lms"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_device_that_comes_and_goes_leaves_the_file_as_it_was(count: int, algorithm: str) -> None:
    plain = made(count)
    has = with_device(plain, QuorumDevice("q", algorithm))
    assert check(has) == ()
    assert render(has) == render(made(count, device=QuorumDevice("q", algorithm)))
    assert render(without_device(has)) == render(plain)
    assert without_device(plain) is plain


def test_what_stands_beside_a_device_stays_and_its_version_rises() -> None:
    text = b"""\
totem {
    config_version: 7
}
quorum {
    # ours
    provider: corosync_votequorum
    device {
        # theirs
        model: net
        net {
            host: q
        }
    }
    wait_for_all: 0
}
"""
    left = render(without_device(parse("f", text)))
    assert left == text.replace(b"7", b"8").replace(text[text.index(b"    device") : text.index(b"    wait")], b"")


def test_addresses_are_changed_in_place() -> None:
    before = made(3, 0, 1)
    after = with_addresses(before, NewNode("h2", ("10.0.0.22", "10.1.0.2")))
    assert text_of(after) == text_of(before).replace("ring0_addr: 10.0.0.2\n", "ring0_addr: 10.0.0.22\n")
    assert with_addresses(after, NewNode("h2", ("10.0.0.22", "10.1.0.2"))) == after
    fewer = with_addresses(before, NewNode("h2", ("10.0.0.2",)))
    assert nodes(fewer)[1].addresses == ((0, "10.0.0.2"),)


def test_a_setting_of_a_section_that_is_not_there_makes_it() -> None:
    conf = with_setting(made(3), ("system", "qb_ipc_type"), "native")
    assert text_of(conf).endswith("system {\n    qb_ipc_type: native\n}\n")
    assert text_of(with_setting(conf, ("system", "qb_ipc_type"), None)).endswith("system {\n}\n")


# Checks

FAULTS = {
    "corosync-node-name": [("name: h2", "name: h2_"), ("        name: h2\n", ""), ("name: h2", "name: grün")],
    "corosync-node-id": [("nodeid: 2", "nodeid: 0"), ("        nodeid: 2\n", ""), ("nodeid: 2", "nodeid: two")],
    "corosync-duplicate": [("name: h2", "name: h1"), ("nodeid: 2", "nodeid: 1"), ("10.0.0.2", "10.0.0.1")],
    "corosync-links": [
        ("        ring1_addr: 10.1.0.2\n", ""),
        ("ring1_addr: 10.1.0.2", "ring9_addr: 10.1.0.2"),
        ("transport: knet", "transport: udpu"),
    ],
    "corosync-quorum": [("    provider: corosync_votequorum\n", "")],
    "corosync-expected-votes": [("provider:", "expected_votes: 4\n    provider:")],
    "corosync-two-node": [("provider:", "two_node: 1\n    provider:")],
    "corosync-votes": [("nodeid: 2", "nodeid: 2\n        quorum_votes: many")],
    "corosync-qdevice": [
        ("provider:", "device {\n model: disk\n }\n    provider:"),
        ("provider:", "device {\n model: net\n net {\n algorithm: ffsplit\n }\n }\n    provider:"),
        ("provider:", "device {\n model: net\n votes: 2\n net {\n host: q\n algorithm: ffsplit\n }\n }\n    provider:"),
        ("provider:", "device {\n model: net\n net {\n host: q\n algorithm: odd\n }\n }\n    provider:"),
        (
            "provider:",
            "auto_tie_breaker: 1\n device {\n model: net\n net {\n host: q\n algorithm: ffsplit\n }\n }\n    provider:",
        ),
    ],
}


@pytest.mark.parametrize(
    ("code", "old", "new"), [(code, old, new) for code, faults in FAULTS.items() for old, new in faults]
)
def test_a_fault_has_its_code_and_line(code: str, old: str, new: str) -> None:
    good = text_of(made(3, 0, 1))
    assert check(parse("f", good.encode())) == ()
    bad = good.replace(old, new, 1)
    assert bad != good
    found = [finding for finding in check(parse("f", bad.encode())) if finding.code == code]
    assert found
    assert all(finding.severity is Severity.ERROR and finding.place.file == "f" for finding in found)
    assert all(finding.place.line for finding in found if code != "corosync-quorum")


def test_a_nodelist_of_nobody_and_the_file_of_a_package_are_told_apart() -> None:
    assert [one.code for one in check(parse("f", b""))] == ["corosync-nodelist", "corosync-quorum"]
    assert is_loopback(parse("f", BASE.encode()))
    assert not is_loopback(made(1))


# The arithmetic of quorum

CHANGES = [
    # members, how many nodes there are, who goes, how many come; the numbers of the refusal, None when it is none
    ("h1 h2 h3", 3, "", 1, None),
    ("h1 h2", 3, "", 1, "h1, h2 would have 2 votes of 4, and a quorum would be 3 (now 2 of 3)"),
    ("h1 h2 h3", 3, "", 3, "h1, h2, h3 would have 3 votes of 6, and a quorum would be 4 (now 2 of 3)"),
    ("h1", 1, "", 1, None),
    ("h1", 1, "", 2, "h1 would have 1 vote of 3, and a quorum would be 2 (now 1 of 1)"),
    ("h1 h2", 2, "", 1, None),
    ("h1", 2, "", 1, "h1 would have 1 vote of 3, and a quorum would be 2 (now 1 of 2)"),
    ("h1 h2 h3", 3, "h3", 0, None),
    ("h1 h2", 3, "h3", 0, None),
    ("h1 h2", 3, "h2", 0, "without h2, h1 would have 1 vote of 3, and a quorum is 2"),
    ("h1 h2", 2, "h2", 0, None),
    ("h1 h2 h3", 5, "h3", 0, "without h3, h1, h2 would have 2 votes of 5, and a quorum is 3"),
    ("h1 h2 h3", 5, "h5", 0, None),
    ("h1 h2 h3", 5, "h4 h5", 0, None),
    ("h1", 1, "h1", 0, "without h1, nobody would have 0 votes of 1, and a quorum is 1"),
]


@pytest.mark.parametrize(("members", "count", "gone", "more", "refusal"), CHANGES)
def test_a_change_that_would_lose_quorum_says_so_in_numbers(
    members: str, count: int, gone: str, more: int, refusal: str | None
) -> None:
    before = after = made(count)
    for name in gone.split():
        after = without_node(after, name)
    for one in range(more):
        after = with_node(after, NewNode(f"n{one}", (f"10.9.0.{one}",)))
    there = tuple(members.split())
    partition = PartitionVotes(there, len(there), expected_votes(before), quorum_of(before))
    assert quorum_lost(partition, before, after, tuple(gone.split())) == refusal


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 9), st.booleans())
def test_who_is_not_refused_keeps_quorum(count: int, there: int, change: int, adds: bool) -> None:
    before = made(count)
    members = tuple(f"h{one}" for one in range(1, min(there, count) + 1))
    partition = PartitionVotes(members, len(members), expected_votes(before), quorum_of(before))
    gone = () if adds else tuple(f"h{one}" for one in range(1, min(change, count) + 1))
    after = before
    for one in range(change if adds else 0):
        after = with_node(after, NewNode(f"n{one}", (f"10.9.0.{one}",)))
    for name in gone:
        after = without_node(after, name)
    left = [name for name in members if name not in gone]
    if quorum_lost(partition, before, after, gone) is None:
        total = count + change if adds else count - len(gone)
        assert len(left) >= (1 if total == 2 else total // 2 + 1)


def test_nothing_of_a_file_is_a_remark_but_remarks() -> None:
    conf = parse("f", BASE.encode())
    assert all(isinstance(one, ConfSection) for one in conf.items)
    assert isinstance(parse("f", b"# x\n").items[0], Remark)


def test_who_has_more_votes_for_corosync_than_for_us_is_told_so() -> None:
    conf = parse("f", text_of(made(3)).replace("nodeid: 2", "nodeid: 2\n        quorum_votes: 2").encode())
    assert [(one.code, one.severity) for one in check(conf)] == [("corosync-votes", Severity.WARNING)]
    assert (expected_votes(conf), quorum_of(conf)) == (4, 3)
